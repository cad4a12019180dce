"""How the best setting does class by class: confusions, measures of each class, calibration; over all its repeats."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cnnlab.core.errors import CnnlabError
from cnnlab.evaluation import (
    Calibration,
    CalibrationErrorInterval,
    ClassAreas,
    ClassPredictions,
    Confusion,
    calibration,
    calibration_error_interval,
    class_areas,
    class_predictions,
    confusion,
    per_class,
)
from cnnlab.reports.contents.ranking_curves import Ranking, ranking_of
from cnnlab.reports.contents.report_subject import Repeat
from cnnlab.reports.contents.tables import Table, TableColumn, ends_of

MEASURES = ("precision", "recall", "f1")
_MOST_PAIRS = 12


@dataclass(frozen=True, eq=False)
class ClassMeasures:
    """Precision, recall and F1 of each of K classes.

    :param support: pictures of each class, in one repeat.
    :param mean: K by measure, over the repeats where it is defined; ``low`` and ``high`` the range of the repeats.
    """

    names: tuple[str, ...]
    support: npt.NDArray[np.int64]
    mean: dict[str, npt.NDArray[np.float64]]
    low: dict[str, npt.NDArray[np.float64]]
    high: dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class ClassDetails:
    """One column of classes as the best setting predicts it.

    :param split: on which; ``seeds`` of the repeats that are counted together.
    :param confusion: counts summed over the repeats.
    :param areas: under the ROC curves, the means over the repeats; their intervals are over the pictures.
    :param calibration: of the predictions of all repeats together; ``calibration_error`` is how sure its error is, over
        the pictures as well.
    :param roc: the ROC curves, and ``precision_recall`` those; means over the repeats.
    """

    column: str
    split: str
    seeds: tuple[int, ...]
    confusion: Confusion
    measures: ClassMeasures
    areas: ClassAreas
    calibration: Calibration
    calibration_error: CalibrationErrorInterval
    roc: Ranking
    precision_recall: Ranking


def class_details(repeats: Sequence[Repeat]) -> tuple[ClassDetails, ...]:
    """One for each column of classes that is predicted with probabilities; none for other objectives."""
    if not repeats:
        return ()
    columns = [name for name in repeats[0].predictions.classes if name in repeats[0].predictions.targets]
    predicted = ((column, column_predictions(repeats, column)) for column in columns)
    return tuple(_details(column, repeats, parts) for column, parts in predicted if parts)


def column_predictions(repeats: Sequence[Repeat], column: str) -> tuple[ClassPredictions, ...]:
    """Of every repeat; empty where the column is not predicted with probabilities."""
    try:
        first = repeats[0].predictions
        return tuple(class_predictions(first.align(repeat.predictions), column) for repeat in repeats)
    except CnnlabError:
        return ()


def confusion_table(details: ClassDetails) -> Table:
    """The counts, a row a true class."""
    names = details.confusion.names
    columns = (TableColumn("true", "true \\ predicted"), *(TableColumn(name, name, "count") for name in names))
    counts = details.confusion.counts.tolist()
    rows = tuple((name, *row) for name, row in zip(names, counts, strict=True))
    return Table(f"confusion {details.column}", "Confusion matrix", columns, rows)


def pairs_table(details: ClassDetails) -> Table:
    """The pairs of classes confused most."""
    columns = (
        *(TableColumn("true", "true class"), TableColumn("taken", "taken for")),
        *(TableColumn("count", "times", "count"), TableColumn("share", "of its pictures", "share")),
    )
    sums = dict(zip(details.confusion.names, details.confusion.counts.sum(axis=1).tolist(), strict=True))
    pairs = details.confusion.mistakes(_MOST_PAIRS)
    rows = tuple((true, taken, count, count / sums[true]) for true, taken, count in pairs)
    return Table(f"confused {details.column}", "Confused most", columns, rows)


def measures_table(details: ClassDetails) -> Table:
    """A row a class."""
    class_measures = details.measures
    columns = (
        TableColumn("class", "class"),
        TableColumn("support", "pictures", "count"),
        *(TableColumn(name, "F1" if name == "f1" else name, "share") for name in MEASURES),
        TableColumn("roc_auc", "area under ROC", "share"),
        TableColumn("roc_auc interval", "95% interval of the area", "share"),
    )
    areas = details.areas.by_class
    rows = tuple(
        (
            *(name, int(class_measures.support[i])),
            *(float(class_measures.mean[measure][i]) for measure in MEASURES),
            *(areas[name].value, ends_of(areas[name].interval)),
        )
        for i, name in enumerate(class_measures.names)
    )
    note = f"Areas: each class against the rest; intervals over {details.split} pictures, for these trainings (DeLong)."
    return Table(f"classes {details.column}", "Class by class", columns, rows, note=note)


def calibration_table(details: ClassDetails) -> Table:
    """A row a bin of confidence."""
    columns = (
        TableColumn("low", "confidence above", "share"),
        TableColumn("high", "up to", "share"),
        TableColumn("n", "predictions", "count"),
        TableColumn("confidence", "mean confidence", "share"),
        TableColumn("accuracy", "accuracy", "share"),
    )
    rows = tuple((bin_.low, bin_.high, bin_.n, bin_.confidence, bin_.accuracy) for bin_ in details.calibration.bins)
    return Table(f"calibration {details.column}", "Calibration", columns, rows)


def _details(column: str, repeats: Sequence[Repeat], parts: Sequence[ClassPredictions]) -> ClassDetails:
    names = tuple(parts[0].names)
    together = ClassPredictions(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.labels for part in parts]),
        names,
        np.concatenate([part.predicted for part in parts]),
    )
    return ClassDetails(
        column=column,
        split=repeats[0].predictions.split,
        seeds=tuple(repeat.trial.seed for repeat in repeats),
        confusion=confusion(together),
        measures=_measures(parts),
        areas=class_areas(parts),
        calibration=calibration(together),
        calibration_error=calibration_error_interval(together, repeats=len(parts)),
        roc=ranking_of("roc", parts),
        precision_recall=ranking_of("precision-recall", parts),
    )


def _measures(parts: Sequence[ClassPredictions]) -> ClassMeasures:
    each = [per_class(part) for part in parts]
    mean, low, high = {}, {}, {}
    for name in MEASURES:
        table = np.array([getattr(scores, name) for scores in each])
        known = ~np.isnan(table).all(axis=0)
        mean[name], low[name], high[name] = (np.full(table.shape[1], np.nan) for _ in range(3))
        for target, function in ((mean, np.nanmean), (low, np.nanmin), (high, np.nanmax)):
            target[name][known] = function(table[:, known], axis=0)
    return ClassMeasures(each[0].names, each[0].support, mean, low, high)
