"""What every reader of data takes beside its own arguments."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from cnnlab.core.arguments import Positive, Range
from cnnlab.data.white import MOST_WHITE

Side: TypeAlias = Annotated[int, Range(1, 8192)]
WholeWhite: TypeAlias = Annotated[int, Range(1, MOST_WHITE)]
ResizeMode: TypeAlias = Literal["squash", "crop", "pad"]
Resampling: TypeAlias = Literal["bilinear", "bicubic"]
CHANNELS = {"grey": 1, "colour": 3}


@dataclass(frozen=True)
class ReadOptions:
    """How pictures become an image set, whatever they are read from.

    :param size: pixels of a side, or [height, width]; none keeps the size that the pictures have.
    :param resize: ``squash`` to the size, ``crop`` the middle, or ``pad`` with black, keeping proportions.
    :param resampling: how pixels of another size are worked out: ``bilinear`` or ``bicubic``, both antialiased.
    :param channels: ``auto`` is grey where all pictures are grey, else colour.
    :param white: the value of white in pictures of more than 8 bits, or two, of whole numbers and of floats; none to
        tell by the largest value found in all.
    :param on_bad: what to do about files that cannot be read: ``refuse`` the data, or ``skip`` them and say so.
    :param dedupe: whether pictures of train that are in another split too are dropped.
    :param cache: how decoded pictures are kept in the user's cache: ``raw`` pixels, the ``encoded`` files, to be
        decoded at each use, ``none`` (in memory, for this time only), or ``auto``: raw unless too large.
    """

    size: Side | tuple[Side, Side] | None = None
    resize: ResizeMode = "squash"
    resampling: Resampling = "bilinear"
    channels: Literal["auto", "grey", "colour"] = "auto"
    white: WholeWhite | tuple[WholeWhite | None, Positive | None] | None = None
    on_bad: Literal["refuse", "skip"] = "refuse"
    dedupe: bool = False
    cache: Literal["auto", "raw", "encoded", "none"] = "auto"

    @property
    def sides(self) -> tuple[int, int] | None:
        """Height and width, where a size is given."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size
