"""The numbers of a study as tables: one for each metric, a row a seed, a column a setting."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from cnnlab import evaluation
from cnnlab.core.measurements import Metric
from cnnlab.core.scored_splits import score_name
from cnnlab.evaluation import MINUTES, NUMBER, POINTS, SECONDS, Interval, Unit
from cnnlab.runs.run_info import RunInfo
from cnnlab.studies.result import MetricSummary, Setting, Trial

if TYPE_CHECKING:
    import pandas as pd

_UNITS: Mapping[str, Unit] = {
    "share": POINTS,
    "minutes": MINUTES,
    "seconds": SECONDS,
    "epochs": Unit("epochs", 1.0, 1),
    "images/s": Unit("images/s", 1.0, 0),
}
TIMES = ("seconds", "images/s")
"""Units of metrics that depend on the machine, and on what else it had to do."""


def difference_unit(metric: Metric) -> Unit:
    """How differences of a metric are written."""
    return _UNITS.get(metric.unit, NUMBER)


def bounds(metric: Metric) -> tuple[float, float] | None:
    """Between which numbers a metric lies, where there are such: a gap is a difference of two shares."""
    if metric.unit != "share":
        return None
    return (-1.0, 1.0) if metric.name.startswith("gap") else (0.0, 1.0)


def ends(interval: Interval | None) -> tuple[float | None, float | None]:
    """Low and high of an interval, where there is one."""
    return (None, None) if interval is None else (interval.low, interval.high)


def scored_images(runs: Iterable[RunInfo]) -> dict[str, int]:
    """How many pictures each score was taken on, by the first run that has any."""
    scores: Mapping[str, Any] = next((found for run in runs if (found := run.info.get("scores"))), {})
    return {
        score_name(split, name): int(values["n"])
        for split, values in scores.items()
        for name in values
        if name != "n" and values.get("n")
    }


@dataclass(frozen=True)
class Tables:
    """The trials of a study by metric.

    :param labels: of the settings by key, in order.
    :param values: for each metric, by setting key and seed; only numbers.
    :param images: scored by each metric, where that is known.
    :param smallest: the smallest difference of interest, in the unit of the metric the study is judged by.
    :param unreached: like ``values``, where a finished trial never came to a level: the least that it would have taken.
    :param trials: of every setting, those without numbers among them.
    :param untimed: why training times cannot be compared; empty where they can.
    :param unlooked: why nothing is compared yet; empty where it is.
    :param is_blocked: whether settings are compared seed by seed.
    """

    labels: Mapping[str, str]
    seeds: Sequence[int]
    metrics: Mapping[str, Metric]
    values: Mapping[str, Mapping[str, Mapping[int, float]]]
    baseline: str | None = None
    images: Mapping[str, int] = field(default_factory=dict)
    smallest: float | None = None
    unreached: Mapping[str, Mapping[str, Mapping[int, float]]] = field(default_factory=dict)
    trials: Mapping[str, Sequence[Trial]] = field(default_factory=dict)
    untimed: str = ""
    is_blocked: bool = True
    unlooked: str = ""

    @classmethod
    def of(
        cls,
        settings: Iterable[Setting],
        seeds: Sequence[int],
        metrics: Sequence[Metric],
        *,
        together: Mapping[str, Mapping[str, float]] | None = None,
        baseline: str | None = None,
        images: Mapping[str, int] | None = None,
        smallest: float | None = None,
        untimed: str = "",
        is_blocked: bool = True,
        unlooked: str = "",
    ) -> "Tables":
        """Of settings with their trials.

        :param together: by metric and setting key the measures of all runs of a setting, which have one value each. It
            stands under the first seed.
        """
        settings = list(settings)
        values = {
            metric.name: {
                setting.key: {
                    trial.seed: value
                    for trial in setting.finished
                    if (value := trial.metrics.get(metric.name)) is not None
                }
                for setting in settings
            }
            for metric in metrics
        }
        for name, by_setting in (together or {}).items():
            values[name] = {setting.key: {} for setting in settings}
            values[name] |= {key: {seeds[0]: value} for key, value in by_setting.items()}
        unreached = {
            metric.name: {setting.key: _unreached(setting, metric) for setting in settings}
            for metric in metrics
            if metric.is_level
        }
        return cls(
            {setting.key: setting.label for setting in settings},
            seeds,
            {metric.name: metric for metric in metrics},
            values,
            baseline,
            images or {},
            smallest,
            unreached,
            {setting.key: setting.trials for setting in settings},
            untimed,
            is_blocked,
            unlooked,
        )

    def untested(self, metric: Metric) -> str:
        """Why nothing is tested on a metric; empty where it is."""
        return self.unlooked or (self.untimed if metric.unit in TIMES else "")

    def failed(self, key: str) -> list[Trial]:
        """The trials of a setting that failed."""
        return [trial for trial in self.trials.get(key, ()) if trial.status == "failed"]

    def last(self, metric: str, key: str) -> int:
        """How many trials of a setting have no number and are known to be behind all that have one.

        They never came to the level that the metric is about, or diverged; of what a training costs that says nothing.
        """
        late = len(self.unreached.get(metric, {}).get(key, {}))
        known = self.metrics[metric]
        is_cost = known.unit in (*TIMES, "epochs") and not known.is_level
        return late if is_cost else late + sum(trial.failure == "nan" for trial in self.failed(key))

    def left_out(self, metric: str, key: str) -> list[Trial]:
        """The trials of a setting that have no number on a metric and do not come last either."""
        are_last = self.last(metric, key) > 0
        known = {**self.values[metric][key], **self.unreached.get(metric, {}).get(key, {})}
        trials = [trial for trial in self.trials.get(key, ()) if trial.seed not in known]
        # A measure of all runs of a setting together is none of a single trial.
        trials = [trial for trial in trials if trial.status != "finished" or metric in trial.metrics]
        return [trial for trial in trials if not (are_last and trial.failure == "nan")]

    def ranked(self, metric: str, key: str) -> list[float]:
        """The values of a setting's repeats, low ones the better, with infinity for those that come last."""
        sign = -1 if self.metrics[metric].better == "higher" else 1
        values = (sign * value for value in self.values[metric][key].values())
        return [*values, *[inf] * self.last(metric, key)]

    def at_least(self, metric: str, key: str) -> dict[int, float]:
        """The values of a setting by seed, with the least that it can be for those that never came to the level."""
        return {**self.values[metric][key], **self.unreached.get(metric, {}).get(key, {})}

    def step(self, metric: Metric) -> float:
        """In which the values are counted: one picture of all that were scored, one epoch; 0 where they are not."""
        if metric.unit == "epochs":
            return 1.0
        images = self.images.get(metric.name)
        return 1 / images if images and metric.unit == "share" else 0.0

    def frame(self, metric: str, keys: Sequence[str] | None = None) -> "pd.DataFrame":
        """Seeds by settings; NaN where a trial has no number."""
        import pandas as pd

        by_setting = self.values[metric]
        columns = {
            self.labels[key]: [by_setting[key].get(seed, float("nan")) for seed in self.seeds]
            for key in keys or list(self.labels)
        }
        return pd.DataFrame(columns, index=list(self.seeds))

    def summary(self, metric: Metric, key: str) -> MetricSummary:
        """One metric of one setting."""
        by_seed = self.values[metric.name][key]
        seeds = tuple(seed for seed in self.seeds if seed in by_seed)
        values = tuple(by_seed[seed] for seed in seeds)
        late = self.unreached.get(metric.name, {}).get(key)
        if late:
            words = f"none: {len(late)} of {len(values) + len(late)} never reached it"
            return MetricSummary(metric.name, seeds, values, None, None, None, None, words)
        mean = fmean(values) if values else None
        interval = evaluation.mean_interval(values, within=bounds(metric), step=self.step(metric))
        if interval is None and len(values) == 1:
            interval = evaluation.score_interval(metric.name, values[0], self.images.get(metric.name, 0))
        std = stdev(values) if len(values) > 1 else None
        return MetricSummary(
            metric.name, seeds, values, mean, std, *ends(interval), interval.method if interval else ""
        )


def _unreached(setting: Setting, metric: Metric) -> dict[int, float]:
    if setting.members:
        # An ensemble is not trained, so it is on no way to a level.
        return {}
    late = [trial for trial in setting.finished if trial.metrics.get(metric.name) is None]
    # What the last epoch did not reach would have taken one more.
    return {trial.seed: trial.epochs + 1.0 if metric.unit == "epochs" else trial.seconds for trial in late}
