"""What a study would train, what is there already, and how long the rest would take."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from cnnlab.core.errors import CnnlabError
from cnnlab.core.messages import announcing, track
from cnnlab.runs.record import json_value
from cnnlab.studies.designs import SearchDesign
from cnnlab.studies.execution.run_trial import StepTiming, time_steps
from cnnlab.studies.planned_settings import PlannedEnsemble, PlannedSetting, seeds_first
from cnnlab.studies.record import StudyRecord
from cnnlab.studies.search import searched
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.study_ensembles import StudyEnsembles
from cnnlab.studies.trials import SettingFacts, Trials, is_for_good
from cnnlab.training.execution import describe_execution

State = Literal["finished", "pruned", "unfinished", "failed", "missing"]
STATES: tuple[State, ...] = get_args(State)
_MOST_TIMED = 12
_SECONDS = 0.5
_SCORING = 1 / 3
"""A picture that is only scored, against one that is trained on: forwards without backwards."""
_OVERHEAD = 0.05
"""Seconds of a trial beside its training."""


@dataclass(frozen=True)
class PlannedTrial:
    """One trial as things stand.

    :param state: ``unfinished`` where it was begun and would go on; ``pruned`` where a search stopped it for good.
    :param epochs_left: to train; 0 for one that is finished or pruned, or would fail again.
    """

    setting: str
    label: str
    seed: int
    state: State
    run: str | None
    epochs: int
    epochs_left: int
    reason: str | None = None


@dataclass(frozen=True)
class Estimate:
    """How long the missing trials would take, from a few timed steps.

    :param seconds: with the trials at once that the study would have.
    :param images_per_second: of one training, by setting key.
    :param precision_choices: likewise, where it was timed: the number format, why, and how long choosing it took.
    :param computed: in what they were computed, a line for each way there is.
    """

    seconds: float
    trials_at_once: int
    images_per_second: Mapping[str, float]
    precision_choices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    computed: tuple[str, ...] = ()


@dataclass(frozen=True)
class StudyPlan:
    """Every trial of a study; of a search, those it has asked for so far.

    :param still_to_choose: settings that a search has yet to choose.
    :param ensembles: of every repeat, which are made of these trials once they are trained.
    :param adds_repeats: how further repeats are added after these, as ``until(claims, most=10)``.
    """

    name: str
    question: str
    design: str
    settings: int
    trials: tuple[PlannedTrial, ...]
    still_to_choose: int = 0
    adds_repeats: str | None = None
    ensembles: tuple[PlannedTrial, ...] = ()
    estimate: Estimate | None = None

    def count(self, state: State) -> int:
        """Trials in this state."""
        return sum(trial.state == state for trial in self.trials)

    @property
    def epochs_left(self) -> int:
        """Over all trials."""
        return sum(trial.epochs_left for trial in self.trials)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        counts = {state: self.count(state) for state in STATES}
        return {**json_value(asdict(self)), "counts": counts, "epochs_left": self.epochs_left}


def plan_of(study_settings: StudySettings, trials: Trials, record: StudyRecord) -> StudyPlan:
    """The plan as things stand; the runs were looked at before."""
    file = study_settings.file
    left, pruned = 0, set()
    if isinstance(study_settings.design, SearchDesign):
        left = study_settings.design.trials - len(record.steps[: study_settings.design.trials])
        pruned = {step.setting for step in searched(study_settings, record.steps, "").steps if step.state == "pruned"}
    planned = tuple(
        _trial(setting, seed, trials, record, setting.key in pruned)
        for setting, seed in seeds_first(study_settings.trained, study_settings.seeds)
    )
    made = StudyEnsembles(study_settings, trials, record)
    ensembles = tuple(_ensemble(each, seed, made) for seed in study_settings.seeds for each in study_settings.ensembles)
    adds = file.repeats if isinstance(file.repeats, str) else None
    count = len(study_settings.settings) + len(study_settings.ensembles)
    return StudyPlan(file.name, file.question, file.design, count, planned, left, adds, ensembles)


def estimate(plan: StudyPlan, study_settings: StudySettings, trials: Trials, record: StudyRecord) -> Estimate:
    """Times a few steps of each network there is, up to a dozen of them, in this process."""
    settings = {setting.key: setting for setting in study_settings.trained}
    left = [trial for trial in plan.trials if trial.epochs_left]
    speeds: dict[str, float] = {}
    by_kind: dict[str, StepTiming] = {}
    at_once = int(record.execution.get("trials_at_once") or 1)
    threads = record.execution.get("threads")
    choices: dict[str, Mapping[str, Any]] = {}
    keys = list(dict.fromkeys(trial.setting for trial in left))
    for key in track(keys, "timing steps", len(keys)):
        kind = _kind(settings[key])
        if kind not in by_kind and len(by_kind) < _MOST_TIMED:
            with announcing(f"timing a few steps of {settings[key].label}"):
                by_kind[kind] = _timed(settings[key], trials, threads)
        # Of more kinds than are timed, the slowest stands for the rest.
        known = by_kind.get(kind)
        timed = known or min(by_kind.values(), key=lambda timing: timing.images_per_second)
        speeds[key] = timed.images_per_second
        choices |= {} if known is None else {key: known.choice.to_dict()}
    seconds = sum(_seconds(trial, trials.known(settings[trial.setting]), speeds[trial.setting]) for trial in left)
    chosen = len(left) / len(study_settings.seeds) if left else 0.0
    if plan.still_to_choose and chosen:
        seconds *= 1 + plan.still_to_choose / chosen
    computed = dict.fromkeys(describe_execution(timing.execution, timing.choice) for timing in by_kind.values())
    return Estimate(seconds / at_once, at_once, speeds, choices, tuple(computed))


def _seconds(trial: PlannedTrial, known: SettingFacts, images_per_second: float) -> float:
    """Of the epochs left, with what is scored after each and at the end, and a trial's start and record."""
    trained = trial.epochs_left * known.sizes["train"]
    held_out = sum(known.sizes.values()) - known.sizes["train"]
    scored = trial.epochs_left * known.sizes.get("validation", 0) + held_out
    return (trained + scored * _SCORING) / images_per_second + _OVERHEAD


def _trial(setting: PlannedSetting, seed: int, trials: Trials, record: StudyRecord, is_pruned: bool) -> PlannedTrial:
    known, digest = trials.known(setting), trials.digest(setting, seed)
    run, failure = trials.run(digest), record.failures.get(digest)
    done = run.epochs_done if run is not None else 0
    name = run.name if run is not None else None
    state: State = "missing"
    reason: str | None = None
    if run is not None:
        state = "finished" if run.status == "finished" else "unfinished"
    if state != "finished" and is_pruned:
        state = "pruned"
    elif state != "finished" and failure is not None:
        state, reason = "failed", failure["reason"]
    is_over = state in ("finished", "pruned") or (failure is not None and is_for_good(failure, run))
    left = 0 if is_over else max(0, known.epochs - done)
    return PlannedTrial(setting.key, setting.label, seed, state, name, known.epochs, left, reason)


def _ensemble(ensemble: PlannedEnsemble, seed: int, made: StudyEnsembles) -> PlannedTrial:
    """An ensemble as things stand, which takes no epochs."""
    found = made.find(ensemble, seed)
    run = None if found is None else found[1]
    failure = None if found is None else made.record.failures.get(found[0])
    state: State = "finished" if run is not None else "failed" if failure is not None else "missing"
    name, reason = (None if run is None else run.name), (None if failure is None else failure["reason"])
    return PlannedTrial(ensemble.key, ensemble.label, seed, state, name, 0, 0, reason)


def _kind(setting: PlannedSetting) -> str:
    """What settings that train equally fast have in common."""
    recipe = setting.recipe
    phases = recipe.normal()
    return "/".join(map(str, (recipe.data, recipe.model, recipe.precision, *(phase.batch_size for phase in phases))))


def _timed(setting: PlannedSetting, trials: Trials, threads: int | None) -> StepTiming:
    recipe = {**setting.recipe.to_dict(), **({"threads": threads} if threads else {})}
    try:
        return time_steps(
            recipe, data_dir=trials.data_dir, offline=trials.offline, datasets=trials.sets, seconds=_SECONDS
        )
    except CnnlabError as error:
        raise CnnlabError(f"{setting.label} cannot be timed: {error}") from error
