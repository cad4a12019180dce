"""Shapes of what flows through a network, and the arithmetic of sliding windows. Shapes leave out the batch axis."""

from typing import Any, TypeAlias

Shape: TypeAlias = tuple[int, ...]
"""Channels, height and width of a feature map, or the one length of a flat vector."""
HeightWidth: TypeAlias = tuple[int, int]
"""Along the height and along the width."""


def format_shape(shape: Shape) -> str:
    """The shape for a person, such as ``64×14×14``."""
    return "×".join(map(str, shape))


def pair(value: Any) -> HeightWidth:
    """One number for both axes, or one for each."""
    height, width = (value, value) if isinstance(value, int) else value
    return height, width


def reach(kernel: int, dilation: int = 1) -> int:
    """How many pixels a window spans along one axis: a dilated kernel spans more than it reads."""
    return dilation * (kernel - 1) + 1


def windows(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, ceil: bool = False) -> int:
    """How many positions a window takes along one axis; below 1 it does not fit.

    floor((size + padding - reach) / stride) + 1, where ``padding`` is the sum of both sides. With ``ceil`` the
    division rounds up, and a last window that would lie wholly in the padding after the picture is dropped, as
    PyTorch does.
    """
    room = size + padding - reach(kernel, dilation)
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    starts_outside = (count - 1) * stride >= size + padding // 2
    return count - 1 if starts_outside else count
