"""What a picture of a split is called: the word that asks for it with ``--images``, and its id where it is another."""

from typing import TYPE_CHECKING

from cnnlab.core.scored_splits import OUT_OF_FOLD

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HELD_OUT = "out-of-fold"
"""What is called so are the pictures that a network of a fold has not seen; of all folds together those of train."""


def picture_word(split: str, place: int) -> str:
    """``test:57``: a picture by its split and its place in that, from 0, as ``cnnlab explain --images`` takes it.

    :param split: as predictions are stored for it; ``train@out-of-fold`` becomes ``out-of-fold``.
    """
    return f"{HELD_OUT if split == OUT_OF_FOLD else split.partition('@')[0]}:{place}"


class NamedPictures:
    """Pictures of one split by their places in it, which have names by these. Subclasses have the fields."""

    places: "NDArray[np.int64]"
    split: str

    def __len__(self) -> int:
        return len(self.places)

    @property
    def words(self) -> tuple[str, ...]:
        """What each picture is called, such as ``test:57``: it can be asked for so."""
        return tuple(picture_word(self.split, place) for place in self.places.tolist())


def id_beside(place: int, name: str) -> str:
    """The id of a picture where it is another than its place: the name of a file, or ``id 40213``; empty otherwise.

    :param name: its id, as :attr:`cnnlab.data.ImageSet.ids` has it.
    """
    if name == str(place):
        return ""
    return f"id {name}" if name.isdecimal() else name
