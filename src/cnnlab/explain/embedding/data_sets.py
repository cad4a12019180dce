"""Two data sets side by side: their maps, and the numbers that say which is easier, which a map alone does not."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

from cnnlab.core.errors import UsageError
from cnnlab.core.number_text import fixed
from cnnlab.evaluation import Interval, open_model
from cnnlab.evaluation.intervals import LEVEL, wilson_ends
from cnnlab.explain.embedding.codes import PIXELS
from cnnlab.explain.embedding.embed import Embedding, embed
from cnnlab.explain.embedding.pictures import pictures_of
from cnnlab.explain.embedding.quality import ClassSeparation
from cnnlab.models import Predictable
from cnnlab.runs import Run

_OF_PICTURES = ("split", "column", "most", "seed", "data_dir", "offline")
"""Options that say which pictures are taken."""


@dataclass(frozen=True, eq=False)
class DataSetComparison:
    """Two maps, made alike, and what decides between the data sets.

    :param maps: of the first and the second; ``names`` of the data sets.
    :param difference: of the share of pictures whose neighbours among the codes say their class, first minus second.
    """

    names: tuple[str, str]
    maps: tuple[Embedding, Embedding]
    difference: Interval

    @property
    def easier(self) -> str | None:
        """The data set whose neighbours tell classes better; None where the interval holds 0."""
        if self.difference.low > 0:
            return self.names[0]
        return self.names[1] if self.difference.high < 0 else None

    @property
    def sentence(self) -> str:
        """What the numbers say, and what the maps would have one think."""
        first, second = self.names
        codes, plane = (_both(self.maps, which) for which in ("codes", "plane"))
        verdict = f"neither {first} nor {second} can be told to be the easier one"
        if self.easier is not None:
            verdict = f"{self.easier} is easier than {second if self.easier == first else first}"
        ahead = fixed(100 * (codes[0].accuracy - codes[1].accuracy), 1, sign=True)
        return (
            f"By {self.maps[0].quality.neighbours} neighbours among the {self.maps[0].space.partition(' (')[0]}, "
            f"{verdict}: they say the class of {codes[0].accuracy:.1%} of {len(self.maps[0]):,} pictures of {first} "
            f"and of {codes[1].accuracy:.1%} of {len(self.maps[1]):,} of {second}, {ahead} points (95% interval "
            f"{fixed(100 * self.difference.low, 1)} to {fixed(100 * self.difference.high, 1)}). Among neighbours on "
            f"the maps it is {plane[0].accuracy:.1%} and {plane[1].accuracy:.1%}. The silhouettes of the classes are "
            f"{fixed(codes[0].silhouette, 2)} and {fixed(codes[1].silhouette, 2)} before the map, "
            f"{fixed(plane[0].silhouette, 2)} and {fixed(plane[1].silhouette, 2)} on it."
        )


def embed_data_sets(
    first: Any,
    second: Any,
    models: "Sequence[Run | Predictable | str | Path] | None" = None,
    *,
    names: tuple[str, str] | None = None,
    **options: Any,
) -> DataSetComparison:
    """Maps of two data sets, made alike, with the numbers that decide which is the easier one.

    Easier means: the nearest neighbours of a picture are more often of its class. That is measured among the codes
    and not on the map, which changes both classes and gaps; a network may find it otherwise. Of both as many pictures
    are taken.

    :param first, second: specs or data sets, both with classes; None for the data of a run.
    :param models: one for each, whose codes are taken; the pixels by default.
    :param options: as for :func:`~cnnlab.explain.embed`: ``split``, ``method``, ``most``, ``layer``, ``seed``.
    :raises UsageError: where the classes of one are not known.
    """
    if models is not None and len(models) != 2:
        raise UsageError(f"two data sets take two models, one for each, or none for their pixels; got {len(models)}.")
    if models is None:
        options = {**options, "layer": options.get("layer") or PIXELS}
    sets, given = (
        (first, second),
        tuple(None if model is None else open_model(model) for model in models or (None, None)),
    )
    # Among more pictures neighbours are nearer, and say the class more often: as many of both.
    which = {name: value for name, value in options.items() if name in _OF_PICTURES}
    options["most"] = min(len(pictures_of(model, images, **which)) for model, images in zip(given, sets, strict=True))
    maps = tuple(embed(model, images, **options) for model, images in zip(given, sets, strict=True))
    called = names or (_name(first, 1), _name(second, 2))
    codes = [one.quality.codes for one in maps]
    for name, separation in zip(called, codes, strict=True):
        if separation is None:
            raise UsageError(f"the classes of {name} are not known, so nothing says how well they are apart.")
    one, other = (separation.right for separation in codes if separation is not None)
    difference = difference_of_shares(int(one.sum()), len(one), int(other.sum()), len(other))
    return DataSetComparison(called, (maps[0], maps[1]), difference)


def difference_of_shares(right: int, n: int, other_right: int, other_n: int, level: float = LEVEL) -> Interval:
    """Newcombe's interval (1998, method 10) of the difference of two shares of different pictures."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    p, q = right / n, other_right / other_n
    (low, high), (other_low, other_high) = wilson_ends(p, n, z), wilson_ends(q, other_n, z)
    below, above = math.hypot(p - low, other_high - q), math.hypot(high - p, q - other_low)
    return Interval(p - q - below, p - q + above, level, f"Newcombe, {n} and {other_n} pictures", "pictures")


def _both(maps: Sequence[Embedding], which: str) -> list[ClassSeparation]:
    return [getattr(one.quality, which) for one in maps]


def _name(images: Any, place: int) -> str:
    return str(getattr(images, "name", images if isinstance(images, str) else f"set {place}"))
