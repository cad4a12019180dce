"""What a report is about: a result with its runs, which settings its figures show, and in which colours."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cnnlab.core.errors import CnnlabError
from cnnlab.core.measurements import Metric
from cnnlab.reports.colours import BACKGROUND, LOOKS, Look
from cnnlab.reports.contents.short_specs import telling
from cnnlab.runs import Predictions, Run
from cnnlab.studies.result import Axis, MetricSummary, Setting, StudyResult, Trial

MOST_SHOWN = 6
"""Settings that figures tell apart; more where more are asked for, as many as there are looks."""
_EACH_VALUE = ("one-at-a-time", "leave-one-out")
"""Designs of which every setting is a value that is asked about."""
_NAME = 23
"""Letters of a setting's name that there is room for beside a figure."""


def is_transfer(recipe: Mapping[str, Any]) -> bool:
    """Whether this is the recipe of classifiers on features."""
    return "backbones" in recipe


@dataclass(frozen=True, eq=False)
class Repeat:
    """The stored predictions of one repeat of the best setting."""

    trial: Trial
    run: Run
    predictions: Predictions


@dataclass(frozen=True, eq=False)
class ReportSubject:
    """A study's result, or that of runs which belong to no study, with the runs that are still there.

    :param runs: by the name of their folder.
    :param is_study: whether there is a study behind it that can be run again by name.
    :param data_dir: where data sets are looked for, for pictures of mistakes; never on the network.
    """

    result: StudyResult
    runs: Mapping[str, Run] = field(default_factory=dict)
    is_study: bool = True
    data_dir: Path | None = None

    @property
    def is_of_transfers(self) -> bool:
        """Whether nothing was trained here: every setting is a transfer."""
        return all(is_transfer(setting.recipe) for setting in self.result.settings)

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
        """The settings that have a mean, the best first; those of which trainings diverged come last."""
        known = [setting for setting in self.result.settings if self.mean(setting) is not None]
        return tuple(sorted(known, key=lambda s: (len(s.diverged), -self.sign * (self.mean(s) or 0.0))))

    @property
    def best(self) -> Setting | None:
        """The one with the best mean."""
        return self.ranked[0] if self.ranked else None

    @cached_property
    def quick(self) -> tuple[Setting, ...]:
        """The settings of which there are quick trials only, whose numbers say nothing."""
        return tuple(setting for setting in self.result.settings if setting.recipe.get("quick"))

    @property
    def baseline(self) -> Setting | None:
        """The one that the others are compared with."""
        key = self.result.baseline
        return None if key is None else self.result.setting(key)

    @cached_property
    def shown(self) -> tuple[Setting, ...]:
        """The settings that figures tell apart, in the order of the study.

        All of them where they are few; else those that are asked for, the best, and the next best.
        """
        settings = self.result.settings
        if len(settings) <= MOST_SHOWN:
            return settings
        first = [self.best.key] if self.best is not None else []
        wanted = list(dict.fromkeys([*first, *self.asked]))[: len(LOOKS)]
        wanted += [setting.key for setting in self.ranked if setting.key not in wanted][: MOST_SHOWN - len(wanted)]
        return tuple(setting for setting in settings if setting.key in wanted)

    @cached_property
    def asked(self) -> tuple[str, ...]:
        """The keys of the settings that the question names, the most telling first.

        These are the baseline, those of claims, and all whose place in the design is one value by itself; of runs that
        belong to no study every one, for it was named.
        """
        settings = self.result.settings
        first = [self.result.baseline] if self.result.baseline is not None else []
        claimed = [key for claim in self.result.claims for key in claim.settings]
        design = self.result.design.partition("(")[0]
        is_each = not self.is_study or design in _EACH_VALUE or len(self._varied) == 1
        values = [setting.key for setting in settings] if is_each and not self.result.search else []
        return tuple(dict.fromkeys([*first, *claimed, *values]))

    @cached_property
    def looks(self) -> Mapping[str, Look]:
        """Of each setting by its key, the same in every figure and table."""
        own = {setting.key: LOOKS[place] for place, setting in enumerate(self.shown)}
        return {setting.key: own.get(setting.key, BACKGROUND) for setting in self.result.settings}

    def summary(self, setting: Setting, metric: str | None = None) -> MetricSummary | None:
        """Of one metric, the one judged by unless named."""
        return setting.summary(metric or self.metric.name)

    def mean(self, setting: Setting, metric: str | None = None) -> float | None:
        """Over the repeats."""
        summary = self.summary(setting, metric)
        return None if summary is None else summary.mean

    @cached_property
    def is_called_by_runs(self) -> bool:
        """Whether the settings bear names of runs, because their values are too long or too alike to be names."""
        return not self.is_study and any(setting.label in self.runs for setting in self.result.settings)

    @cached_property
    def is_called_by_values(self) -> bool:
        """Whether the names in figures are the values of several axes, one after the other."""
        return len(self._varied) > 1 and not self.is_called_by_runs

    @cached_property
    def has_keys(self) -> bool:
        """Whether names are too long for figures, or two alike, so that the keys of the settings stand before them."""
        names = list(self._words.values())
        return max(map(len, names), default=0) > _NAME or len(set(names)) < len(names)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """What figures call each setting, by its key, in full."""
        return {key: f"{key} {name}" if self.has_keys else name for key, name in self._words.items()}

    @property
    def _varied(self) -> list[Axis]:
        return [axis for axis in self.result.axes if len(axis.values) > 1]

    @cached_property
    def _words(self) -> Mapping[str, str]:
        values = {axis.name: telling([value.label for value in axis.values]) for axis in self._varied}
        names = {}
        for setting in self.result.settings:
            words = [values[name].get(label, label) for name in values if (label := setting.values.get(name))]
            names[setting.key] = " · ".join(words) if self.is_called_by_values and words else setting.label
        return names

    def label(self, key: str) -> str:
        """Of a setting by its key, as sentences name it: a bare value says of what it is the value."""
        setting = self.result.setting(key)
        axis = next(iter(setting.values), "")
        is_bare = len(setting.values) == 1 and setting.label == setting.values[axis] and "(" not in setting.label
        return f"{axis}={setting.label}" if is_bare else setting.label

    @cached_property
    def unlike(self) -> str:
        """Why the values of the metric cannot be set against each other, in a sentence; empty where they can."""
        digests = {(run.info.get("data") or {}).get("digest") for run in self.runs.values()}
        if not self.is_study and len(digests) > 1:
            return "They were scored on different data, so these numbers do not tell which is better."
        goals = {str(setting.recipe.get("objective")) for setting in self.result.settings}
        if self.metric.name.endswith("loss") and len(goals) > 1:
            return "Their losses are of different objectives, so these numbers do not tell which is better."
        return ""

    def runs_of(self, setting: Setting) -> tuple[tuple[Trial, Run], ...]:
        """The trials whose runs are still there, those that are not finished too, in the order of the seeds."""
        known = ((trial, self.runs.get(trial.run or "")) for trial in setting.trials)
        return tuple((trial, run) for trial, run in known if run is not None)

    @property
    def is_settled(self) -> bool:
        """Whether every trial has come to its end, so that the test split may be looked at closely."""
        return not any(trial.status == "missing" for setting in self.result.all_settings for trial in setting.trials)

    @cached_property
    def best_repeats(self) -> tuple[Repeat, ...]:
        """The stored predictions of the best setting: on test where everything is done, before that on validation."""
        if self.best is None:
            return ()
        for split in ("test", "validation") if self.is_settled else ("validation",):
            repeats = tuple(self._repeats(self.best, split))
            if repeats:
                return repeats
        return ()

    def repeats_of(self, setting: Setting, split: str | None = None) -> tuple[Repeat, ...]:
        """The stored predictions of any setting, on a split or on that of :attr:`best_repeats`."""
        usual = self.best_repeats[0].predictions.split if self.best_repeats else "validation"
        return tuple(self._repeats(setting, split or usual))

    def _repeats(self, setting: Setting, split: str) -> list[Repeat]:
        repeats = []
        for trial, run in self.runs_of(setting):
            if trial.status != "finished" or split not in run.splits:
                continue
            try:
                predictions = run.predictions(split)
            except CnnlabError:
                continue
            if predictions.targets and len(predictions):
                repeats.append(Repeat(trial, run, predictions))
        # Repeats on other pictures, as after the data was changed, cannot be counted together.
        return [repeat for repeat in repeats if _is_like(repeat.predictions, repeats[0].predictions)]


def _is_like(first: Predictions, second: Predictions) -> bool:
    return (first.data, first.ids, first.classes) == (second.data, second.ids, second.classes)
