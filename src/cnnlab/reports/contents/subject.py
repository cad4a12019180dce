"""What a report is about: a result with its runs, which settings its figures show, and in which colours."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from cnnlab.reports.canvas import COLOURS
from cnnlab.reports.contents.short_specs import telling
from cnnlab.reports.contents.tables import cut
from cnnlab.runs import Run
from cnnlab.studies.result import Metric, Setting, StudyResult, Summary, Trial

GREY = "#8A8A8A"
"""Of settings that figures show as background."""
MOST_SHOWN = 6
_NAME, _LEAST_PART = 23, 7
"""Letters of a setting's name in figures, and of each part of it at least."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A study's result, or that of runs which belong to no study, with the runs that are still there.

    :param runs: by the name of their folder.
    :param is_study: whether there is a study behind it that can be run again by name.
    """

    result: StudyResult
    runs: Mapping[str, Run] = field(default_factory=dict)
    is_study: bool = True

    @property
    def metric(self) -> Metric:
        """The one that the settings are judged by."""
        return self.result.metric

    @property
    def sign(self) -> int:
        """1 where more of the metric is better, else -1."""
        return 1 if self.metric.better == "higher" else -1

    @cached_property
    def ranked(self) -> tuple[Setting, ...]:
        """The settings that have a mean, the best first."""
        known = [setting for setting in self.result.settings if self.mean(setting) is not None]
        return tuple(sorted(known, key=lambda setting: -self.sign * (self.mean(setting) or 0.0)))

    @property
    def best(self) -> Setting | None:
        """The one with the best mean."""
        return self.ranked[0] if self.ranked else None

    @property
    def baseline(self) -> Setting | None:
        """The one that the others are compared with."""
        key = self.result.baseline
        return None if key is None else self.result.setting(key)

    @cached_property
    def shown(self) -> tuple[Setting, ...]:
        """The few settings that figures tell apart by colour, in the order of the study.

        All of them where they are few; else the best and the baseline, and the next best.
        """
        settings = self.result.settings
        if len(settings) <= MOST_SHOWN:
            return settings
        first = [setting for setting in (self.best, self.baseline) if setting is not None]
        wanted = list(dict.fromkeys([setting.key for setting in (*first, *self.ranked)]))[:MOST_SHOWN]
        return tuple(setting for setting in settings if setting.key in wanted)

    @cached_property
    def colours(self) -> Mapping[str, str]:
        """Of each setting by its key, the same in every figure and table."""
        own = {setting.key: COLOURS[place] for place, setting in enumerate(self.shown)}
        return {setting.key: own.get(setting.key, GREY) for setting in self.result.settings}

    def summary(self, setting: Setting, metric: str | None = None) -> Summary | None:
        """Of one metric, the one judged by unless named."""
        return setting.summary(metric or self.metric.name)

    def mean(self, setting: Setting, metric: str | None = None) -> float | None:
        """Over the repeats."""
        found = self.summary(setting, metric)
        return None if found is None else found.mean

    @cached_property
    def names(self) -> Mapping[str, str]:
        """What figures call each setting, by its key: the values of its axes alone, cut where they are long.

        Where cutting leaves two of one name, the key stands before it.
        """
        axes = [axis for axis in self.result.axes if len(axis.values) > 1]
        values = {axis.name: telling([value.label for value in axis.values]) for axis in axes}
        is_of_values = len(axes) > 1 and self.result.search is None
        names = {}
        for setting in self.result.settings:
            words = [values[axis.name].get(label, label) for axis in axes if (label := setting.values.get(axis.name))]
            if not is_of_values or not words:
                words = [setting.label]
            room = max(_LEAST_PART, _NAME // len(words))
            is_long = sum(map(len, words)) + 3 * (len(words) - 1) > _NAME
            names[setting.key] = " · ".join(cut(word, room) if is_long else word for word in words)
        counts = Counter(names.values())
        return {key: name if counts[name] == 1 else f"{key}: {name}" for key, name in names.items()}

    def label(self, key: str) -> str:
        """Of a setting by its key."""
        return self.result.setting(key).label

    def runs_of(self, setting: Setting) -> tuple[tuple[Trial, Run], ...]:
        """The trials whose runs are still there, those that are not finished too, in the order of the seeds."""
        known = ((trial, self.runs.get(trial.run or "")) for trial in setting.trials)
        return tuple((trial, run) for trial, run in known if run is not None)

    @property
    def is_settled(self) -> bool:
        """Whether every trial has come to its end, so that the test split may be looked at closely."""
        return not any(trial.status == "missing" for setting in self.result.settings for trial in setting.trials)
