"""Matrices of the plane, as pure functions: n×3×3, float64, from places of the result to places of the source.

Coordinates are in pixels from the centre of the picture, x to the right and y down. That a matrix goes backwards
makes a pipeline's product read in the order of the pipeline: first @ second @ third.
"""

from functools import lru_cache

import torch
from torch import Tensor


def affine(xx: Tensor | int, xy: Tensor | int, x: Tensor | int, *rest: Tensor | int, count: int) -> Tensor:
    """Matrices with the rows (xx, xy, x), (yx, yy, y) and (0, 0, 1); each entry is 0, 1 or n numbers.

    In memory the n numbers of an entry lie together, which makes both this and :func:`product` quicker.
    """
    whole, entries = _whole_numbers(count), (xx, xy, x, *rest, 0, 0, 1)
    columns = [entry.double() if isinstance(entry, Tensor) else whole[entry] for entry in entries]
    return torch.stack(columns).view(3, 3, count).permute(2, 0, 1)


def product(first: Tensor, second: Tensor) -> Tensor:
    """first @ second of n small matrices each, for which torch's own product of a batch is slow."""
    a, b = first.permute(1, 2, 0), second.permute(1, 2, 0)
    return (a[:, :, None] * b).sum(1).permute(2, 0, 1)


def rotation(degrees: Tensor) -> Tensor:
    """Turns the picture counter-clockwise about its centre."""
    angle = degrees.double().deg2rad()
    cos, sin = angle.cos(), angle.sin()
    return affine(cos, -sin, 0, sin, cos, 0, count=len(angle))


def quarter_turns(turns: Tensor) -> Tensor:
    """Turns the picture counter-clockwise by whole right angles, exactly."""
    cos = torch.tensor([1.0, 0, -1, 0])[turns]
    sin = torch.tensor([0.0, 1, 0, -1])[turns]
    return affine(cos, -sin, 0, sin, cos, 0, count=len(turns))


def translation(x: Tensor, y: Tensor) -> Tensor:
    """Moves the picture to the right by x pixels and down by y."""
    return affine(1, 0, -x, 0, 1, -y, count=len(x))


def scaling(x: Tensor, y: Tensor) -> Tensor:
    """Magnifies the picture about its centre, x times across and y times down; -1 mirrors."""
    across = x.reciprocal()
    return affine(across, 0, 0, 0, across if y is x else y.reciprocal(), 0, count=len(x))


def shear(x_degrees: Tensor, y_degrees: Tensor | None = None) -> Tensor:
    """Slants the picture: its top to the right by one angle, then its left side down by the other, if there is one."""
    x = x_degrees.double().deg2rad().tan()
    if y_degrees is None:
        return affine(1, x, 0, 0, 1, 0, count=len(x))
    y = y_degrees.double().deg2rad().tan()
    return affine(1 + x * y, x, 0, y, 1, 0, count=len(x))


def mirroring(x: Tensor | int, y: Tensor | int, count: int) -> Tensor:
    """Mirrors the picture left to right where x is -1, and upside down where y is; 1 leaves it."""
    return affine(x, 0, 0, 0, y, 0, count=count)


def window(width: Tensor, height: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Fills the frame with a part of the picture: its share of the width and height, and its centre in pixels."""
    return affine(width, 0, x, 0, height, y, count=len(x))


def onto_quadrilateral(corners: Tensor, width: float, height: float) -> Tensor:
    """Projects the picture so that its corner pixels land on the given places.

    :param corners: n×4×2, x and y of the top left, top right, bottom right and bottom left corner.
    :param width: pixels between the left and the right corners of the picture, likewise ``height``.

    Source: P. Heckbert, "Fundamentals of texture mapping and image warping", 1989, section 2.2.3 (square to
    quadrilateral), inverted.
    """
    a, b, c, d = corners.double().unbind(1)
    across, down, rest = b - c, d - c, a - b + c - d
    area = across[:, 0] * down[:, 1] - down[:, 0] * across[:, 1]
    g = ((rest[:, 0] * down[:, 1] - down[:, 0] * rest[:, 1]) / area)[:, None]
    h = ((across[:, 0] * rest[:, 1] - rest[:, 0] * across[:, 1]) / area)[:, None]
    unit = torch.stack([b - a + g * b, d - a + h * d, a], 2)
    last = torch.cat([g, h, torch.ones_like(g)], 1)[:, None]
    to_unit = torch.tensor([[1 / width, 0, 0.5], [0, 1 / height, 0.5], [0, 0, 1]], dtype=torch.float64)
    projected: Tensor = torch.cat([unit, last], 1) @ to_unit
    return projected.inverse()


@lru_cache(maxsize=16)
def _whole_numbers(count: int) -> tuple[Tensor, Tensor]:
    """Columns of 0 and of 1; to be copied, never written to."""
    return torch.zeros(count, dtype=torch.float64), torch.ones(count, dtype=torch.float64)
