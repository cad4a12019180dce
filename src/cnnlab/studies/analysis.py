"""From the runs of a study to its result."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from cnnlab.core.errors import CnnlabError
from cnnlab.core.files import check_regular
from cnnlab.core.measurements import Measure, Metric
from cnnlab.evaluation import McNemarResult
from cnnlab.runs import Predictions, Run, RunSummary, environment
from cnnlab.runs.record import MODEL, now
from cnnlab.studies.designs import SearchDesign
from cnnlab.studies.record import StudyRecord
from cnnlab.studies.result import Family, Setting, StudyResult, Trial
from cnnlab.studies.search import searched, steps_left
from cnnlab.studies.settings import PlannedSetting, StudySettings
from cnnlab.studies.statistics.families import compare_all
from cnnlab.studies.statistics.published_numbers import ResolvedTable, compare_published
from cnnlab.studies.statistics.single_runs import are_single, paired
from cnnlab.studies.statistics.tables import Tables, scored_images
from cnnlab.studies.statistics.verdicts import ResolvedClaim, judge_claim, planned_pairs
from cnnlab.studies.trials import Trials

_COUNTED_BY = ("running_mean", "running_var", "num_batches_tracked")
_FIXED = ("device", "precision", "threads")


class Analysis:
    """What is asked of the trials of a study.

    :param measures: the one the study is judged by first.
    :param compared: how many of them, from the first, are compared between settings.
    """

    def __init__(
        self,
        study_settings: StudySettings,
        trials: Trials,
        record: StudyRecord,
        measures: Sequence[Measure],
        compared: int,
        claims: Sequence[ResolvedClaim],
        published: Sequence[ResolvedTable],
    ) -> None:
        self.study_settings, self.trials, self.record = study_settings, trials, record
        self.measures, self.compared = measures, compared
        self.claims, self.published = claims, published

    def result(self) -> StudyResult:
        """As things stand; the runs are looked at anew."""
        self.trials.look()
        bare = [self._setting(setting) for setting in self.study_settings.settings]
        file, state = self.study_settings.file, self.record.state
        tables = self.tables(bare)
        settings = [self._summarised(setting, tables) for setting in bare]
        finished = [trial for setting in settings for trial in setting.finished]
        is_done = bool(finished) and all(t.status in ("finished", "pruned") for s in settings for t in s.trials)
        is_done = is_done and not self._still_to_try
        families = [self._family(m.metric, settings, tables) for m in self.measures[: self.compared]]
        return StudyResult(
            name=file.name,
            question=file.question,
            design=file.design,
            seeds=file.repeats,
            base=self.study_settings.base(),
            axes=self.study_settings.axes(),
            metrics=tuple(measure.metric for measure in self.measures),
            settings=tuple(settings),
            baseline=self.study_settings.baseline,
            families=tuple(family for family in families if family is not None),
            claims=tuple(judge_claim(resolved, tables) for resolved in self.claims),
            published=tuple(compare_published(table, tables) for table in self.published),
            search=searched(self.study_settings, self.record.steps, self._led_by)
            if self.study_settings.searched
            else None,
            data=self._data(finished),
            execution=self.record.execution,
            machine=environment(),
            runs=str(self.trials.store.root),
            folder=str(self.record.folder),
            started=state.get("started"),
            updated=state.get("updated"),
            finished=(state.get("updated") or now()) if is_done else None,
            training_seconds=sum(trial.seconds for trial in finished),
            wall_seconds=float(state.get("wall_seconds") or 0.0),
            notes=tuple(self._notes(finished)),
        )

    def tables(self, settings: Sequence[Setting]) -> Tables:
        """The numbers of all trials."""
        metrics = [measure.metric for measure in self.measures]
        return Tables.of(
            settings,
            self.study_settings.file.repeats,
            metrics,
            baseline=self.study_settings.baseline,
            together=self._together(settings),
            images=scored_images(run for setting in settings for run in self._finished_runs(setting)),
            smallest=self.study_settings.file.smallest,
            planned=planned_pairs(self.claims, self.study_settings.baseline),
            image_by_image=partial(self._image_by_image, {setting.key: setting for setting in settings}),
        )

    def _family(self, metric: Metric, settings: Sequence[Setting], tables: Tables) -> Family | None:
        # What a search tried was chosen by these numbers; tests would make too much of them.
        return None if self.study_settings.searched else compare_all(metric, settings, tables, self._predictions)

    def _image_by_image(
        self, settings: Mapping[str, Setting], metric: Metric, left: str, right: str
    ) -> McNemarResult | None:
        """None where it cannot be done, as with predictions that were deleted since."""
        if not are_single([settings[left], settings[right]]):
            return None
        try:
            return paired(settings[left], settings[right], metric, self._predictions)
        except CnnlabError:
            return None

    def _predictions(self, run: str, split: str) -> Predictions:
        return Run(self.trials.store.root / run).predictions(split)

    @property
    def _still_to_try(self) -> int:
        """Steps of a search that are yet to come or to end."""
        design = self.study_settings.design
        return steps_left(design, self.record.steps) if isinstance(design, SearchDesign) else 0

    @property
    def _led_by(self) -> str:
        return str(self.record.state.get("led_by") or "")

    def _setting(self, planned: PlannedSetting) -> Setting:
        trials = tuple(self._trial(planned, seed) for seed in self.study_settings.file.repeats)
        kept = {key: value for key, value in planned.recipe.to_dict().items() if key not in ("seed", "name")}
        return Setting(planned.key, planned.label, planned.values, kept, trials)

    def _trial(self, planned: PlannedSetting, seed: int) -> Trial:
        digest = self.trials.digest(planned, seed)
        run, failure = self.trials.run(digest), self.record.failures.get(digest)
        attempts = self.record.attempts.get(digest, 0)
        if run is not None and run.status == "finished":
            values = {m.metric.name: m.value(run) for m in self.measures if not m.is_of_setting}
            return Trial(
                seed,
                "finished",
                run.name,
                digest,
                metrics=values,
                seconds=run.seconds,
                epochs=run.epochs_done,
                attempts=attempts,
            )
        begun = {"run": run.name, "seconds": run.seconds, "epochs": run.epochs_done} if run is not None else {}
        facts: dict[str, Any] = {**begun, "digest": digest, "attempts": attempts}
        if failure is not None:
            return Trial(seed, "failed", reason=failure["reason"], failure=failure["kind"], **facts)
        pruned = self._pruned(planned)
        if pruned is not None:
            return Trial(seed, "pruned", reason=f"stopped early, after epoch {pruned}", **facts)
        where = f"interrupted after epoch {run.epochs_done} of {run.epochs}" if run is not None else "not trained yet"
        return Trial(seed, "missing", reason=where, **facts)

    def _pruned(self, planned: PlannedSetting) -> int | None:
        if not self.study_settings.searched:
            return None
        steps = searched(self.study_settings, self.record.steps, "").steps
        return next((step.epochs for step in steps if step.setting == planned.key and step.state == "pruned"), None)

    def _summarised(self, setting: Setting, tables: Tables) -> Setting:
        summaries = tuple(tables.summary(measure.metric, setting.key) for measure in self.measures)
        return Setting(
            setting.key,
            setting.label,
            setting.values,
            setting.recipe,
            setting.trials,
            tuple(summary for summary in summaries if summary.values),
            self._parameters(setting),
        )

    def _together(self, settings: Sequence[Setting]) -> dict[str, dict[str, float]]:
        """By metric and setting the measures of all finished runs of a setting."""
        found: dict[str, dict[str, float]] = {}
        for measure in (measure for measure in self.measures if measure.is_of_setting):
            runs = {setting.key: self._finished_runs(setting) for setting in settings}
            values = {key: value for key, some in runs.items() if some and (value := measure.value(some)) is not None}
            found[measure.metric.name] = values
        return found

    def _finished_runs(self, setting: Setting) -> list[RunSummary]:
        runs = (self.trials.run(str(trial.digest)) for trial in setting.finished)
        return [run for run in runs if run is not None]

    def _parameters(self, setting: Setting) -> int | None:
        """Weights of its network, read off the first finished trial's file."""
        run = self.trials.run(str(setting.finished[0].digest)) if setting.finished else None
        return None if run is None else count_parameters(run.folder / MODEL)

    def _data(self, finished: Sequence[Trial]) -> dict[str, Any]:
        run = self.trials.run(str(finished[0].digest)) if finished else None
        return dict(run.info.get("data") or {}) if run is not None else {}

    def _notes(self, finished: Sequence[Trial]) -> list[str]:
        """What a reader should know of how the trials came about."""
        fixed, notes = self.record.execution, []
        runs = [run for trial in finished if (run := self.trials.run(str(trial.digest))) is not None]
        others = [run for run in runs if fixed and _differs(run.info.get("execution") or {}, fixed)]
        if others:
            shown = ", ".join(f"{key} {fixed[key]}" for key in _FIXED if key in fixed)
            notes.append(
                f"{len(others)} of {len(runs)} trials were trained otherwise than the rest ({shown}), such as "
                f"{others[0].name}; their numbers may differ in the last digits."
            )
        codes = {str((run.info.get("environment") or {}).get("code")) for run in runs}
        if len(codes) > 1:
            notes.append(f"The trials were trained by {len(codes)} different versions of cnnlab's code.")
        warned = sum(bool(run.info.get("warnings")) for run in runs)
        if warned:
            notes.append(f"{warned} of {len(runs)} runs hold warnings; see cnnlab runs show RUN.")
        return notes


def _differs(execution: Mapping[str, Any], fixed: Mapping[str, Any]) -> bool:
    return any(key in execution and execution[key] != fixed.get(key) for key in _FIXED)


def count_parameters(path: Path) -> int | None:
    """Trained numbers in a stored classifier, by the head of its file; None where it cannot be read.

    What batch normalisation keeps count of is not trained and does not count.
    """
    try:
        check_regular(path)
        with safe_open(path, "np") as file:
            kept = [name for name in file.keys() if not name.endswith(_COUNTED_BY)]  # noqa: SIM118
            return sum(int(math.prod(file.get_slice(name).get_shape())) for name in kept)
    except (OSError, SafetensorError):
        return None
