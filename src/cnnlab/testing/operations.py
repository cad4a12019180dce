"""What every augmentation operation promises, whatever it does to the images."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnlab.augment import Info, Pipeline, pipeline
from cnnlab.augment.operation import GeometricOperation, Shape, SoftTargets
from cnnlab.core.errors import SpecError, UsageError
from cnnlab.core.spec import Call
from cnnlab.testing.suite import Check, Suite, require, run

SHAPES: tuple[Shape, ...] = ((1, 28, 28), (3, 16, 16), (3, 12, 20))
"""Grey and colour, square and not: channels, height and width of the images that an operation is tried on."""

_COUNT, _COPIES, _CLOSE = 9, 32, 1e-5


@dataclass(frozen=True)
class OperationCase:
    """An operation, or several joined by ``|``, and the shapes of those tried that it takes."""

    pipeline: Pipeline
    shapes: tuple[Shape, ...]
    draws_each_image: bool

    def batches(self, count: int = _COUNT) -> Iterator[Tensor]:
        """uint8 images of each shape."""
        return (random_images(count, shape) for shape in self.shapes)


def check_operation(spec: object, *, shapes: Sequence[Shape] = SHAPES, draws_each_image: bool = True) -> None:
    """Holds an augmentation operation to everything that the training loop relies on.

    >>> check_operation("darken(0.2)")

    :param spec: of a registered operation, with arguments; several joined by ``|`` are tried as one.
    :param shapes: channels, height and width of the images to try; those that it refuses are left out.
    :param draws_each_image: whether each image of a batch must have draws of its own.
    :raises AssertionError: naming the first promise that is broken, and how.
    """
    run(operation_checks(spec, shapes=shapes, draws_each_image=draws_each_image))


def operation_checks(spec: object, *, shapes: Sequence[Shape] = SHAPES, draws_each_image: bool = True) -> list[Check]:
    """The checks of :func:`check_operation` one by one, for ``pytest.mark.parametrize``.

    :raises UsageError: when it takes none of the shapes.
    """
    made = pipeline(spec)
    fitting = tuple(shape for shape in shapes if _fits(made, shape))
    if not fitting:
        raise UsageError(f"augmentation {made.spec} takes images of none of the shapes {list(shapes)}; give others.")
    case = OperationCase(made, fitting, draws_each_image)
    return _suite.checks(f"augmentation {spec}", lambda: nullcontext(case))


_suite: Suite[OperationCase] = Suite()


@_suite.check
def images_stay_images(case: OperationCase) -> None:
    """Images stay as many and of their shape: bytes, or finite floats from 0 to 1."""
    for given in case.batches():
        for images in (given, _floats(given)):
            result, _ = _augmented(case.pipeline, images)
            require(result.shape == images.shape, f"Of {tuple(images.shape)} it made {tuple(result.shape)}.")
            types = (torch.float32, torch.uint8) if images.dtype == torch.uint8 else (torch.float32,)
            require(result.dtype in types, f"Of {images.dtype} it made {result.dtype}.")
            pixels = _floats(result)
            require(pixels.isfinite().all(), "Some values are not finite.")
            require(pixels.min() >= 0 and pixels.max() <= 1, f"Values go from {pixels.min():g} to {pixels.max():g}.")


@_suite.check
def what_is_given_is_left_alone(case: OperationCase) -> None:
    """Images and targets that are given are not written to."""
    for given in case.batches():
        for images in (given, _floats(given)):
            targets, before = random_targets(len(images)), images.clone()
            _augmented(case.pipeline, images, targets)
            require(torch.equal(images, before), "The images were changed in place; work on a copy.")
            require(_equal(targets, random_targets(len(images))), "The targets were changed in place.")


@_suite.check
def same_step_same_batch(case: OperationCase) -> None:
    """The same seed, epoch and step give the same batch, and global randomness is left alone."""
    for images in case.batches():
        state = torch.random.get_rng_state()
        first, first_targets = _augmented(case.pipeline, images)
        require(torch.equal(torch.random.get_rng_state(), state), "torch's global generator was drawn from.")
        torch.rand(3)
        second, second_targets = _augmented(case.pipeline, images)
        torch.random.set_rng_state(state)
        is_same = torch.equal(first, second) and _equal(first_targets, second_targets)
        require(is_same, "Done twice it gave two results; draw from the generator that is given, and keep no state.")


@_suite.check
def all_randomness_is_drawn(case: OperationCase) -> None:
    """What is random is drawn by draw(), as tensors on the processor and whole numbers; apply() draws nothing."""
    for images in case.batches():
        drawn = case.pipeline.draw(torch.Generator().manual_seed(0), _info(images))
        values = [(name, value) for group in drawn for name, value in group.items()]
        for name, value in values:
            is_plain = isinstance(value, int) or (isinstance(value, Tensor) and value.device.type == "cpu")
            require(is_plain, f"{name} is {type(value).__name__}.")
        first, second = (case.pipeline.apply(images, {}, drawn)[0] for _ in range(2))
        require(torch.equal(first, second), "The same draws, applied twice, gave two results.")


@_suite.check
def every_step_draws_anew(case: OperationCase) -> None:
    """An operation that draws gives another batch in another step, another epoch and with another seed."""
    images = random_images(_COPIES, case.shapes[-1])
    if not _draws(case, images):
        return
    usual = _augmented(case.pipeline, images)[0]
    others = {
        "seed": _augmented(case.pipeline, images, seed=7),
        "epoch": _augmented(case.pipeline, images, epoch=7),
        "step": _augmented(case.pipeline, images, step=7),
    }
    for word, (result, _) in others.items():
        require(not torch.equal(usual, result), f"With another {word} it gave the same batch.")


@_suite.check
def every_image_has_its_own_draws(case: OperationCase) -> None:
    """Each image of a batch has draws of its own."""
    images = random_images(1, case.shapes[-1]).repeat(_COPIES, 1, 1, 1)
    if case.pipeline.mixes or not case.draws_each_image or not _draws(case, images):
        return
    result, _ = _augmented(case.pipeline, images, ids=torch.zeros(_COPIES, dtype=torch.int64))
    require(
        (result != result[0]).any(),
        f"{_COPIES} copies of an image came out alike: draw for each of them, not once for the batch.",
    )


@_suite.check
def one_image_and_none(case: OperationCase) -> None:
    """A batch of one image, and an empty one, are batches."""
    for count in (1, 0):
        for images in case.batches(count):
            result, targets = _augmented(case.pipeline, images)
            is_whole = result.shape == images.shape and len(targets["label"]) == count
            require(is_whole, f"Of {count} images it made {len(result)}, with {len(targets['label'])} targets.")


@_suite.check
def p_of_zero_changes_nothing(case: OperationCase) -> None:
    """With p=0 no image is changed, and no target."""
    calls = [Call(step.bound.name, (), {**step.bound.arguments, "p": 0.0}) for step in case.pipeline.steps]
    never = pipeline(calls)
    for images in case.batches():
        result, targets = _augmented(never, images)
        most = (_floats(result) - _floats(images)).abs().max()
        require(most <= _CLOSE, f"Values changed by up to {most:g}.")
        require(_equal(targets, random_targets(len(images))), "Targets changed.")


@_suite.check
def targets_change_by_mixing_only(case: OperationCase) -> None:
    """Targets are blended by operations that say that they mix, stay distributions, and may be missing."""
    for images in case.batches():
        before = random_targets(len(images))
        _, after = _augmented(case.pipeline, images)
        require(after.keys() == before.keys(), f"Of the columns {list(before)} it made {list(after)}.")
        says = "it says that it mixes" if case.pipeline.mixes else "it does not say that it mixes"
        require(_equal(before, after) != case.pipeline.mixes, f"Whether targets changed is not what it says: {says}.")
        sums = after["label"].sum(1)
        require(torch.allclose(sums, torch.ones_like(sums)), "Rows of class probabilities no longer sum to 1.")
        require(_augmented(case.pipeline, images, {})[1] == {}, "Targets came out where none went in.")


@_suite.check
def bytes_and_floats_alike(case: OperationCase) -> None:
    """Bytes and the same values as floats are changed alike."""
    for images in case.batches():
        of_bytes, of_floats = (_floats(_augmented(case.pipeline, given)[0]) for given in (images, _floats(images)))
        most = (of_bytes - of_floats).abs().max()
        require(most <= _CLOSE, f"The results differ by up to {most:g}.")


@_suite.check
def threads_do_not_matter(case: OperationCase) -> None:
    """The result does not depend on the number of threads."""
    images, threads = random_images(64, case.shapes[-1]), torch.get_num_threads()
    results = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(_augmented(case.pipeline, images)[0])
    finally:
        torch.set_num_threads(threads)
    most = (_floats(results[0]) - _floats(results[1])).abs().max()
    # What computes with floats may add in another order on some processors: convolutions, products of matrices.
    allowed = 0 if results[0].dtype == torch.uint8 else 1e-6
    require(most <= allowed, f"With one thread and with two the results differ by up to {most:g}.")


@_suite.check
def canonical_text_means_the_same(case: OperationCase) -> None:
    """The canonical text, which a recipe keeps, means the same operation."""
    again = pipeline(case.pipeline.spec)
    require(again.spec == case.pipeline.spec, f"{case.pipeline.spec} reads back as {again.spec}.")
    for images in case.batches():
        first, second = (_augmented(each, images)[0] for each in (case.pipeline, again))
        require(torch.equal(first, second), f"{again.spec}, made anew, gave another batch.")


@_suite.check
def matrices_can_be_undone(case: OperationCase) -> None:
    """Matrices of a geometric operation are float64, count×3×3, finite, and can be undone."""
    for operation in (each for each in case.pipeline.operations if isinstance(each, GeometricOperation)):
        for images in case.batches(200):
            matrix = operation.matrices(torch.Generator().manual_seed(0), _info(images))
            is_right = matrix.shape == (len(images), 3, 3) and matrix.dtype == torch.float64
            require(is_right, f"They are {matrix.dtype} of shape {tuple(matrix.shape)}.")
            require(matrix.isfinite().all(), "Some are not finite.")
            least = torch.linalg.det(matrix).abs().min()
            require(least > 1e-3, f"One takes the whole image to a line: its determinant is {least:g}.")


def random_images(count: int, shape: Shape) -> Tensor:
    """uint8 noise, the same at every call."""
    return torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(4), dtype=torch.uint8)


def random_targets(count: int) -> dict[str, Tensor]:
    """A column of five classes as one-hot rows, and one of numbers; the same at every call."""
    places = torch.arange(count)
    return {"label": torch.eye(5)[places % 5], "height": places.float()[:, None]}


def _augmented(
    made: Pipeline,
    images: Tensor,
    targets: SoftTargets | None = None,
    *,
    seed: int = 1,
    epoch: int = 2,
    step: int = 3,
    ids: Tensor | None = None,
) -> tuple[Tensor, SoftTargets]:
    given = random_targets(len(images)) if targets is None else targets
    ids = torch.arange(len(images)) if ids is None else ids
    return made(images, given, seed=seed, epoch=epoch, step=step, ids=ids)


def _draws(case: OperationCase, images: Tensor) -> bool:
    """Whether its result is a matter of chance: copies of one image come out unlike, or seeds matter.

    One that goes by the ids and the epoch alone does not draw.
    """
    ids = torch.zeros(len(images), dtype=torch.int64)
    copies = images[:1].expand_as(images)
    result = _augmented(case.pipeline, copies, ids=ids)[0]
    first, second = (_augmented(case.pipeline, images, seed=seed)[0] for seed in (1, 7))
    return bool((result != result[:1]).any()) or not torch.equal(first, second)


def _info(images: Tensor) -> Info:
    count, channels, height, width = images.shape
    return Info(count, (channels, height, width), 0, torch.arange(count))


def _fits(made: Pipeline, shape: Shape) -> bool:
    try:
        made.check(shape, soft_targets=True)
    except SpecError:
        return False
    return True


def _floats(images: Tensor) -> Tensor:
    return images.float() / 255 if images.dtype == torch.uint8 else images


def _equal(first: SoftTargets, second: SoftTargets) -> bool:
    return first.keys() == second.keys() and all(torch.equal(rows, second[name]) for name, rows in first.items())
