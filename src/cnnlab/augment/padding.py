"""What lies outside a picture when a geometric operation asks for it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from cnnlab.augment.errors import OperationError
from cnnlab.core.arguments import Fraction
from cnnlab.core.errors import SpecError
from cnnlab.core.registry import Registry
from cnnlab.core.spec import Call

FillSpec: TypeAlias = Literal["reflect", "edge"] | Call
"""As a spec writes it: reflect, edge or constant(value)."""


@dataclass(frozen=True)
class Fill:
    """A rule for the places outside a picture.

    ``reflect`` mirrors it at its outer edge, so the border pixel comes twice (d c b a | a b c d | d c b a);
    ``edge`` repeats the border pixel; ``constant`` is one value in [0, 1] for every channel; ``wrap`` goes on at
    the opposite side.
    """

    mode: Literal["reflect", "edge", "constant", "wrap"]
    value: float = 0.0

    def places(self, index: Tensor, size: int) -> Tensor:
        """Whole-number places along an axis of ``size`` pixels, brought inside it."""
        if self.mode == "wrap":
            return index.remainder(size)
        if self.mode == "reflect":
            turned = index.remainder(2 * size)
            return torch.minimum(turned, 2 * size - 1 - turned)
        return index.clamp(0, size - 1)


REFLECT = Fill("reflect")
WRAP = Fill("wrap")

fills: Registry[Fill] = Registry("fill")


@fills.register("reflect")
def _reflect() -> Fill:
    """The picture mirrored at its outer edge."""
    return REFLECT


@fills.register("edge")
def _edge() -> Fill:
    """The border pixel repeated."""
    return Fill("edge")


@fills.register("constant")
def _constant(value: Fraction = 0.0) -> Fill:
    """One value from 0 (black) to 1 for every channel."""
    return Fill("constant", value)


def checked(fill: FillSpec) -> Fill:
    """The rule that a spec names.

    :raises Misfit: when there is none of that name, or its value is out of range.
    """
    try:
        return fills.bind(fill).build()
    except SpecError as error:
        raise OperationError(error.reason, "fill") from error
