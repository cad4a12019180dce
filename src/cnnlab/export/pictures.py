"""The pictures that an exported file is checked with: those of the run, or drawn ones."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cnnlab.core import seeds
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.messages import note
from cnnlab.data import Dataset, ImageSet
from cnnlab.evaluation import own_data, targets_of
from cnnlab.evaluation.prediction.predictor import Predictor
from cnnlab.models import Predictable
from cnnlab.runs import Run

CHECKED = 256
_SIZES = (1.5, 2.75, 0.8)
"""What height and width are multiplied by, and the same upside down for the width, to have pictures of other sizes."""


@dataclass(frozen=True)
class CheckPictures:
    """Pictures, and where they are from.

    :param pixels: uint8, N×C×H×W.
    """

    pixels: Tensor
    source: str


def data_of(run: Run | None, data_dir: str | Path | None, *, offline: bool) -> Dataset | None:
    """The data that a run was trained on, divided as for that; None where there is none, or it is not to be had."""
    if run is None:
        return None
    try:
        return own_data(run, data_dir=data_dir, offline=offline)
    except CnnlabError as error:
        note(f"the export is checked with drawn pictures, for those of the training cannot be had: {error}")
        return None


def check_pictures(model: Predictable, dataset: Dataset | None) -> CheckPictures:
    """256 pictures of the test split; where there are fewer, the rest is drawn, each number by itself."""
    parts = dict(dataset.parts()) if dataset is not None else {}
    split = next((name for name in ("test", "validation") if name in parts), None)
    own = torch.empty(0, *model.shape, dtype=torch.uint8)
    if split is not None and dataset is not None and parts[split].shape == model.shape:
        own = first_of(parts[split], CHECKED)
    missing = CHECKED - len(own)
    generator = seeds.generator(0, "export")
    drawn = torch.randint(0, 256, (missing, *model.shape), generator=generator, dtype=torch.uint8)
    said = [f"{len(own)} of the {split} split of {dataset.name}"] if len(own) and dataset is not None else []
    said += [f"{missing} drawn"] if missing else []
    return CheckPictures(torch.cat([own, drawn]), " and ".join(said))


def first_of(images: ImageSet, count: int) -> Tensor:
    """The first so many pictures of a set, or all where there are fewer."""
    return images.batch(torch.arange(min(count, len(images))))[0]


def of_other_sizes(pixels: Tensor) -> list[Tensor]:
    """The same pictures in three other sizes, for what resizes them."""
    height, width = pixels.shape[2:]
    sizes = [(max(2, round(height * factor)), max(2, round(width * other))) for factor, other in _pairs()]
    return [torch.from_numpy(np.stack([_resized(picture, size) for picture in pixels.numpy()])) for size in sizes]


def _pairs() -> list[tuple[float, float]]:
    return list(zip(_SIZES, (_SIZES[-1], *_SIZES[:-1]), strict=True))


def _resized(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """One picture C×H×W at another size, channel by channel."""
    return np.stack([np.asarray(Image.fromarray(channel).resize(size[::-1])) for channel in picture])


def validation_of(dataset: Dataset | None, model: Predictor) -> tuple[ImageSet, dict[str, Tensor]]:
    """The validation pictures that numbers of 8 bits are fitted to, with their targets.

    :raises UsageError: where there are none.
    """
    if dataset is None:
        raise UsageError(
            "--int8 is fitted to the validation pictures of the training, and there are none here: it takes a run, and "
            "its data. Give --data-dir, or export without --int8."
        )
    parts = dict(dataset.parts())
    if "validation" not in parts or not len(parts["validation"]):
        raise UsageError(
            f"--int8 is fitted to validation pictures, and {dataset.name} was trained on without any. Train with "
            "validation=0.1, or export without --int8."
        )
    images = parts["validation"]
    return images, targets_of(model, [images])
