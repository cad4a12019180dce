"""Which runs are the trials of a study: every setting with every seed, found by digest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.digests import digest
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.measurements import MeasuredRuns
from cnnlab.core.sinks import in_short
from cnnlab.objectives import Objective
from cnnlab.runs import RunStore, RunSummary
from cnnlab.studies.execution.shared_data import DatasetCache
from cnnlab.studies.settings import PlannedSetting
from cnnlab.training.prepare import TrainingSetup, data_key, prepare


@dataclass(frozen=True)
class SettingFacts:
    """What was found out about a setting by reading its recipe against its data.

    :param identity: what the digests of its trials are taken over, but for the seed.
    :param splits: that have targets.
    :param sizes: pictures of every split.
    :param epochs: done when it ends.
    """

    identity: Mapping[str, Any]
    objective: Objective
    splits: tuple[str, ...]
    sizes: Mapping[str, int]
    epochs: int

    def digest(self, seed: int) -> str:
        """Of the trial with this seed."""
        return digest({**self.identity, "seed": seed})

    @property
    def measured(self) -> MeasuredRuns:
        """What can be measured of its trials."""
        objective, tallied = self.objective, ("loss", *self.objective.tallied)
        scores = {split: tallied if split == "train" else objective.measured for split in self.splits}
        followed = {split: names for split, names in scores.items() if split != "test"}
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
        new = [setting for setting in settings if setting.key not in self._known]
        for setting in sorted(new, key=_data_of):
            self.known(setting)

    def known(self, setting: PlannedSetting) -> SettingFacts:
        """What a setting's recipe comes to on its data."""
        if setting.key not in self._known:
            self._known[setting.key] = self.known_of(setting)
        return self._known[setting.key]

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
        """Of one trial."""
        return self.known(setting).digest(seed)

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
    identity = read.recipe.identity(read.dataset.digest, read.start_digest)
    sizes = {name: len(part) for name, part in read.dataset.parts()}
    return SettingFacts(identity, read.objective, splits, sizes, read.plan.end)


def _data_of(setting: PlannedSetting) -> str:
    return data_key(setting.recipe)


def _rank(summary: RunSummary) -> tuple[int, int]:
    order: Sequence[str] = ("finished", "unfinished", "failed")
    status = summary.status
    return (order.index(status) if status in order else len(order), summary.repeat)
