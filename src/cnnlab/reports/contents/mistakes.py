"""The mistakes that a classifier is surest of, with their pictures where the data is still there."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cnnlab.core.errors import CnnlabError
from cnnlab.core.messages import quietly
from cnnlab.evaluation import ClassPredictions
from cnnlab.reports.contents.classes import Repeat, column_predictions
from cnnlab.reports.contents.tables import Column, Table

if TYPE_CHECKING:
    from cnnlab.data import ImageSet

MOST = 24


@dataclass(frozen=True, eq=False)
class Mistake:
    """One picture that was taken for another class.

    :param confidence: in the wrong class, of the repeat shown.
    :param wrong: how many of ``repeats`` repeats have it wrong.
    :param pixels: uint8, C×H×W; None where the data cannot be had.
    """

    id: str
    true: str
    predicted: str
    confidence: float
    wrong: int
    repeats: int
    pixels: npt.NDArray[np.uint8] | None


@dataclass(frozen=True, eq=False)
class Gallery:
    """The surest mistakes of one run.

    :param column: of the targets that it mistakes.
    :param wrong: how many mistakes it makes on ``n`` pictures.
    :param trouble: why there are no pictures, where there are none.
    """

    column: str
    run: str
    seed: int
    split: str
    n: int
    wrong: int
    mistakes: tuple[Mistake, ...]
    trouble: str = ""

    @property
    def table(self) -> Table:
        """A row a mistake."""
        columns = (
            *(Column("id", "picture"), Column("true", "true class"), Column("predicted", "predicted")),
            Column("confidence", "confidence", "share"),
            *(Column("wrong", "repeats wrong", "count"), Column("repeats", "of", "count")),
        )
        rows = tuple((m.id, m.true, m.predicted, m.confidence, m.wrong, m.repeats) for m in self.mistakes)
        return Table(f"mistakes {self.column}", "Most confident mistakes", columns, rows)


def gallery(repeats: Sequence[Repeat], column: str, data_dir: Path | None = None) -> Gallery | None:
    """The surest mistakes of the first repeat; None where it has no classes to mistake."""
    parts = column_predictions(repeats, column)
    if not parts:
        return None
    first, found = repeats[0], parts[0]
    wrong = np.flatnonzero(~found.right)
    # Equal confidences stay in the order of the pictures.
    chosen = wrong[np.argsort(-found.confidence[wrong], kind="stable")][:MOST]
    pictures, trouble = _pictures(first, chosen, data_dir) if len(chosen) else (None, "")
    mistakes = tuple(
        _mistake(first.predictions.ids[place], int(place), parts, None if pictures is None else pictures[i])
        for i, place in enumerate(chosen)
    )
    split = first.predictions.split
    return Gallery(column, first.run.name, first.trial.seed, split, len(found), len(wrong), mistakes, trouble)


def _mistake(name: str, place: int, parts: Sequence[ClassPredictions], pixels: Any) -> Mistake:
    found = parts[0]
    return Mistake(
        id=name,
        true=found.names[found.labels[place]],
        predicted=found.names[found.predicted[place]],
        confidence=float(found.confidence[place]),
        wrong=sum(not part.right[place] for part in parts),
        repeats=len(parts),
        pixels=pixels,
    )


def _pictures(
    repeat: Repeat, places: npt.NDArray[np.int64], data_dir: Path | None
) -> tuple[npt.NDArray[np.uint8] | None, str]:
    """The pictures at these places of the split predicted, or why they cannot be had."""
    from cnnlab.training.keys import is_in_python

    recipe = repeat.run.recipe
    if is_in_python(str(recipe.get("data"))):
        return None, "The data was given in Python, and a run does not hold it, so the pictures cannot be shown."
    try:
        images = _images(recipe, repeat.predictions.split, repeat.predictions.data, data_dir)
    except CnnlabError as error:
        return None, f"The pictures cannot be shown, since the data could not be read: {error}"
    if images is None or tuple(images.ids) != tuple(repeat.predictions.ids):
        return None, "The pictures cannot be shown: the data is no longer what the run was trained on."
    pixels: npt.NDArray[np.uint8] = images.batch(places.tolist())[0].numpy()
    return pixels, ""


def _images(recipe: Mapping[str, Any], split: str, digest: str, data_dir: Path | None) -> "ImageSet | None":
    from cnnlab import data

    options = {key: recipe.get(key) for key in ("validation", "test", "subset")}
    # What is to be said of the data was said when it was trained on.
    with warnings.catch_warnings(), quietly():
        warnings.simplefilter("ignore")
        dataset = data.load(recipe["data"], **options, data_dir=data_dir, offline=True)
    if dataset.digest != digest:
        return None
    images: ImageSet | None = dict(dataset.parts()).get(split)
    return images
