"""Policies: for each picture, operations drawn from a menu of fourteen, each with its strength."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

import torch
from torch import Generator, Tensor

from cnnlab.augment import colours, effects, matrices
from cnnlab.augment.catalogue import augmentations
from cnnlab.augment.operation import Info, Parameters, PixelOperation, Shape
from cnnlab.augment.padding import Fill, FillSpec, checked, fills
from cnnlab.augment.resampling import resample
from cnnlab.augment.sampling import integers, signs
from cnnlab.core.arguments import Range

LEVELS = 30
"""Strengths are whole numbers from 0 to this."""


@dataclass(frozen=True)
class Amounts:
    """The amount of an operation at level 0 and at the highest, and whether its sign is drawn."""

    low: float = 0.0
    high: float = 0.0
    is_signed: bool = False


Drawn: TypeAlias = Mapping[str, tuple[Tensor, Tensor]]
"""By the name of an operation: the positions of the pictures that drew it, and the amounts that they drew."""


def _slope(across: Tensor, down: Tensor) -> Tensor:
    return matrices.shear(across.atan().rad2deg(), down.atan().rad2deg())


GEOMETRIC: dict[str, Callable[[Tensor], Tensor]] = {
    "shear-x": lambda amount: _slope(amount, 0 * amount),
    "shear-y": lambda amount: _slope(0 * amount, amount),
    "translate-x": lambda amount: matrices.translation(amount, 0 * amount),
    "translate-y": lambda amount: matrices.translation(0 * amount, amount),
    "rotate": matrices.rotation,
}
COLOUR: dict[str, Callable[[Tensor, int], Tensor]] = {
    "brightness": lambda amount, channels: colours.brightness(1 + amount, channels),
    "saturation": lambda amount, channels: colours.saturation(1 + amount, channels),
    "contrast": lambda amount, channels: colours.contrast(1 + amount, channels),
}
PIXELS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sharpness": lambda images, amount: effects.sharpen_(images, 1 + amount),
    "posterize": lambda images, amount: effects.posterize(images, amount.round().int()),
    "solarize": effects.solarize,
    "autocontrast": lambda images, amount: effects.stretch_contrast_(images),
    "equalize": lambda images, amount: effects.equalize(images),
}
MENU = ("identity", *GEOMETRIC, *COLOUR, *PIXELS)
"""What both policies choose from, each as likely."""


@dataclass(frozen=True)
class Policy(PixelOperation, ABC):
    """Rounds in each of which every picture undergoes one operation of the menu.

    :param fill: what is outside a picture that is moved: ``reflect``, ``edge`` or ``constant(value)``.
    """

    fill: FillSpec = field(default="reflect", kw_only=True)

    @property
    @abstractmethod
    def rounds(self) -> int:
        """How many operations each picture undergoes."""

    @abstractmethod
    def amounts(self, shape: Shape) -> Mapping[str, Amounts]:
        """How far each operation of the menu goes; those not named have no amount."""

    @abstractmethod
    def levels(self, generator: Generator, count: int) -> Tensor:
        """Strengths from 0 to :data:`LEVELS`."""

    def validate(self) -> None:
        """The fill must be one there is."""
        checked(self.fill)

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """For each round: who is changed in which way, and how far."""
        parameters: Parameters = {}
        for number in range(self.rounds):
            drawn = _together(self._choices(generator, info), info.shape[0])
            parameters.update({f"{number} {name}": tensor for name, tensor in drawn.items()})
        return parameters

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Round by round: all that are moved in one resampling, all linear changes of colour in one pass."""
        for number in range(self.rounds):
            _change(images, {name: parameters[f"{number} {name}"] for name in _NAMES}, fills.bind(self.fill).build())
        return images

    def _choices(self, generator: Generator, info: Info) -> Drawn:
        choice = integers(generator, 0, len(MENU) - 1, info.count)
        share = self.levels(generator, info.count) / LEVELS
        sign = signs(generator, 0.5, info.count)
        amounts, drawn = self.amounts(info.shape), {}
        for number, name in enumerate(MENU):
            who, of = (choice == number).nonzero().squeeze(1), amounts.get(name, Amounts())
            amount = of.low + (of.high - of.low) * share[who]
            drawn[name] = who, amount * sign[who] if of.is_signed else amount
        return drawn


@augmentations.register("trivial")
@dataclass(frozen=True)
class Trivial(Policy):
    """TrivialAugment, wide: one operation of fourteen for each picture, at a strength of 31, all as likely.

    Source: S. Müller and F. Hutter, "TrivialAugment: tuning-free yet state-of-the-art data augmentation", 2021,
    table 1 (wide). Slanting is about the centre of the picture, not its corner.
    """

    rounds = 1

    def amounts(self, shape: Shape) -> Mapping[str, Amounts]:
        """Those of the paper; translations are in pixels, whatever the size."""
        return _amounts(slope=0.99, across=32, down=32, degrees=135, factor=0.99, bits=2)

    def levels(self, generator: Generator, count: int) -> Tensor:
        """Evenly."""
        return integers(generator, 0, LEVELS, count)


@augmentations.register("randaugment")
@dataclass(frozen=True)
class RandAugment(Policy):
    """RandAugment: ``n`` operations of fourteen for each picture, all at strength ``m`` of 30.

    Source: E. Cubuk, B. Zoph, J. Shlens and Q. Le, "RandAugment: practical automated data augmentation with a
    reduced search space", 2020, with the ranges that torchvision took from its code. Slanting is about the centre of
    the picture, not its corner.
    """

    n: Annotated[int, Range(1, 100)] = 2
    m: Annotated[int, Range(0, LEVELS)] = 9

    @property
    def rounds(self) -> int:
        """``n``."""
        return self.n

    def amounts(self, shape: Shape) -> Mapping[str, Amounts]:
        """Those of the paper; translations are a share of the size."""
        _, height, width = shape
        share = 150 / 331
        return _amounts(slope=0.3, across=share * width, down=share * height, degrees=30, factor=0.9, bits=4)

    def levels(self, generator: Generator, count: int) -> Tensor:
        """The same for all."""
        return torch.full((count,), float(self.m))


_NAMES = ("geometric", "matrix", "colour", "recolouring", *PIXELS, *(f"{name} amount" for name in PIXELS))


def _amounts(
    *, slope: float, across: float, down: float, degrees: float, factor: float, bits: int
) -> Mapping[str, Amounts]:
    signed = {"shear-x": slope, "shear-y": slope, "translate-x": across, "translate-y": down, "rotate": degrees}
    signed |= dict.fromkeys((*COLOUR, "sharpness"), factor)
    amounts = {name: Amounts(0, most, is_signed=True) for name, most in signed.items()}
    return amounts | {"posterize": Amounts(8, bits), "solarize": Amounts(1, 0)}


def _together(drawn: Drawn, channels: int) -> dict[str, Tensor]:
    """The parameters of one round, with what the operations of a family drew put in one."""
    plane, colour = [drawn[name] for name in GEOMETRIC], [drawn[name] for name in COLOUR]
    moves = [make(amount) for make, (_, amount) in zip(GEOMETRIC.values(), plane, strict=True)]
    tints = [make(amount, channels) for make, (_, amount) in zip(COLOUR.values(), colour, strict=True)]
    together = {
        "geometric": torch.cat([who for who, _ in plane]),
        "matrix": torch.cat(moves)[:, :2].float(),
        "colour": torch.cat([who for who, _ in colour]),
        "recolouring": torch.cat(tints).float(),
    }
    for name in PIXELS:
        together[name], together[f"{name} amount"] = drawn[name]
    return together


def _change(images: Tensor, drawn: Mapping[str, Tensor], fill: Fill) -> None:
    """One round, in place; each picture is in one group at most, so their order is of no matter."""
    moved, tinted = drawn["geometric"], drawn["colour"]
    if len(moved):
        images.index_copy_(0, moved, resample(images.index_select(0, moved), drawn["matrix"], fill))
    tints = colours.recolour_(
        images.index_select(0, tinted), drawn["recolouring"], blends_channels=True, uses_mean=True
    )
    images.index_copy_(0, tinted, tints)
    for name, change in PIXELS.items():
        who = drawn[name]
        if len(who):
            images.index_copy_(0, who, change(images.index_select(0, who), drawn[f"{name} amount"]).clamp_(0, 1))
