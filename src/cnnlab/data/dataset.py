"""A data set: its splits, and where they came from."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any

from cnnlab.core.digests import digest
from cnnlab.core.displays import html_facts
from cnnlab.core.errors import DataError
from cnnlab.data.imageset import ClassNames, ImageSet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_NAMED = 20
_MOST_DRAWN = 10
_LEAST_HEIGHT = 56
"""Points of a picture in a notebook."""
SPLITS = ("train", "validation", "test")
OUT_OF_FOLD, OUT_OF_BAG = "out-of-fold", "out-of-bag"


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Pictures of the whole train split that one training of several does not see.

    :param name: why not: ``out-of-fold``, or ``out-of-bag`` where others were drawn.
    """

    name: str
    images: ImageSet

    @property
    def split(self) -> str:
        """What predictions of them are stored as."""
        return f"train@{self.name}"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Train, validation and test pictures.

    :param source: plain facts, as they go into a record: the spec, where the data came from, its licence and
        citation, files that were skipped, duplicates, notes, what was drawn or held out.
    :param held_out: pictures left out of train because other trainings see them; they do not count in the digest.
    :raises DataError: when the splits differ in the shape of their pictures or in their classes.
    """

    name: str
    train: ImageSet
    validation: ImageSet | None = None
    test: ImageSet | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    held_out: HeldOut | None = None

    def __post_init__(self) -> None:
        for name, part in self.parts():
            if part.shape != self.train.shape:
                raise DataError(
                    f"the pictures of {name} are {_shape(part)} and those of train {_shape(self.train)}; "
                    "all splits must have one shape. Give size= or channels= to make them so."
                )
            if part.targets and (set(part.targets) != set(self.train.targets) or part.classes != self.train.classes):
                raise DataError(_differing(name, part, self.train))

    @classmethod
    def of(
        cls,
        name: str,
        parts: Mapping[str, ImageSet],
        source: Mapping[str, Any],
        held_out: HeldOut | None = None,
    ) -> "Dataset":
        """The data set of splits by name."""
        return cls(name, parts["train"], parts.get("validation"), parts.get("test"), source, held_out)

    def parts(self) -> Iterator[tuple[str, ImageSet]]:
        """The splits that exist, by name: train, validation, test."""
        for name in SPLITS:
            part = getattr(self, name)
            if part is not None:
                yield name, part

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width of every picture."""
        return self.train.shape

    @property
    def classes(self) -> ClassNames:
        """The class names of each integer column that holds classes."""
        return self.train.classes

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the content of every split, and over white, by which other pictures are read later.

        Floats that end at 1 are what bytes are by another name.
        """
        known = {key: self.source.get(key) for key in ("white", "float_white")}
        white = {key: value for key, value in known.items() if value not in (None, 1)}
        return digest({**{name: part.digest for name, part in self.parts()}, **white})

    @property
    def whole_digest(self) -> str:
        """That of the data before a seed drew or held out any of it: trainings that differ in the seed share it."""
        return str(self.source.get("whole") or self.digest)

    def _repr_html_(self) -> str:
        classes = [
            (
                f"classes of {column}",
                f"{len(names):,}: {', '.join(names[:_MOST_NAMED])}{', …'[: 3 * (len(names) > _MOST_NAMED)]}",
            )
            for column, names in self.classes.items()
        ]
        sizes = [(name, f"{len(part):,} pictures") for name, part in self.parts()]
        facts = [("data", self.name), *sizes, ("shape", _shape(self.train)), *classes, ("digest", self.digest[:12])]
        return f"{html_facts(facts)}<p>{''.join(map(_as_html, self._examples()))}</p>"

    def _examples(self) -> "list[NDArray[np.uint8]]":
        """A picture of each class for the first classes, or the first pictures: uint8 C×H×W."""
        columns = [self.train.targets[name].tolist() for name in self.classes if name in self.train.targets]
        firsts = [columns[0].index(label) for label in sorted(set(columns[0]))] if columns else range(len(self.train))
        pixels, _ = self.train.batch(list(firsts)[:_MOST_DRAWN])
        return list(pixels.numpy())

    def __repr__(self) -> str:
        parts = ", ".join(f"{len(part):,} {name}" for name, part in self.parts())
        return f"<Dataset {self.name}: {parts}, {_shape(self.train)}>"


def _differing(name: str, part: ImageSet, train: ImageSet) -> str:
    """In what the targets of a split differ from those of train."""
    if set(part.targets) != set(train.targets):
        mine, theirs = (", ".join(images.targets) or "none" for images in (part, train))
        return f"the targets of {name} are {mine} and those of train {theirs}; both must have the same columns."
    column = next(column for column in part.targets if part.classes.get(column) != train.classes.get(column))
    return f"the classes of {column} in {name} differ from those in train; name them for all splits together."


def _shape(part: ImageSet) -> str:
    return "×".join(map(str, part.shape))


def _as_html(pixels: "NDArray[np.uint8]") -> str:
    """A picture as an element of a page, enlarged where it is small."""
    from PIL import Image

    image = Image.fromarray(pixels[0] if len(pixels) < 3 else pixels[:3].transpose(1, 2, 0))
    content = BytesIO()
    image.save(content, "PNG")
    height = max(_LEAST_HEIGHT, image.height)
    shown = "image-rendering: pixelated" if image.height < _LEAST_HEIGHT else ""
    data = b64encode(content.getvalue()).decode()
    return f'<img alt="" height="{height}" style="margin: 1px; {shown}" src="data:image/png;base64,{data}">'
