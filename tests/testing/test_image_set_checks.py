"""Each check of image sets, failing once: by a set that breaks this promise."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from broken import refusal
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.data import ImageSet, TensorImages
from cnnlab.testing import check_image_set, image_set_checks

COUNT, SHAPE = 8, (1, 3, 4)
PIXELS = torch.randint(0, 256, (COUNT, *SHAPE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
LABELS = torch.arange(COUNT) % 2


class OwnImages(ImageSet):
    """A set whose pixels lie in a tensor of its own."""

    def __init__(self) -> None:
        super().__init__(COUNT, SHAPE, {"label": LABELS.clone()}, {"label": ("cat", "dog")}, list("abcdefgh"))
        self.kept = PIXELS.clone()

    def _images(self, indices: Tensor) -> Tensor:
        return self.kept[indices]


class Floats(OwnImages):
    def _images(self, indices: Tensor) -> Tensor:
        return super()._images(indices).float()


class Views(OwnImages):
    def _images(self, indices: Tensor) -> Tensor:
        start, steps = (int(indices[0]), indices.diff().unique().tolist()) if len(indices) else (0, [])
        return self.kept[start : start + len(indices)] if steps == [1] else super()._images(indices)


class Wraps(OwnImages):
    def __init__(self) -> None:
        super().__init__()
        self.targets = {}

    def _images(self, indices: Tensor) -> Tensor:
        return super()._images(indices % COUNT)


class Namesakes(OwnImages):
    @property
    def ids(self) -> Sequence[str]:
        return ["a"] * COUNT


class DigestsOfFiles(OwnImages):
    image_digests = np.zeros((COUNT, 32), np.uint8)


class LosesTheLast(OwnImages):
    def chunks(self) -> Iterator[Tensor]:
        yield self.kept[:-1]


class SelectsSorted(OwnImages):
    def select(self, indices: object) -> ImageSet:
        return super().select(torch.as_tensor(indices).sort().values)


class OneBuffer(OwnImages):
    """Threads share a buffer, and each finds in it what the one before has read."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer = self.kept

    def _images(self, indices: Tensor) -> Tensor:
        before, self.buffer = self.buffer, super()._images(indices)
        return self.buffer if threading.current_thread() is threading.main_thread() else before


BROKEN = {
    "batches_are_bytes_in_the_order_asked": (Floats, "It gave torch.float32"),
    "batches_may_be_written_to": (Views, "The images of the set changed with it."),
    "an_index_out_of_range_is_refused": (Wraps, "Of 8 images it gave that at 8."),
    "ids_are_stable_names": (Namesakes, "Some images share one."),
    "digest_is_that_of_the_content": (DigestsOfFiles, "not those of what batch() gives."),
    "chunks_are_the_whole": (LosesTheLast, "The chunks are other images."),
    "a_selection_is_a_set": (SelectsSorted, "It holds other images."),
    "threads_may_read_at_once": (OneBuffer, "Some got the images of others."),
}


def test_every_check_is_shown_failing() -> None:
    assert [check.__name__ for check in image_set_checks(TensorImages(PIXELS))] == list(BROKEN)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found(name: str) -> None:
    kind, words = BROKEN[name]
    assert words in refusal(image_set_checks(kind()), name)


def test_an_image_set_of_ones_own_is_checked_in_a_line() -> None:
    check_image_set(OwnImages())


def test_too_few_images_check_nothing() -> None:
    with pytest.raises(UsageError, match="4 images or more, and this holds 3"):
        check_image_set(TensorImages(PIXELS[:3]))
