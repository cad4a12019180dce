"""The kernels of a convolution, as they are: in the first layer pictures, further in slices of channels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.number_text import counted
from cnnlab.core.sinks import in_short
from cnnlab.explain.activation_maps import Activations, activations, chosen_channels
from cnnlab.explain.opened import Model, Opened, floats, opened
from cnnlab.models import Classifier, Predictable


@dataclass(frozen=True, eq=False)
class Filters:
    """The kernels of a convolution.

    :param model: what it is called.
    :param layer: by its name in the summary.
    :param kernels: float32, filters×inputs×height×width; what a filter reads of channels of its own group where the
        convolution has groups.
    :param numbers: of the filters among those of the layer; ``count`` how many it has.
    :param biases: of each filter; None where it has none.
    :param is_colour: whether what it reads are the red, green and blue of the picture.
    :param reads_pixels: whether what it reads are the channels of the picture, normalised.
    """

    model: str
    layer: str
    kernels: NDArray[np.float32]
    numbers: NDArray[np.int64]
    count: int
    biases: NDArray[np.float32] | None
    is_colour: bool
    reads_pixels: bool
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.kernels)

    @property
    def limit(self) -> float:
        """The largest magnitude of all weights: the end of a scale that is symmetric about 0; 1 where all are 0."""
        finite = self.kernels[np.isfinite(self.kernels)]
        return float(np.abs(finite).max(initial=0)) or 1.0

    def in_colour(self) -> NDArray[np.float32]:
        """Kernels of three colours as pictures in [0, 1], filters×height×width×3: grey is 0, white the limit in all.

        :raises UsageError: where it does not read colours.
        """
        if not self.is_colour:
            raise UsageError(f"{self.layer} of {self.model} does not read the colours of a picture.")
        shown = 0.5 + self.kernels.transpose(0, 2, 3, 1) / (2 * self.limit)
        return np.asarray(np.nan_to_num(shown, nan=0.5).clip(0, 1), dtype=np.float32)

    def patterns(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The one spatial pattern that says most of each filter, filters×height×width, and how much that is, filters.

        A kernel is a matrix of inputs by places; the pattern is its first right singular vector times its singular
        value, with the sign by which the inputs are weighed positively in sum. The second result is the share of the
        sum of squares that it stands for: 1 where all inputs are read alike but for a factor.
        """
        shape = (len(self), self.kernels.shape[1], -1)
        left, values, right = np.linalg.svd(np.nan_to_num(self.kernels).reshape(shape), full_matrices=False)
        signs = np.where(left[:, :, 0].sum(1) < 0, -1, 1)
        found = right[:, 0] * (values[:, 0] * signs)[:, None]
        total = np.square(values).sum(1)
        shares = np.divide(np.square(values[:, 0]), total, out=np.ones_like(total), where=total > 0)
        return found.reshape(len(self), *self.kernels.shape[2:]).astype(np.float32), shares.astype(np.float32)

    def strongest_inputs(self, most: int) -> NDArray[np.int64]:
        """The inputs that these filters weigh most, by the sum of squares, in their order."""
        strength = np.square(np.nan_to_num(self.kernels)).sum((0, 2, 3))
        return np.sort(np.argsort(-strength, kind="stable")[:most])

    def __repr__(self) -> str:
        size = "×".join(map(str, self.kernels.shape[1:]))
        return f"Filters({len(self)} of {self.layer} of {self.model}, each {size})"


def filters(
    model: Model, layer: str | None = None, numbers: Sequence[int] | int | None = None, *, device: str | None = None
) -> Filters:
    """The kernels of a convolution, as they were learned.

    :param model: a run, a model by itself, or the name of either, as :func:`cnnlab.open_model` takes it.
    :param layer: a convolution by its name in the summary; the first unless given.
    :param numbers: of filters; all of them unless given.
    :raises UsageError: when there is no such layer or filter, or it is no convolution, listing what there is.
    """
    subject = opened(model, device=device)
    name, module = convolution(subject.model, layer)
    weight = floats(module.weight)
    if isinstance(module, nn.ConvTranspose2d):
        # Inputs×filters of a group, a group after another, to filters×inputs of a group.
        weight = weight.reshape(module.groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)
    chosen = chosen_channels(numbers, len(weight), f"{name} of {subject.name}", "filter")
    reads_pixels = _reads_pixels(subject.model, module)
    return Filters(
        model=subject.name,
        layer=name,
        kernels=weight.numpy()[chosen].copy(),
        numbers=np.array(chosen, dtype=np.int64),
        count=len(weight),
        biases=None if module.bias is None else floats(module.bias).numpy()[chosen].copy(),
        is_colour=reads_pixels and weight.shape[1] == 3,
        reads_pixels=reads_pixels,
        notes=tuple(_notes(subject, module, reads_pixels)),
    )


def filter_responses(
    model: Model,
    images: Any,
    layer: str | None = None,
    numbers: Sequence[int] | int | None = None,
    *,
    device: str | None = None,
) -> Activations:
    """What each filter of a convolution makes of pictures: its maps before any activation, signed.

    Arguments as of :func:`filters`, and pictures as of :func:`~cnnlab.explain.activation_maps.activations`.

    :raises UsageError: as these do.
    """
    subject = opened(model, device=device)
    name, _ = convolution(subject.model, layer)
    shown = activations(subject.model, images, name, numbers, device=device)
    return replace(shown, model=subject.name)


def convolutions(model: Predictable) -> dict[str, nn.Module]:
    """The two-dimensional convolutions of a model by their names in the summary, in the order of its modules."""
    whole = getattr(model, "network", model)
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    return {name or "network": module for name, module in whole.named_modules() if isinstance(module, kinds)}


def convolution(model: Predictable, layer: str | None) -> tuple[str, Any]:
    """A convolution of a model by its name, or the first.

    :raises UsageError: listing those there are.
    """
    there = convolutions(model)
    if not there:
        raise UsageError("the network has no convolution, and so no filters to be seen.")
    if layer is None:
        return next(iter(there.items()))
    if layer not in there:
        raise UsageError(f"the network has no convolution {in_short(layer)}. {suggestion(layer, there)}")
    return layer, there[layer]


def _reads_pixels(model: Predictable, module: nn.Module) -> bool:
    """Whether a convolution comes first: what it reads are the channels of the picture, or copies of a grey one."""
    first = (
        next((each for each in part.network.modules() if each._parameters), None)
        for part in model.modules()
        if isinstance(part, Classifier)
    )
    return any(each is module for each in first) and module.in_channels in (model.shape[0], 3)


def _notes(subject: Opened, module: Any, reads_pixels: bool) -> list[str]:
    notes = []
    if module.groups > 1:
        notes.append(f"each filter reads one of {counted(module.groups, 'group')} of inputs")
    owner = next((part for part in subject.model.modules() if isinstance(part, Classifier)), None)
    if reads_pixels and owner is not None:
        if owner.permutation is not None:
            notes.append(
                "pixels are permuted before the network, so that neighbours in a kernel are none in the picture"
            )
        if owner.shape[0] == 1 and module.in_channels == 3:
            notes.append("grey pictures are given to all three colours alike")
    return notes
