"""Activation maximisation: pictures that a channel of a layer, or a class, answers to most strongly.

A picture is changed along the gradient of what is to be maximised (Erhan et al. 2009), all pictures of a batch at once.
What makes the result legible is to change it as pictures differ (Olah et al. 2017, "Feature Visualization"), to shift
it at each step, to blur it, and to hold its total variation down (Mahendran and Vedaldi 2016).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core import seeds
from cnnlab.core.errors import UsageError
from cnnlab.core.machine import free_memory
from cnnlab.core.messages import announcing, first_few, track
from cnnlab.core.number_text import counted
from cnnlab.explain.maximized_units import Units, units_of
from cnnlab.explain.opened import Model, floats, of_weights, opened
from cnnlab.explain.parametrizations import Parametrization, Pixels, Waves
from cnnlab.models import Predictable, require_gradient

Kind: TypeAlias = Literal["fourier", "pixels"]
_KINDS: dict[str, type[Parametrization]] = {"fourier": Waves, "pixels": Pixels}
_MOMENTS = (0.9, 0.999)
_EPSILON = 1e-8
_TINY = 1e-20
"""Of a gradient by the pixels: none."""
_FLAT = 1e-4
"""Where neighbours differ by less than the root of it, total variation is as good as smooth."""
_STRONGEST = 30
_MOST_ROWS, _SHARE_OF_MEMORY = 64, 4
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Ascent:
    """How a picture is changed, step by step.

    :param kind: what stands for a picture: ``fourier`` or ``pixels``.
    :param steps: of the gradient.
    :param rate: of Adam, by which numbers of deviation 0.1 at the start are changed at each step.
    :param jitter: pixels by which the picture is shifted at most, along either axis and round its edges, anew at each
        step; None for a sixteenth of its shorter side.
    :param blur: deviation in pixels of the blur after each step.
    :param variation: what the total variation counts, beside a gradient of the score whose root mean square is 1.
    :param seed: of the noise that pictures start from, and of the shifts.
    """

    kind: Kind = "fourier"
    steps: int = 256
    rate: float = 0.05
    jitter: int | None = None
    blur: float = 0.0
    variation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise UsageError(f"kind is {' or '.join(_KINDS)}; got {self.kind!r}.")
        if self.steps < 1 or self.rate <= 0:
            raise UsageError(f"steps is at least 1 and rate above 0; got steps={self.steps} and rate={self.rate:g}.")
        if min(self.jitter or 0, self.blur, self.variation) < 0:
            raise UsageError("jitter, blur and variation are at least 0.")

    def __str__(self) -> str:
        parts = [f"{self.steps} steps", "Fourier parametrisation" if self.kind == "fourier" else "pixels themselves"]
        parts += [f"jitter of {counted(self.jitter, 'pixel')}"] if self.jitter else []
        parts += [f"blur of {self.blur:g} pixels"] if self.blur else []
        parts += [f"total variation × {self.variation:g}"] if self.variation else []
        return ", ".join([*parts, f"seed {self.seed}"])


@dataclass(frozen=True, eq=False)
class Maximized:
    """Pictures that units answer to most strongly.

    :param model: what it is called.
    :param layer: by its name in the summary; None where the units are outputs of the model.
    :param units: their numbers, U; ``names`` what they are called.
    :param images: float32 in [0, 1], U×C×H×W: pixels as the model takes them.
    :param scores: what each unit gives for its picture, U; ``starts`` what it gave for the noise at the start.
    :param ascent: how they were made.
    """

    model: str
    layer: str | None
    units: NDArray[np.int64]
    names: tuple[str, ...]
    images: NDArray[np.float32]
    scores: NDArray[np.float32]
    starts: NDArray[np.float32]
    ascent: Ascent
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"Maximized({len(self)} of {self.layer or 'the outputs'} of {self.model}, {self.ascent})"


def maximize(
    model: Model,
    layer: str | None = None,
    units: Sequence[int | str] | int | str | None = None,
    *,
    kind: Kind = "fourier",
    steps: int = 256,
    rate: float = 0.05,
    jitter: int | None = None,
    blur: float = 0.0,
    variation: float = 0.0,
    seed: int = 0,
    device: str | None = None,
) -> Maximized:
    """Pictures that channels of a layer, or classes, answer to most strongly, made from noise by gradient ascent.

    What is maximised is the mean of a channel over its map, or the raw output of a class. All pictures are changed in
    one batch, or in several where memory is short, and each by itself: the picture of a channel is the same, but for
    roundings, whichever others are made with it. What comes after the layer is not computed. The model is left as it
    was found.

    :param model: a run, a model by itself, or the name of either, as :func:`cnnlab.open_model` takes it.
    :param layer: its name in the summary, such as ``conv4``; None for the outputs of the model.
    :param units: numbers of channels, or numbers or names of classes, ``column=class`` where there are several heads;
        all of them unless given.
    :param kind: ``fourier`` changes waves, broad ones more than fine ones, and colours as photographs differ in them;
        ``pixels`` each pixel by itself.
    :param jitter, blur, variation: and the rest as of :class:`Ascent`.
    :param device: another device than the model's own.
    :raises UsageError: for a layer, unit or option that cannot be meant, listing what there is; for a model without a
        gradient.
    """
    subject = opened(model, device=device)
    require_gradient(subject.model, "maximisation goes by the gradient")
    jitter = max(1, min(subject.model.shape[1:]) // 16) if jitter is None else jitter
    ascent = Ascent(kind, steps, rate, jitter, blur, variation, seed)
    with subject.looking() as placed, announcing(f"maximising {layer or 'the outputs'} of {subject.name}"):
        there = units_of(placed, layer)
        numbers = there.chosen(units, f"the layer {layer}" if layer else f"the output of {subject.name}")
        climber = _Climber(placed, there, ascent)
        most = rows_at_once(there.numbers, climber.device)
        rounds = [numbers[start : start + most] for start in range(0, len(numbers), most)]
        total = len(rounds) * ascent.steps
        ticks = track(range(total), f"maximising {layer or 'the outputs'}", total)
        parts = [climber.climb(each, ticks) for each in rounds]
        # The bar ends.
        next(ticks, None)
    images, scores, starts = (torch.cat(each).numpy() for each in zip(*parts, strict=True))
    names = tuple(there.names[number] for number in numbers)
    result = Maximized(subject.name, layer, np.array(numbers), names, images, scores, starts, ascent, there.notes)
    return replace(result, notes=(*there.notes, *_silent(result)))


class _Climber:
    """Changes pictures along the gradient of what units give for them."""

    def __init__(self, model: Predictable, units: Units, ascent: Ascent) -> None:
        self.model, self.units, self.ascent = model, units, ascent
        self.of_weights = of_weights(model)
        self.device = self.of_weights.device
        self.made_of = _KINDS[ascent.kind](model.shape, self.device)
        order = getattr(model, "permutation", None)
        # Neighbours are those of the picture that the network sees.
        self._back = None if order is None else order.argsort()

    def climb(self, numbers: Sequence[int], ticks: Iterator[Any]) -> tuple[Tensor, Tensor, Tensor]:
        """The pictures of these units, what they give for them, and what they gave at the start.

        :param ticks: one is taken for each step.
        """
        which = torch.tensor(numbers, device=self.device)
        current = torch.stack([self._drawn(number, 0) for number in numbers])
        moments = torch.zeros_like(current), torch.zeros_like(current)
        starts = self._score(current, which)
        for step, _ in zip(range(self.ascent.steps), ticks, strict=False):
            gradient, is_silent = self._gradient(current, which, step)
            current = _adam(current, gradient, moments, self.ascent.rate, step + 1)
            if self.ascent.blur:
                current = self.made_of.blurred(current, self.ascent.blur)
            for row in is_silent.nonzero().flatten().tolist():
                current[row] = self._drawn(numbers[row], step + 1)
        return floats(self._pixels(self.made_of.pictures(current))), self._score(current, which), starts

    def _drawn(self, number: int, step: int) -> Tensor:
        """The numbers that the picture of a unit starts from, stronger the longer nothing has come of it."""
        generator = seeds.generator(self.ascent.seed, "maximize", number, step)
        return self.made_of.drawn(generator).to(self.device) * (1 + min(step, _STRONGEST))

    def _gradient(self, current: Tensor, which: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Of the numbers, uphill, and for which pictures there is none."""
        numbers = current.detach().requires_grad_()
        pictures = self.made_of.pictures(numbers)
        leaf = pictures.detach().requires_grad_()
        shifted = leaf.roll(self._shift(step), (2, 3))
        (slope,) = torch.autograd.grad(self.units.measure(self._pixels(shifted), which).sum(), leaf)
        size = slope.square().mean((1, 2, 3), keepdim=True).sqrt()
        uphill = slope / size.clamp(min=_TINY)
        if self.ascent.variation:
            uphill = uphill - self.ascent.variation * _variation_slope(pictures.detach())
        (gradient,) = torch.autograd.grad(pictures, numbers, uphill)
        return gradient, size.flatten() < _TINY

    def _shift(self, step: int) -> tuple[int, int]:
        """The same for all pictures, so that what others are made with one changes nothing."""
        most = self.ascent.jitter or 0
        generator = seeds.generator(self.ascent.seed, "jitter", step)
        down, right = torch.randint(-most, most + 1, (2,), generator=generator).tolist()
        return down, right

    def _pixels(self, pictures: Tensor) -> Tensor:
        """Pixels as the model takes them, of pictures as its network sees them."""
        if self._back is not None:
            pictures = pictures.flatten(2).index_select(2, self._back).reshape(pictures.shape)
        return pictures.to(self.of_weights.dtype).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def _score(self, current: Tensor, which: Tensor) -> Tensor:
        return floats(self.units.measure(self._pixels(self.made_of.pictures(current)), which))


def _adam(current: Tensor, gradient: Tensor, moments: tuple[Tensor, Tensor], rate: float, step: int) -> Tensor:
    """A step uphill (Kingma and Ba 2015), each number by itself."""
    for moment, share, value in zip(moments, _MOMENTS, (gradient, gradient.square()), strict=True):
        moment.lerp_(value, 1 - share)
    first, second = (moment / (1 - share**step) for moment, share in zip(moments, _MOMENTS, strict=True))
    return current + rate * first / (second.sqrt() + _EPSILON)


@torch.enable_grad()
def _variation_slope(pictures: Tensor) -> Tensor:
    """The gradient of the total variation, round the edges, of pictures N×C×H×W."""
    leaf = pictures.requires_grad_()
    squares = (leaf.roll(-1, 2) - leaf).square() + (leaf.roll(-1, 3) - leaf).square()
    (slope,) = torch.autograd.grad((squares + _FLAT).sqrt().sum(), leaf)
    return slope


def rows_at_once(numbers: int, device: torch.device) -> int:
    """How many pictures are changed at once, by the memory that is free.

    :param numbers: that layers put out for one picture; as many are kept for the gradient, and the gradient of each.
    """
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
    room = min(free // _SHARE_OF_MEMORY, _MOST_BYTES)
    return max(1, min(_MOST_ROWS, room // max(1, 2 * 4 * numbers)))


def _silent(result: Maximized) -> list[str]:
    """A sentence about units for which nothing was found."""
    is_silent = result.scores <= result.starts
    if not is_silent.any():
        return []
    names = first_few([name for name, silent in zip(result.names, is_silent, strict=True) if silent])
    return [f"nothing was found that raises {names} above the noise at the start"]
