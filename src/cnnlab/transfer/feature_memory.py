"""What memory the features of a transfer take, compared with what is free before any of them is computed."""

from collections.abc import Sequence

from cnnlab.core.errors import UsageError
from cnnlab.core.machine import free_memory
from cnnlab.core.messages import note
from cnnlab.core.number_text import in_units
from cnnlab.transfer.extractor import Extractor

_COPIES = 3
"""Of what a classifier is fitted to: it is scaled, and several take it in double precision."""
_ITEM = 4
_WORTH_TELLING = 0.1
"""The share of the free memory from which on a person is told."""


def check_memory(extractors: Sequence[Extractor], pictures: int, trained: int, draws: int) -> None:
    """Tells what the features take where that is much, and refuses what does not fit.

    :param extractors: of each column; the features of all are held at once.
    :param trained: how many of the pictures are fitted to, of which there are ``draws`` augmented draws each besides.
    :raises UsageError: with both numbers, and what takes less.
    """
    widest = max(extractors, key=lambda each: each.width)
    held = _ITEM * pictures * (1 + draws) * sum(each.width for each in extractors)
    needed = held + _COPIES * _ITEM * trained * (1 + draws) * widest.width
    free = free_memory()
    if needed < _WORTH_TELLING * free:
        return
    at = f" at {widest.layer}" if widest.layer.name else ""
    told = (
        f"{widest.width:,} numbers a picture{at}, {in_units(_ITEM * widest.width)}: those of "
        f"{pictures:,} pictures{' and their draws' if draws else ''} take {in_units(held)} of memory, and with what "
        f"fitting takes {in_units(needed)}"
    )
    if needed <= free:
        note(f"Features are {told}.")
        return
    averaged = f"layer={widest.layer.name}, the mean over the places of its maps, " if widest.layer.is_flat else ""
    less = f"{averaged}a layer that puts out less" if widest.layer.name else "smaller pictures, as in pixels(size=32)"
    raise UsageError(
        f"features are {told}; {in_units(free)} are free. Take {less}, or fewer pictures, as in subset=1000."
    )
