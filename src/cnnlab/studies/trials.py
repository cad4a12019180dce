"""Which runs are the trials of a study: every setting with every seed, found by digest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.digests import digest
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.measurements import MeasuredRuns
from cnnlab.core.scored_splits import OUT_OF_FOLD
from cnnlab.core.sinks import in_short
from cnnlab.objectives import Objective
from cnnlab.runs import RunStore, RunSummary
from cnnlab.studies.execution.shared_data import DatasetCache
from cnnlab.studies.planned_settings import PlannedSetting
from cnnlab.training.prepare import TrainingSetup, data_digest, data_key, prepare


@dataclass(frozen=True)
class SettingFacts:
    """What was found out about a setting by reading its recipe against its data.

    :param identity: what the digests of its trials are taken over, but for the seed.
    :param splits: that have targets and are scored in the end.
    :param sizes: pictures of every split.
    :param epochs: done when it ends, over all trainings that it is of.
    :param folds: trainings that a trial is of.
    :param pictures: a digest of those that it is scored on in the end.
    """

    identity: Mapping[str, Any]
    objective: Objective
    splits: tuple[str, ...]
    sizes: Mapping[str, int]
    epochs: int
    folds: int = 1
    pictures: str = ""

    def digest(self, seed: int) -> str:
        """Of the trial with this seed."""
        return digest({**self.identity, "seed": seed})

    @property
    def measured(self) -> MeasuredRuns:
        """What can be measured of its trials."""
        objective, tallied = self.objective, ("loss", *self.objective.tallied)
        scores = {split: tallied if split == "train" else objective.measured for split in self.splits}
        # Each fold has a history of its own.
        followed = {split: names for split, names in scores.items() if split != "test" and self.folds == 1}
        return MeasuredRuns(scores, followed, objective.select, objective.better, getattr(objective, "names", None))


class Trials:
    """Digests and runs of the trials of a study.

    :param sets: data sets that were loaded are put here, by :func:`~cnnlab.training.prepare.data_key`.
    """

    def __init__(self, store: RunStore, data_dir: Path | None = None, offline: bool = False) -> None:
        self.store, self.data_dir, self.offline = store, data_dir, offline
        self.sets = DatasetCache()
        self._known: dict[str, SettingFacts] = {}
        self._found: dict[str, RunSummary] = {}

    def read(self, settings: Iterable[PlannedSetting]) -> None:
        """Reads all recipes against their data, which is loaded once for all that share it.

        :raises UsageError: for one that cannot be meant.
        """
        new = [setting for setting in settings if setting.trained_as not in self._known]
        for setting in sorted(new, key=_data_of):
            self.known(setting)

    def known(self, setting: PlannedSetting) -> SettingFacts:
        """What a setting's recipe comes to on its data."""
        if setting.trained_as not in self._known:
            self._known[setting.trained_as] = self.known_of(setting)
        return self._known[setting.trained_as]

    def known_of(self, setting: PlannedSetting) -> SettingFacts:
        """The same for a setting that is no part of the study, and is not remembered."""
        try:
            return _known(
                prepare(
                    setting.recipe,
                    self.store,
                    data_dir=self.data_dir,
                    offline=self.offline,
                    datasets=self.sets,
                )
            )
        except CnnlabError as error:
            values = ", ".join(f"{axis}={in_short(label)}" for axis, label in setting.values.items())
            raise UsageError(f"the setting {values}: {error}" if values else str(error)) from error

    def digest(self, setting: PlannedSetting, seed: int) -> str:
        """Of one trial.

        :param seed: of its repeat.
        """
        return self.known(setting).digest(seed + setting.seeds_added)

    def look(self) -> None:
        """Takes stock of the runs there are."""
        self._found = {}
        for summary in self.store.list():
            key = str(summary.info.get("digest") or "")
            if key not in self._found or _rank(summary) < _rank(self._found[key]):
                self._found[key] = summary

    def run(self, trial_digest: str) -> RunSummary | None:
        """The run of a trial when stock was last taken: a finished one where there is one."""
        return self._found.get(trial_digest)


def is_for_good(failure: Mapping[str, Any], run: RunSummary | None) -> bool:
    """Whether a trial that failed would fail the same way again: its loss stopped being a number.

    Not where its run was deleted since, which asks for it to be trained anew. Every other failure may have been the
    machine's: memory that ran out, a full disk, a file that was not there.
    """
    return failure["kind"] == "nan" and run is not None


def _known(read: TrainingSetup) -> SettingFacts:
    splits = tuple(name for name, part in read.dataset.parts() if part.targets and len(part))
    identity = read.recipe.identity(data_digest(read.recipe, read.dataset), read.start_digest)
    sizes = {name: len(part) for name, part in read.dataset.parts()}
    folds = 1 if read.recipe.fold is not None else read.recipe.folds or 1
    if folds > 1:
        splits = (*(split for split in splits if split != "train"), OUT_OF_FOLD)
    scored = read.dataset.test or read.dataset.validation or read.dataset.train
    return SettingFacts(identity, read.objective, splits, sizes, read.plan.end * folds, folds, scored.digest)


def _data_of(setting: PlannedSetting) -> str:
    return data_key(setting.recipe)


def _rank(summary: RunSummary) -> tuple[int, int]:
    order: Sequence[str] = ("finished", "unfinished", "failed")
    status = summary.status
    return (order.index(status) if status in order else len(order), summary.repeat)
