"""Search beyond grids: Optuna says what to try next, and is told what came of it.

The study's own record is the memory of a search. A step of it is::

    {number, drawn: {axis: …}, setting, state: asked | complete | pruned | failed, value, epochs, rungs}

Optuna gets a study in memory made of the steps that may be known, for each thing it is asked. Step k knows those up to
k - ``ahead``, no matter which of the others are done, and its sampler is seeded by k. So what is tried depends on the
seed and on results alone, not on which worker was quicker nor on interruptions, and nothing is stored twice.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnnlab.core.errors import UsageError
from cnnlab.core.seeds import derive
from cnnlab.studies.axes import SearchedAxis
from cnnlab.studies.designs import SearchDesign
from cnnlab.studies.execution.scheduler import Scheduler, TrialTask
from cnnlab.studies.planned_settings import PlannedSetting
from cnnlab.studies.record import StudyRecord
from cnnlab.studies.result import Trial
from cnnlab.studies.search_record import Search, SearchStep
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.trials import Trials

if TYPE_CHECKING:
    import optuna

_FREE_TRIALS = 4
"""Trials that a pruner lets through before it has anything to compare with."""
_REDUCTION = 3


def steps_left(design: SearchDesign, steps: Sequence[Mapping[str, Any]]) -> int:
    """Steps of a search that were not told yet how they ended, those to come included."""
    return design.trials - len([step for step in steps[: design.trials] if step["state"] != "asked"])


class SearchScheduler(Scheduler):
    """The tasks of a search.

    :param metric: of the validation split, such as ``validation_accuracy``.
    :param better: ``higher`` or ``lower``.
    """

    def __init__(
        self, study_settings: StudySettings, record: StudyRecord, trials: Trials, metric: str, better: str
    ) -> None:
        assert isinstance(study_settings.design, SearchDesign)
        self.study_settings, self.record, self.trials = study_settings, record, trials
        self.design: SearchDesign = study_settings.design
        self.metric, self.better = metric, better
        self._settings = restore_steps(study_settings, record.steps, self.design.trials)
        self._reopen()
        self._values: dict[str, dict[int, float | None]] = {}
        self._steps_of: dict[str, list[int]] = {}
        self._waiting: deque[TrialTask] = deque()
        for number, step in enumerate(self._steps):
            if step["state"] == "asked":
                self._queue(number)

    @property
    def _steps(self) -> list[dict[str, Any]]:
        return self.record.steps[: self.design.trials]

    @property
    def steps_left(self) -> int:
        """Steps that were not told yet how they ended, those to come included."""
        return steps_left(self.design, self._steps)

    @property
    def is_done(self) -> bool:
        """Whether every step was asked for and given out."""
        return not self._waiting and len(self._steps) >= self.design.trials

    def next(self) -> TrialTask | None:
        """A task of a step asked for before, or of the next step where all that it may know is known."""
        while not self._waiting:
            number = len(self._steps)
            known = self._known_to(number)
            if number >= self.design.trials or any(step["state"] == "asked" for step in known):
                return None
            self._ask(number)
        return self._waiting.popleft()

    def first(self) -> PlannedSetting:
        """A setting to time, asking for the first step where there is none yet."""
        if not self._steps:
            self._ask(0)
        return self._settings[0]

    def trial_ended(self, task: TrialTask, trial: Trial) -> None:
        """Notes the trial's value for the steps of its setting, and closes those that have all their seeds."""
        value = trial.metrics.get(self.metric) if trial.status == "finished" else None
        values = self._values.setdefault(task.setting.key, {})
        values[task.seed] = value
        first, *same = self._asked(task.setting.key)
        if trial.status == "pruned":
            self._steps[first]["state"] = "pruned"
        elif len(values) == len(self.study_settings.seeds):
            known = [v for v in values.values() if v is not None]
            is_whole = len(known) == len(values)
            value = sum(known) / len(known) if is_whole else None
            self._steps[first] |= {"state": "complete" if is_whole else "failed", "value": value, "epochs": None}
        else:
            return
        for number in same:
            self._copy(first, number)

    def goes_on(self, task: TrialTask, history: Sequence[Mapping[str, float]]) -> bool:
        """Whether the pruner lets a trial go on, by every epoch so far in turn."""
        number = self._asked(task.setting.key)[0]
        study = _memory(self._known_to(number), self.study_settings.searched, self.better, _pruner(self.design))
        trial = study.ask()
        step = self._steps[number]
        for row in history:
            value = row.get(self.metric)
            if value is None:
                continue
            epoch = int(row["epoch"])
            trial.report(float(value), epoch)
            step.setdefault("followed", {})[str(epoch)] = float(value)
            is_pruned = trial.should_prune() and epoch < self.trials.known(task.setting).epochs
            step["rungs"] = {k: v for k, v in study.trials[-1].system_attrs.items() if k.startswith("completed_rung")}
            if is_pruned:
                step |= {"epochs": epoch, "value": float(value)}
                return False
        return True

    def _reopen(self) -> None:
        """Steps that are not what they were: a trial is new, was deleted, or failed and may be tried again."""
        for step, setting in zip(self._steps, self._settings, strict=True):
            digests = [self.trials.digest(setting, seed) for seed in self.study_settings.seeds]
            is_held = {
                "complete": all(self._is_finished(digest) for digest in digests),
                "failed": any(digest in self.record.failures for digest in digests),
            }
            if not is_held.get(step["state"], True):
                step |= {"state": "asked", "value": None}

    def _is_finished(self, digest: str) -> bool:
        run = self.trials.run(digest)
        return run is not None and run.status == "finished"

    def _asked(self, key: str) -> list[int]:
        """The steps of a setting that were not told yet how it ended."""
        return [number for number in self._steps_of[key] if self._steps[number]["state"] == "asked"]

    def _copy(self, done: int, number: int) -> None:
        self._steps[number] |= {key: v for key, v in self._steps[done].items() if key not in ("number", "drawn")}

    def _known_to(self, number: int) -> list[dict[str, Any]]:
        return self._steps[: max(0, number - self.design.ahead + 1)]

    def _ask(self, number: int) -> None:
        seed = derive(self.design.seed, "search", number) % 2**32
        study = _memory(
            self._known_to(number), self.study_settings.searched, self.better, sampler=_sampler(self.design, seed)
        )
        trial = study.ask({axis.name: axis.space.distribution() for axis in self.study_settings.searched})
        step = {"number": number, "drawn": dict(trial.params), "state": "asked", "value": None}
        self.record.steps.append(step)
        self._settings.append(_setting(self.study_settings, step))
        self.record.save()
        self._queue(number)

    def _queue(self, number: int) -> None:
        setting = self._settings[number]
        is_new = setting.key not in self._steps_of
        self._steps_of.setdefault(setting.key, []).append(number)
        earlier = next((n for n in self._steps_of[setting.key] if self._steps[n]["state"] != "asked"), None)
        if earlier is not None:
            # Drawn before: it would come out the same.
            self._copy(earlier, number)
            return
        if is_new:
            is_judged = self.design.pruner != "none"
            self._waiting += [
                TrialTask(setting, seed, self.trials.digest(setting, seed), is_judged)
                for seed in self.study_settings.seeds
            ]


def restore_steps(study_settings: StudySettings, steps: Sequence[Mapping[str, Any]], most: int) -> list[PlannedSetting]:
    """The settings of a search's steps so far, in order."""
    names = {axis.name for axis in study_settings.searched}
    for step in steps[:most]:
        if set(step["drawn"]) != names:
            raise UsageError(
                f"the search of {study_settings.file.name} was begun with other axes. Give the changed study another "
                "name."
            )
    return [_setting(study_settings, step) for step in steps[:most]]


def searched(study_settings: StudySettings, steps: Sequence[Mapping[str, Any]], metric: str) -> Search:
    """How the search went so far, for the result."""
    assert isinstance(study_settings.design, SearchDesign)
    told = [step for step in steps[: study_settings.design.trials] if step["state"] != "asked"]
    return Search(
        metric,
        tuple(
            SearchStep(
                int(step["number"]),
                _setting(study_settings, step).key,
                step["value"],
                step["state"],
                step.get("epochs"),
            )
            for step in told
        ),
    )


def _setting(study_settings: StudySettings, step: Mapping[str, Any]) -> PlannedSetting:
    return study_settings.add({axis.name: axis.level(step["drawn"][axis.name]) for axis in study_settings.searched})


def _memory(
    steps: Sequence[Mapping[str, Any]],
    axes: Sequence[SearchedAxis],
    better: str,
    pruner: "optuna.pruners.BasePruner | None" = None,
    sampler: "optuna.samplers.BaseSampler | None" = None,
) -> "optuna.Study":
    """A study of Optuna's with these steps behind it."""
    import optuna
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    direction = optuna.study.StudyDirection.MAXIMIZE if better == "higher" else optuna.study.StudyDirection.MINIMIZE
    study = optuna.create_study(
        direction=direction, sampler=sampler or optuna.samplers.RandomSampler(seed=0), pruner=pruner
    )
    distributions = {axis.name: axis.space.distribution() for axis in axes}
    states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
    for step in steps:
        state = states[step["state"]]
        study.add_trial(
            create_trial(
                state=state,
                params=dict(step["drawn"]),
                distributions=distributions,
                value=step["value"] if state != TrialState.FAIL else None,
                intermediate_values={int(epoch): value for epoch, value in (step.get("followed") or {}).items()},
                system_attrs=dict(step.get("rungs") or {}),
            )
        )
    return study


def _sampler(design: SearchDesign, seed: int) -> "optuna.samplers.BaseSampler":
    from optuna.samplers import RandomSampler, TPESampler

    return RandomSampler(seed=seed) if design.sampler == "random" else TPESampler(seed=seed)


def _pruner(design: SearchDesign) -> "optuna.pruners.BasePruner":
    from optuna.pruners import MedianPruner, SuccessiveHalvingPruner

    if design.pruner == "asha":
        return SuccessiveHalvingPruner(min_resource=1, reduction_factor=_REDUCTION)
    return MedianPruner(n_startup_trials=_FREE_TRIALS)
