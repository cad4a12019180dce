"""The numbers of a study as tables: one for each metric, a row a seed, a column a setting."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Literal

from cnnlab import evaluation
from cnnlab.evaluation import MINUTES, NUMBER, POINTS, SECONDS, Interval, Unit
from cnnlab.studies.result import Family, Metric, MetricSummary, Setting, SettingComparison
from cnnlab.studies.statistics.rank_comparisons import family_by_ranks

if TYPE_CHECKING:
    import pandas as pd

    from cnnlab.evaluation import Comparisons, Difference, McNemarResult

FamilyKind = Literal["baseline", "pairs"]
MOST_PAIRED = 30
"""Settings up to which all pairs are compared."""
_UNITS: Mapping[str, Unit] = {
    "share": POINTS,
    "minutes": MINUTES,
    "seconds": SECONDS,
    "epochs": Unit("epochs", 1.0, 1),
    "images/s": Unit("images/s", 1.0, 0),
}


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


@dataclass
class Tables:
    """The trials of a study by metric.

    :param labels: of the settings by key, in order.
    :param values: for each metric, by setting key and seed; only numbers.
    :param image_by_image: two settings of one run each, by their keys, where that can be done.
    :param unreached: likewise, where a finished trial never came to a level: the least that it would have taken.
    :param images: scored by each metric, where that is known.
    :param smallest: the smallest difference of interest, in the unit of the metric the study is judged by.
    :param planned: for each metric the keys of settings that claims compare with each other, left and right.
    """

    labels: Mapping[str, str]
    seeds: Sequence[int]
    metrics: Mapping[str, Metric]
    values: Mapping[str, Mapping[str, Mapping[int, float]]]
    baseline: str | None = None
    images: Mapping[str, int] = field(default_factory=dict)
    smallest: float | None = None
    planned: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    unreached: Mapping[str, Mapping[str, Mapping[int, float]]] = field(default_factory=dict)
    image_by_image: Callable[[Metric, str, str], "McNemarResult | None"] = field(default=lambda *_: None)
    _compared: dict[tuple[str, str | None, float | None, bool], "Comparisons"] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        settings: Iterable[Setting],
        seeds: Sequence[int],
        metrics: Sequence[Metric],
        *,
        baseline: str | None = None,
        images: Mapping[str, int] | None = None,
        smallest: float | None = None,
        planned: Mapping[str, Sequence[tuple[str, str]]] | None = None,
        image_by_image: Callable[[Metric, str, str], "McNemarResult | None"] = lambda *_: None,
    ) -> "Tables":
        """Of settings with their trials."""
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
        unreached = {
            metric.name: {setting.key: _unreached(setting, metric) for setting in settings}
            for metric in metrics
            if metric.is_level
        }
        labels = {setting.key: setting.label for setting in settings}
        by_name = {metric.name: metric for metric in metrics}
        return cls(
            labels,
            seeds,
            by_name,
            values,
            baseline,
            images or {},
            smallest,
            planned or {},
            unreached,
            image_by_image,
        )

    def late(self, metric: str, keys: Iterable[str]) -> bool:
        """Whether any trial of these settings never came to the level that the metric is about."""
        return any(self.unreached.get(metric, {}).get(key) for key in keys)

    def ranked(self, metric: str, key: str) -> list[float]:
        """The values of a setting's repeats, with infinity for those that never came to the level."""
        return [*self.values[metric][key].values(), *(inf for _ in self.unreached.get(metric, {}).get(key, {}))]

    def at_least(self, metric: str, key: str) -> dict[int, float]:
        """The values of a setting by seed, with the least that it can be for those that never came to the level."""
        return {**self.values[metric][key], **self.unreached.get(metric, {}).get(key, {})}

    def step(self, metric: Metric) -> float:
        """In which the values are counted: one picture of all that were scored; 0 where they are not counted."""
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

    def compared(
        self, metric: str, baseline: str | None, smallest: float | None = None, *, as_planned: bool = False
    ) -> "Comparisons":
        """All settings on one metric: with one of them, among each other, or those that claims compare.

        :param smallest: the smallest difference of interest, where it is not the study's.
        """
        known = self.metrics[metric]
        if smallest is None and metric == next(iter(self.metrics)):
            smallest = self.smallest
        place = (metric, baseline, smallest, as_planned)
        if place not in self._compared:
            self._compared[place] = evaluation.compare_settings(
                self.frame(metric),
                baseline=None if baseline is None else self.labels[baseline],
                planned=[(self.labels[left], self.labels[right]) for left, right in self.planned[metric]]
                if as_planned
                else None,
                higher_is_better=known.better == "higher",
                unit=difference_unit(known),
                smallest=smallest,
                step=self.step(known),
                within=bounds(known),
            )
        return self._compared[place]

    def between(self, metric: str, left: str, right: str, smallest: float | None = None) -> "Difference":
        """One setting against another, as a claim compares them.

        With the baseline every setting is compared, claimed or not. Two others were chosen before anything trained,
        so what could have been chosen besides does not count: claims are corrected among themselves.
        """
        left_label, right_label = self.labels[left], self.labels[right]
        if self.baseline in (left, right):
            return self.compared(metric, self.baseline, smallest).between(left_label, right_label)
        return self.compared(metric, None, smallest, as_planned=True).between(left_label, right_label)

    def leading(self, metric: str, key: str) -> "list[Difference]":
        """One setting against every other."""
        comparisons = self.compared(metric, key)
        return [comparisons.between(self.labels[key], self.labels[other]) for other in self.labels if other != key]

    def family(self, metric: str) -> Family | None:
        """The comparisons to report on one metric; None where there are none to make."""
        if len(self.labels) < 2 or (self.baseline is None and len(self.labels) > MOST_PAIRED):
            return None
        if self.late(metric, self.labels):
            return family_by_ranks(self, metric)
        if not any(self.values[metric].values()):
            return None
        comparisons = self.compared(metric, self.baseline)
        keys = {label: key for key, label in self.labels.items()}
        return Family(
            metric,
            "pairs" if self.baseline is None else "baseline",
            comparisons.method,
            comparisons.reason,
            tuple(_comparison(metric, difference, keys) for difference in comparisons.differences),
            comparisons.cautions,
            {
                "pooled_std": comparisons.pooled_std,
                "df": comparisons.df,
                "blocked": comparisons.blocked,
                "level": comparisons.level,
            },
        )


def _unreached(setting: Setting, metric: Metric) -> dict[int, float]:
    late = [trial for trial in setting.finished if trial.metrics.get(metric.name) is None]
    # What the last epoch did not reach would have taken one more.
    return {trial.seed: trial.epochs + 1.0 if metric.unit == "epochs" else trial.seconds for trial in late}


def _comparison(metric: str, difference: "Difference", keys: Mapping[str, str]) -> SettingComparison:
    return SettingComparison(
        metric,
        keys[difference.setting],
        keys[difference.reference],
        difference.estimate,
        *ends(difference.interval),
        difference.p_value,
        difference.verdict,
        difference.sentence,
        difference.repeats,
        difference.more_repeats,
        difference.to_see,
        difference.test,
    )
