"""One picture's pixels in the place of another's: which by masks, and whole pictures by position.

Masks are uint8, 0 or 1. What is done here is what ``torch.where`` and ``index_copy`` do, several times as fast on
a processor: their loops have a branch for each pixel, which masks that are random make slow.
"""

import torch
from torch import Tensor


def paste(images: Tensor, replacement: Tensor | float, mask: Tensor) -> Tensor:
    """The replacement where the mask is 1, the pictures where it is 0.

    :param images: N×C×H×W, uint8 or float.
    :param replacement: of the same type and a shape that fits, or one number as such pictures hold it.
    """
    if images.dtype == torch.uint8:
        bits = images ^ (int(replacement) if not isinstance(replacement, Tensor) else replacement)
        return bits.bitwise_and_(-mask).bitwise_xor_(images)
    other = replacement if isinstance(replacement, Tensor) else images.new_full((), replacement)
    return torch.lerp(images, other.to(images.dtype), mask.to(images.dtype))


def as_mask(flags: Tensor) -> Tensor:
    """True as 1 and false as 0, without a copy."""
    return flags.view(torch.uint8)


def boxes(box: Tensor, height: int, width: int) -> Tensor:
    """A mask of the pixels in each box, n×1×height×width.

    :param box: n×4, whole numbers: first row, row after the last, first column, column after the last.
    """
    top, bottom, left, right = box[:, :, None].unbind(1)
    row = torch.arange(height, dtype=box.dtype, device=box.device)
    column = torch.arange(width, dtype=box.dtype, device=box.device)
    in_rows, in_columns = as_mask((row >= top) & (row < bottom)), as_mask((column >= left) & (column < right))
    return (in_rows[:, :, None] & in_columns[:, None, :])[:, None]


def order_after(chosen: Tensor, count: int) -> Tensor:
    """Where to find each picture of a batch once the changed ones have been put behind it; see :func:`put_back`."""
    order = torch.arange(count)
    order[chosen] = torch.arange(count, count + len(chosen))
    return order


def put_back(images: Tensor, changed: Tensor, chosen: Tensor, order: Tensor) -> Tensor:
    """The batch with changed pictures in the places of those they were made of; floats are written to."""
    if images.is_floating_point():
        return images.index_copy_(0, chosen, changed)
    return torch.cat([images, changed]).index_select(0, order)
