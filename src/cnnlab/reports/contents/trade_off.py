"""What a setting costs against what it reaches, and which settings nothing beats in both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import IntervalEnds, Table, TableColumn, interval_cells, interval_columns
from cnnlab.studies.result import Setting


@dataclass(frozen=True)
class TradeOffPoint:
    """One setting.

    :param seconds: of one training, the mean over the repeats; ``shortest`` and ``longest`` of them.
    :param repeats: that it is over.
    :param is_front: whether no other setting is both at least as good and at least as quick; never where times cannot
        be compared.
    """

    key: str
    label: str
    seconds: float
    shortest: float
    longest: float
    value: float
    interval: IntervalEnds | None
    repeats: int
    is_front: bool


def trade_off(subject: ReportSubject) -> tuple[TradeOffPoint, ...]:
    """A point for each setting that has finished, in the order of the study."""
    known = [(setting, times) for setting in subject.ranked if (times := _seconds(setting))]
    values = [subject.sign * (subject.mean(setting) or 0.0) for setting, _ in known]
    front = pareto([float(np.mean(times)) for _, times in known], values)
    front = [is_front and not subject.result.untimed for is_front in front]
    points = {}
    for (setting, times), is_front in zip(known, front, strict=True):
        summary = subject.summary(setting)
        has_ends = summary is not None and summary.low is not None and summary.high is not None
        ends = IntervalEnds(summary.low or 0.0, summary.high or 0.0) if summary and has_ends else None
        value = subject.mean(setting) or 0.0
        seconds = float(np.mean(times))
        label, key = subject.label(setting.key), setting.key
        repeats = summary.n if summary else 0
        points[key] = TradeOffPoint(key, label, seconds, min(times), max(times), value, ends, repeats, is_front)
    return tuple(points[setting.key] for setting in subject.result.settings if setting.key in points)


def pareto(costs: Sequence[float], values: Sequence[float]) -> list[bool]:
    """Which of these nothing else beats: no other costs as little and is worth as much, and more in one of the two."""
    pairs = list(zip(costs, values, strict=True))
    return [not any(c <= cost and v >= value and (c < cost or v > value) for c, v in pairs) for cost, value in pairs]


def trade_off_table(subject: ReportSubject, points: Sequence[TradeOffPoint]) -> Table:
    """A row a setting."""
    metric = subject.metric
    columns = (
        TableColumn("setting", "setting"),
        TableColumn("seconds", "training time", "seconds"),
        TableColumn("seconds range", "shortest to longest", "seconds"),
        TableColumn(metric.name, metric.label, metric.unit),
        *interval_columns("interval", metric.unit),
        *([] if subject.result.untimed else [TableColumn("front", "on the front")]),
    )
    rows = tuple(
        (
            point.label,
            point.seconds,
            IntervalEnds(point.shortest, point.longest),
            point.value,
            *interval_cells(point.interval, is_of_one=point.repeats == 1),
            *([] if subject.result.untimed else [point.is_front]),
        )
        for point in points
    )
    keys = tuple(point.key for point in points)
    return Table("trade-off", "Training time", columns, rows, keys).without_empty()


def _seconds(setting: Setting) -> list[float]:
    return [trial.seconds for trial in setting.finished if trial.seconds > 0]
