"""The worst mistakes, the surest or the farthest off, with their pictures where the data is still there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnlab.evaluation import ClassPredictions, number_predictions
from cnnlab.explain.mistakes.predicted import images_of, pixels_at
from cnnlab.explain.picture_names import id_beside, picture_word
from cnnlab.reports.contents.classes import column_predictions
from cnnlab.reports.contents.numbers import number_text
from cnnlab.reports.contents.report_subject import Repeat
from cnnlab.reports.contents.tables import Table, TableColumn, text_of

MOST = 24


@dataclass(frozen=True, eq=False)
class Mistake:
    """One picture that was taken for another class, or whose number was not met.

    :param called: by its split and place, as in ``test:57``; ``id`` that of the data where it is another, else empty.
    :param size: how bad it is, of the repeat shown: the confidence in the wrong class, or how far off.
    :param wrong: how many of ``repeats`` repeats have it wrong; None where being off is no matter of yes or no.
    :param pixels: uint8, C×H×W; None where the data cannot be had.
    """

    called: str
    id: str
    true: str
    predicted: str
    size: float
    wrong: int | None
    repeats: int
    pixels: npt.NDArray[np.uint8] | None


@dataclass(frozen=True, eq=False)
class Gallery:
    """The worst mistakes of one run.

    :param column: of the targets that it mistakes.
    :param size: what the size of a mistake is.
    :param wrong: how many mistakes it makes on ``n`` pictures.
    :param trouble: why there are no pictures, where there are none.
    """

    column: str
    size: TableColumn
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
            *(TableColumn("picture", "picture"), TableColumn("id", "id"), TableColumn("true", "true")),
            *(TableColumn("predicted", "predicted"), self.size),
            *(TableColumn("wrong", "repeats wrong", "count"), TableColumn("repeats", "of", "count")),
        )
        rows = tuple(
            (m.called, m.id or None, m.true, m.predicted, m.size, m.wrong, None if m.wrong is None else m.repeats)
            for m in self.mistakes
        )
        return Table(f"mistakes {self.column}", "Worst mistakes", columns, rows).without_empty()

    def words(self, mistake: Mistake) -> str:
        """The size of a mistake for a person: ``99.1% sure``, ``off by 12.00 min``."""
        if self.size.kind == "share":
            is_rounded_up = mistake.size < 1 and text_of(mistake.size, "share", digits=1) == "100.0"
            return f"{'> 99.9' if is_rounded_up else text_of(mistake.size, 'share', digits=1)}% sure"
        digits = 0 if mistake.size.is_integer() else None
        return f"off by {text_of(mistake.size, self.size.kind, digits=digits)} {self.size.unit}".rstrip()


def gallery(repeats: Sequence[Repeat], column: str, data_dir: Path | None = None) -> Gallery | None:
    """The surest mistakes of the first repeat; None where it has no classes to mistake."""
    parts = column_predictions(repeats, column)
    if not parts:
        return None
    first, predictions = repeats[0], parts[0]
    wrong = np.flatnonzero(~predictions.right)
    # Equal confidences stay in the order of the pictures.
    chosen = wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:MOST]
    images, trouble = _images_at(first, chosen, data_dir) if len(chosen) else (None, "")
    mistakes = tuple(
        _mistake(_called(first, int(place)), int(place), parts, None if images is None else images[i])
        for i, place in enumerate(chosen)
    )
    split = first.predictions.split
    size = TableColumn("confidence", "confidence", "share")
    return Gallery(
        column, size, first.run.name, first.trial.seed, split, len(predictions), len(wrong), mistakes, trouble
    )


def farthest_off(repeats: Sequence[Repeat], name: str, data_dir: Path | None = None) -> Gallery | None:
    """The pictures whose number the first repeat misses by most; None where it misses none."""
    first = repeats[0]
    numbers = next(candidate for candidate in number_predictions(first.predictions) if candidate.name == name)
    chosen = np.argsort(-numbers.distances, kind="stable")[:MOST]
    chosen = chosen[numbers.distances[chosen] > 0]
    if not len(chosen):
        return None
    images, trouble = _images_at(first, chosen, data_dir)
    mistakes = tuple(
        Mistake(
            *_called(first, int(place)),
            true=number_text(numbers, numbers.truth[place]),
            predicted=number_text(numbers, numbers.predicted[place]),
            size=float(numbers.distances[place]),
            wrong=None,
            repeats=len(repeats),
            pixels=None if images is None else images[i],
        )
        for i, place in enumerate(chosen)
    )
    split, wrong = first.predictions.split, int(np.count_nonzero(numbers.distances))
    size = TableColumn("distance", "off by", numbers.unit)
    return Gallery(name, size, first.run.name, first.trial.seed, split, len(numbers), wrong, mistakes, trouble)


def _called(repeat: Repeat, place: int) -> tuple[str, str]:
    """What a picture is called, and its id where that is another."""
    predictions = repeat.predictions
    return picture_word(predictions.split, place), id_beside(place, predictions.ids[place])


def _mistake(called: tuple[str, str], place: int, parts: Sequence[ClassPredictions], pixels: Any) -> Mistake:
    predictions = parts[0]
    return Mistake(
        *called,
        true=predictions.names[predictions.labels[place]],
        predicted=predictions.names[predictions.predicted[place]],
        size=float(predictions.confidence[place]),
        wrong=sum(not part.right[place] for part in parts),
        repeats=len(parts),
        pixels=pixels,
    )


def _images_at(
    repeat: Repeat, places: npt.NDArray[np.int64], data_dir: Path | None
) -> tuple[npt.NDArray[np.uint8] | None, str]:
    """The pictures at these places of the split predicted, or why they cannot be had."""
    images, trouble = images_of(repeat.run, repeat.predictions, data_dir)
    return pixels_at(images, places), trouble
