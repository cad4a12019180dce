"""ROC and precision-recall curves: of the classes of one setting, or of several settings or runs in one picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from cnnlab.evaluation import ClassAreas, ClassPredictions, PrecisionRecall, precision_recall
from cnnlab.evaluation.metrics.roc import class_roc, mean_roc
from cnnlab.reports.contents.tables import Table, TableColumn, ends_of

Array: TypeAlias = npt.NDArray[np.float64]
RankingKind: TypeAlias = Literal["roc", "precision-recall"]
Role: TypeAlias = Literal["mean", "named", "other"]
_MOST_POINTS = 240
_NAMED = 3
_LEVELS = 400


@dataclass(frozen=True, eq=False)
class RankingLine:
    """One curve.

    :param x: the false positive rate, or the recall; ``y`` the true positive rate, or the precision.
    :param area: under it: that of the ROC curve, or the average precision.
    :param role: ``mean`` of all others, ``named`` in its own colour, or one of the ``other`` ones behind them.
    """

    label: str
    x: Array
    y: Array
    area: float
    role: Role


@dataclass(frozen=True, eq=False)
class Ranking:
    """The curves of one picture.

    :param areas: by class, also of those that are not named; the mean over the repeats.
    :param classes: their names, in order.
    :param chance: of a precision-recall curve, the precision of guessing, where all curves share one.
    """

    kind: RankingKind
    lines: tuple[RankingLine, ...]
    areas: Mapping[str, float]
    classes: Sequence[str]
    chance: float | None = None


def ranking_of(kind: RankingKind, parts: Sequence[ClassPredictions]) -> Ranking:
    """Each class against the rest, and their mean; of two classes the second alone, since the first mirrors it.

    The classes with the three smallest areas are named.

    :param parts: one for each repeat, over the same pictures.
    """
    every = _roc_lines(parts) if kind == "roc" else _precision_recall_lines(parts)
    areas = {line.label: line.area for line in every}
    if len(parts[0].names) == 2:
        shown = [line for line in every if line.label == parts[0].names[1]] or every
        lines = [_with_role(line, "named") for line in shown]
    else:
        lowest = sorted((line for line in every if len(line.x)), key=lambda line: line.area)[:_NAMED]
        # Named ones are drawn over the others, the mean over all.
        lines = [_with_role(line, "other") for line in every if line not in lowest and len(line.x)]
        lines += [_with_role(line, "named") for line in lowest]
        lines += [_mean_line(kind, every, parts)]
    return Ranking(kind, tuple(map(_thinned, lines)), areas, tuple(parts[0].names), _chance(kind, parts))


def rankings_together(kind: RankingKind, series: Mapping[str, Sequence[ClassPredictions]]) -> Ranking:
    """A curve for each of several settings or runs: the mean of its classes, or of two classes that of the second."""
    lines, areas = [], {}
    for label, parts in series.items():
        line = ranking_of(kind, parts).lines[-1]
        lines.append(RankingLine(label, line.x, line.y, line.area, "named"))
        areas[label] = line.area
    first = next(iter(series.values()))
    return Ranking(kind, tuple(lines), areas, tuple(first[0].names), _chance(kind, first))


def ranking_caption(ranking: Ranking, repeats: int) -> str:
    """What the curves are, as a sentence or two.

    :param repeats: of which they are the means.
    """
    classes, is_roc = ranking.classes, ranking.kind == "roc"
    which = f"{classes[1]} against {classes[0]}" if len(classes) == 2 else "Each class against the rest"
    what = (
        "the share of its own pictures above each threshold over the share of all others above it; dashed is guessing"
        if is_roc
        else "how many of the pictures above each threshold are of the class, over the share of the class found"
    )
    area = "area under each curve" if is_roc else "average precision, the area under each curve"
    return f"{which}: {what}. In the legend the {area}{'; means over the repeats' if repeats > 1 else ''}."


def ranking_table(ranking: Ranking, column: str, intervals: ClassAreas | None = None) -> Table:
    """A row a class with its area, and the interval of it where one is known."""
    name = "area under ROC" if ranking.kind == "roc" else "average precision"
    columns = [TableColumn("class", "class"), TableColumn("area", name, "share")]
    if intervals is not None:
        columns.append(TableColumn("interval", "95% interval", "share"))
    rows = [
        (label, area, *(() if intervals is None else (ends_of(intervals.by_class[label].interval),)))
        for label, area in ranking.areas.items()
    ]
    title = "ROC" if ranking.kind == "roc" else "Precision and recall"
    return Table(f"{ranking.kind} {column}", title, tuple(columns), tuple(rows)).without_empty()


def _roc_lines(parts: Sequence[ClassPredictions]) -> list[RankingLine]:
    lines = []
    for place, name in enumerate(parts[0].names):
        curves = {
            str(repeat): class_roc(part.probabilities[:, place], part.labels == place)
            for repeat, part in enumerate(parts)
        }
        mean = mean_roc(curves)
        lines.append(RankingLine(name, mean.false_positive_rate, mean.true_positive_rate, mean.auc, "other"))
    return lines


def _precision_recall_lines(parts: Sequence[ClassPredictions]) -> list[RankingLine]:
    curves = [precision_recall(part).curves for part in parts]
    lines = []
    for name in parts[0].names:
        own = [by_class[name] for by_class in curves if len(by_class[name].recall)]
        if not own:
            lines.append(RankingLine(name, np.empty(0), np.empty(0), float("nan"), "other"))
            continue
        levels = np.arange(1, _LEVELS + 1) / _LEVELS
        mean = np.mean([_precision_at(curve, levels) for curve in own], axis=0)
        area = float(np.mean([curve.average_precision for curve in own]))
        lines.append(RankingLine(name, levels, mean, area, "other"))
    return lines


def _precision_at(curve: PrecisionRecall, levels: Array) -> Array:
    """The precision where so much of the class is found: between two of its pictures, that of the later one."""
    return curve.precision[np.searchsorted(curve.recall, levels - 1e-9)]


def _mean_line(kind: RankingKind, lines: Sequence[RankingLine], parts: Sequence[ClassPredictions]) -> RankingLine:
    known = [line for line in lines if len(line.x)]
    area = float(np.mean([line.area for line in known])) if known else float("nan")
    if kind == "precision-recall":
        y = np.mean([line.y for line in known], axis=0) if known else np.empty(0)
        return RankingLine("mean of the classes", known[0].x if known else np.empty(0), y, area, "mean")
    curves = {
        f"{repeat} {name}": class_roc(part.probabilities[:, place], part.labels == place)
        for repeat, part in enumerate(parts)
        for place, name in enumerate(part.names)
    }
    mean = mean_roc(curves)
    return RankingLine("mean of the classes", mean.false_positive_rate, mean.true_positive_rate, area, "mean")


def _chance(kind: RankingKind, parts: Sequence[ClassPredictions]) -> float | None:
    if kind == "roc" or len(parts[0].names) != 2:
        return None
    return float(np.mean(parts[0].labels == 1))


def _with_role(line: RankingLine, role: Role) -> RankingLine:
    return RankingLine(line.label, line.x, line.y, line.area, role)


def _thinned(line: RankingLine) -> RankingLine:
    """Points evenly spaced along the curve, which on paper cannot be told from all of them."""
    if len(line.x) <= _MOST_POINTS:
        return line
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(line.x)) + np.abs(np.diff(line.y)))])
    places = np.unique(np.searchsorted(length, np.linspace(0, length[-1], _MOST_POINTS)).clip(max=len(length) - 1))
    return RankingLine(line.label, line.x[places], line.y[places], line.area, line.role)
