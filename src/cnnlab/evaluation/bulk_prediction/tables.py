"""What the rows of a file of predictions say: a table of cnnlab's own, or a submission as Kaggle takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cnnlab.core.dataframes import any_text
from cnnlab.core.errors import DataError, UsageError, suggestion
from cnnlab.core.messages import first_few
from cnnlab.data import ImageFile
from cnnlab.data.sources.manifest import ManifestTable, read_table
from cnnlab.evaluation.bulk_prediction.submission_ids import ids_of, in_order, in_order_of
from cnnlab.evaluation.prediction.predict import ImagePredictions, PredictedColumn
from cnnlab.evaluation.prediction.predictor import Predictor

if TYPE_CHECKING:
    import pandas as pd


class RowWriter(Protocol):
    """Turns what was predicted for some of the pictures into rows."""

    @property
    def key(self) -> list[Any]:
        """What the rows depend on besides pictures and outputs, as plain JSON."""
        ...

    def frame(self, places: Sequence[int], columns: Mapping[str, PredictedColumn]) -> "pd.DataFrame":
        """The rows of the pictures at these places."""
        ...


@dataclass(frozen=True)
class TableRows:
    """Rows of :meth:`ImagePredictions.frame <cnnlab.evaluation.ImagePredictions.frame>`."""

    images: Sequence[ImageFile]
    top: int
    probabilities: bool

    @property
    def key(self) -> list[Any]:
        """The options."""
        return ["table", self.top, self.probabilities]

    def frame(self, places: Sequence[int], columns: Mapping[str, PredictedColumn]) -> "pd.DataFrame":
        """The rows of the pictures at these places."""
        names = [self.images[place].name for place in places]
        return ImagePredictions(names, columns).frame(top=self.top, probabilities=self.probabilities)


@dataclass(frozen=True)
class SubmissionRows:
    """Rows of a submission: the id of a picture, and what was predicted or the probabilities of classes.

    :param headings: that of the ids, and those of the columns behind.
    :param classes: whose probabilities these columns are; empty where they hold what was predicted.
    :param top: how many classes a cell names, the likeliest first, apart by spaces.
    """

    ids: Sequence[str]
    headings: tuple[str, ...]
    classes: tuple[str, ...]
    top: int

    @property
    def key(self) -> list[Any]:
        """Ids, headings and options."""
        return ["kaggle", list(self.ids), list(self.headings), list(self.classes), self.top]

    @any_text
    def frame(self, places: Sequence[int], columns: Mapping[str, PredictedColumn]) -> "pd.DataFrame":
        """The rows of the pictures at these places."""
        import pandas as pd

        cells: list[Sequence[Any]] = [[self.ids[place] for place in places]]
        if self.classes:
            (column,) = columns.values()
            shares = dict(zip(column.names, zip(*column.probabilities, strict=True), strict=True))
            cells += [shares[name] for name in self.classes]
        else:
            cells += [self._told(column) for column in columns.values()]
        frame = pd.DataFrame(dict(enumerate(cells)))
        # A class may be called as the ids are.
        return frame.set_axis(list(self.headings), axis=1)

    def _told(self, column: PredictedColumn) -> Sequence[str | float]:
        if self.top == 1:
            return column.predicted
        return [" ".join(words) for words in zip(*(place[0] for place in column.likeliest(self.top)), strict=True)]


def check_options(predictor: Predictor, top: int, probabilities: bool | None, *, is_submission: bool) -> None:
    """Refuses what cannot be told of these classes.

    :raises UsageError: with what can.
    """
    objective, classes = predictor.objective, predictor.classifier.classes
    told_apart = {name: names for name, names in classes.items() if name in objective.class_heads}
    if top < 1:
        raise UsageError(f"top={top}: of each picture one class is told, or more.")
    if not told_apart and (top > 1 or probabilities):
        raise UsageError(
            "what this model predicts are numbers, which have no probabilities. Leave top and probabilities out."
        )
    fewest = min((len(names) for names in told_apart.values()), default=top)
    if top > fewest:
        raise UsageError(f"top={top}: there are {fewest} classes. Ask for so many at most.")
    if not is_submission:
        return
    if top > 1 and probabilities:
        raise UsageError(
            "a submission holds the likeliest classes or the probabilities of all. Leave top or probabilities out."
        )
    spaced = [name for names in told_apart.values() for name in names if len(name.split()) != 1]
    if top > 1 and spaced:
        raise UsageError(
            f"a submission of several classes a picture parts them by spaces, and some of their names have spaces: "
            f"{first_few(spaced)}. Leave top out, or write a table instead."
        )
    if probabilities and len(classes) > 1:
        raise UsageError(
            "a submission holds the probabilities of one target column, and this model predicts "
            f"{first_few(list(classes))}. Write a table instead."
        )


def submission(
    images: Sequence[ImageFile], predictor: Predictor, top: int, probabilities: bool | None, like: Path | None
) -> tuple[Sequence[ImageFile], SubmissionRows]:
    """The pictures in the order of a submission, and what writes its rows.

    :param like: a sample submission, whose ids, order and header are taken.
    :raises DataError: when its ids are not those of the pictures, or its header asks for what the model cannot say.
    """
    classes = predictor.classifier.classes
    columns = list(predictor.objective.class_heads) if probabilities else list(_columns_of(predictor))
    if like is None:
        numbered, ids = in_order(images, ids_of(images))
        told = classes[columns[0]] if probabilities else ()
        return numbered, SubmissionRows(ids, ("id", *(told or columns)), told, top)
    sample = read_table(like)
    heading, *rest = sample.header
    told = _classes_asked_for(like, sample, predictor, top, probabilities)
    ids = sample.column(heading)
    return in_order_of(images, ids, like), SubmissionRows(ids, (heading, *rest), told, top)


def _columns_of(predictor: Predictor) -> Sequence[str]:
    """The target columns that are predicted, in the order in which they are told."""
    import torch

    outputs = torch.zeros(1, predictor.objective.outputs)
    return list(predictor.objective.decode(outputs))


def _classes_asked_for(
    like: Path, sample: ManifestTable, predictor: Predictor, top: int, probabilities: bool | None
) -> tuple[str, ...]:
    """The classes whose probabilities a sample has columns for; none where it wants what is predicted."""
    rest, columns = sample.header[1:], list(_columns_of(predictor))
    names = predictor.classifier.classes.get(columns[0], ()) if len(columns) == 1 else ()
    if not rest:
        raise DataError(f"{like} has one column alone. A sample submission has one of ids and one of predictions.")
    if len(set(sample.header)) < len(sample.header):
        raise DataError(f"{like}: two columns have the same name in {first_few(sample.header)}.")
    if set(rest) <= set(names) and probabilities is not False:
        if top > 1:
            raise DataError(f"{like} has a column for each class, which are all told. Leave top out.")
        return tuple(rest)
    if len(rest) == len(columns) and not probabilities:
        _check_kind(like, sample, rest, predictor)
        return ()
    unknown = next((word for word in rest if word not in names), rest[0])
    what = f"{unknown!r} is no class of this model" if names else f"this model predicts {first_few(columns)}"
    raise DataError(
        f"{like} has {len(rest)} columns beside that of the ids, and {what}. {suggestion(unknown, names or columns)}"
    )


def _check_kind(like: Path, sample: ManifestTable, rest: Sequence[str], predictor: Predictor) -> None:
    """Refuses a sample that holds shares where a class is what would be written.

    :raises DataError: with the reason.
    """
    classes = predictor.classifier.classes
    for heading, names in zip(rest, (classes.get(name) for name in _columns_of(predictor)), strict=True):
        values = set(sample.column(heading))
        if names is not None and not values & set(names) and any(map(_is_share, values)):
            raise DataError(
                f"{like} holds numbers such as {min(filter(_is_share, values))} in the column {heading}, so that a "
                f"probability is wanted, and it does not say of which class: {heading!r} is none of this model's, "
                f"{first_few(list(names))}. Name that column as the class in a copy of it."
            )


def _is_share(text: str) -> bool:
    whole, point, rest = text.partition(".")
    return bool(point) and whole in ("", "0", "1") and rest.isdigit()
