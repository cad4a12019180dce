"""Each check of operations, failing once: by an operation that breaks this promise."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from broken import refusal
from torch import Generator, Tensor

from cnnlab.augment import Info, augmentations, register
from cnnlab.augment.operation import GeometricOperation, MixingOperation, Parameters, PixelOperation, SoftTargets
from cnnlab.core.errors import UsageError
from cnnlab.testing import check_operation, operation_checks


class NotNumbers(PixelOperation):
    def draw(self, generator: Generator, info: Info) -> Parameters:
        return {}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return images * torch.nan


class InPlace(NotNumbers):
    keeps_bytes = True

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return images.mul_(0)


class DrawsLists(NotNumbers):
    def draw(self, generator: Generator, info: Info) -> Parameters:
        return {"angle": [0.5] * info.count}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return images


class WhateverP(NotNumbers):
    draws_p = True

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return 1 - images


class MixesNothing(MixingOperation):
    def draw(self, generator: Generator, info: Info) -> Parameters:
        return {}

    def apply(self, images: Tensor, targets: SoftTargets, parameters: Parameters) -> tuple[Tensor, SoftTargets]:
        return images, targets


class BytesOnly(NotNumbers):
    keeps_bytes = True

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return ~images if images.dtype == torch.uint8 else images


class Flattening(GeometricOperation):
    def matrix(self, generator: Generator, info: Info) -> Tensor:
        return torch.zeros(info.count, 3, 3, dtype=torch.float64)


class EachUnlikeTheLast:
    serial = itertools.count()

    def __init__(self) -> None:
        self.by = next(self.serial) % 2 / 2

    def __call__(self, images: Tensor) -> Tensor:
        return images * self.by


def from_elsewhere(images):
    return images * np.random.rand()


def from_a_seed_of_its_own(images):
    return images * torch.rand(len(images), 1, 1, 1, generator=Generator().manual_seed(0))


def one_for_all(images, generator):
    return images * torch.rand((), generator=generator)


def of_two(images):
    return images.lerp(images[1:2], 0.5)


def by_threads(images):
    return images / torch.get_num_threads()


BROKEN = {
    "images_stay_images": (NotNumbers, "Some values are not finite."),
    "what_is_given_is_left_alone": (InPlace, "The images were changed in place"),
    "same_step_same_batch": (from_elsewhere, "Done twice it gave two results"),
    "all_randomness_is_drawn": (DrawsLists, "angle is list."),
    "every_step_draws_anew": (from_a_seed_of_its_own, "With another seed it gave the same batch."),
    "every_image_has_its_own_draws": (one_for_all, "32 copies of an image came out alike"),
    "one_image_and_none": (of_two, "It raised UsageError: augmentation broken must give"),
    "p_of_zero_changes_nothing": (WhateverP, "Values changed by up to 1."),
    "targets_change_by_mixing_only": (MixesNothing, "it says that it mixes."),
    "bytes_and_floats_alike": (BytesOnly, "The results differ by up to 1."),
    "threads_do_not_matter": (by_threads, "the results differ by up to 0.5."),
    "canonical_text_means_the_same": (EachUnlikeTheLast, "made anew, gave another batch."),
    "matrices_can_be_undone": (Flattening, "its determinant is 0."),
}


@pytest.fixture
def registered() -> Iterator[None]:
    """Names given out in the test are free again after it."""
    before = {entry.name for entry in augmentations}
    yield
    for name in {entry.name for entry in augmentations} - before:
        augmentations.remove(name)


def test_every_check_is_shown_failing() -> None:
    assert [check.__name__ for check in operation_checks("flip")] == list(BROKEN)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found(name: str) -> None:
    member, words = BROKEN[name]
    register("broken")(member)
    assert words in refusal(operation_checks("broken"), name)


@pytest.mark.usefixtures("registered")
def test_an_operation_of_ones_own_is_checked_in_a_line() -> None:
    register("darken")(lambda images: images / 2)
    check_operation("darken")
    register("one_factor")(one_for_all)
    check_operation("one_factor|flip", draws_each_image=False)
    with pytest.raises(AssertionError, match=r"augmentation one_factor: Each image of a batch has draws of its own\."):
        check_operation("one_factor")


def test_an_operation_that_takes_none_of_the_shapes_is_told_to_be_given_others() -> None:
    with pytest.raises(UsageError, match="images of none of the shapes"):
        operation_checks("hue", shapes=[(1, 8, 8)])
