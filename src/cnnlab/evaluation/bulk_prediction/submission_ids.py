"""The ids of pictures in a submission: the names of their files without suffix, in order of their numbers."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cnnlab.core.errors import DataError
from cnnlab.core.messages import first_few
from cnnlab.core.number_text import counted
from cnnlab.data import ImageFile
from cnnlab.data.formats.decode import is_image


def ids_of(images: Sequence[ImageFile], *, with_suffix: bool = False) -> list[str]:
    """The id of each picture: the name of its file, without the suffix unless asked for.

    :raises DataError: when two have the same.
    """
    names = (image.member.replace("\\", "/").rpartition("/")[2] for image in images)
    ids = [name if with_suffix or not is_image(name) else name.rpartition(".")[0] for name in names]
    if len(set(ids)) < len(ids):
        again = next(name for name, count in Counter(ids).items() if count > 1)
        first, second = [image.name for image, name in zip(images, ids, strict=True) if name == again][:2]
        raise DataError(
            f"a submission has one row for each id, and {first} and {second} have the same, {again}. Name one folder "
            "of pictures, or write a table instead."
        )
    return ids


def in_order(images: Sequence[ImageFile], ids: Sequence[str]) -> tuple[list[ImageFile], list[str]]:
    """Pictures and ids by number where all ids are numbers, and else as they are."""
    places: Sequence[int] = range(len(ids))
    if all(name.isascii() and name.isdigit() for name in ids):
        places = sorted(places, key=lambda place: int(ids[place]))
    return [images[place] for place in places], [ids[place] for place in places]


def in_order_of(images: Sequence[ImageFile], wanted: Sequence[str], like: Path) -> list[ImageFile]:
    """Pictures in the order of the ids of a sample submission.

    :raises DataError: naming the first few ids without a picture, and pictures without an id.
    """
    again = [name for name, count in Counter(wanted).items() if count > 1]
    if again:
        raise DataError(f"{like} has several rows of one id: {first_few(again)}.")
    places = {name: place for place, name in enumerate(ids_of(images, with_suffix=any(map(is_image, wanted))))}
    missing = [name or "(empty)" for name in wanted if name not in places]
    known = set(wanted)
    extra = [images[place].name for name, place in places.items() if name not in known]
    wrong = [f"of {counted(len(missing), 'id')} in it there is no picture ({first_few(missing)})"] if missing else []
    if extra:
        verb = "is" if len(extra) == 1 else "are"
        wrong.append(f"{counted(len(extra), 'picture')} given {verb} not in it ({first_few(extra)})")
    if wrong:
        raise DataError(f"{like} does not go with the pictures: {', and '.join(wrong)}. Give the pictures it is of.")
    return [images[places[name]] for name in wanted]
