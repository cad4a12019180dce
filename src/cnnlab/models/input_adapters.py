"""What brings pictures of any size and colour to what a network of another origin takes."""

from typing import Annotated, Literal, TypeAlias

from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.core.arguments import Count
from cnnlab.models.shapes import Shape

SMALLEST = 64
"""Pictures with a side below this are enlarged, so that a network that halves five times still sees 2×2 places."""

Size: TypeAlias = Literal["auto", "native"] | Annotated[int, *Count.__metadata__]
"""The side to which pictures are brought: a number, that of the original training, or only what is needed."""
Grey: TypeAlias = Literal["repeat", "sum"]
"""How a grey picture enters: as three equal channels, or by a first layer whose weights are summed over colours."""


class Resize(nn.Module):
    """Bilinear resizing, antialiased where it shrinks."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, input: Tensor) -> Tensor:
        """N×C×H×W to N×C×height×width."""
        if tuple(input.shape[2:]) == (self.height, self.width):
            return input
        size = (self.height, self.width)
        return F.interpolate(input, size, mode="bilinear", align_corners=False, antialias=True)

    def extra_repr(self) -> str:
        """The size, for printing."""
        return f"{self.height}×{self.width}"


class GreyToColour(nn.Module):
    """One channel repeated as three."""

    def forward(self, input: Tensor) -> Tensor:
        """N×1×H×W to N×3×H×W."""
        return input.expand(-1, 3, -1, -1)


def adapters(shape: Shape, size: Size, native: int, is_fixed: bool, grey: Grey) -> list[tuple[str, nn.Module]]:
    """The named modules that stand before the network; none where pictures fit as they are.

    :param native: the side of the pictures that the network was made for.
    :param is_fixed: whether it takes no other.
    """
    height, width = target(shape, size, native, is_fixed)
    needed: list[tuple[str, nn.Module]] = []
    if (height, width) != tuple(shape[1:]):
        needed.append(("resize", Resize(height, width)))
    if shape[0] == 1 and grey == "repeat":
        needed.append(("colour", GreyToColour()))
    return needed


def target(shape: Shape, size: Size, native: int, is_fixed: bool) -> tuple[int, int]:
    """Height and width of the pictures as the network sees them; ``auto`` keeps their proportions."""
    if size == "native" or (size == "auto" and is_fixed):
        return native, native
    if isinstance(size, int):
        return size, size
    height, width = shape[1:]
    factor = max(1.0, SMALLEST / min(height, width))
    return round(height * factor), round(width * factor)


def channels_seen(shape: Shape, grey: Grey) -> int:
    """How many channels the network's first layer has."""
    return 3 if shape[0] == 1 and grey == "repeat" else shape[0]
