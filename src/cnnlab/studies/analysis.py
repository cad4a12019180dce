"""From the runs of a study to its result."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cnnlab.core.measurements import Measure, Metric
from cnnlab.core.number_text import counted
from cnnlab.runs import Predictions, Run, RunSummary, environment
from cnnlab.runs.record import now
from cnnlab.runs.weights import parameters_of
from cnnlab.studies.designs import SearchDesign
from cnnlab.studies.planned_settings import PlannedEnsemble, PlannedSetting, seeds_first
from cnnlab.studies.record import StudyRecord
from cnnlab.studies.result import Claim, EnsembleSummary, Setting, SettingComparison, StudyResult, Trial
from cnnlab.studies.search import searched, steps_left
from cnnlab.studies.sequential_repeats import looks_of
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.statistics.comparisons import StudyComparisons
from cnnlab.studies.statistics.ensemble_summaries import best_key, ensemble_summary
from cnnlab.studies.statistics.multiplicity import SequentialLook, study_family
from cnnlab.studies.statistics.new_images import NewImages, of_one_training
from cnnlab.studies.statistics.published_numbers import ResolvedTable, compare_published
from cnnlab.studies.statistics.resolved_claims import ResolvedClaim
from cnnlab.studies.statistics.single_runs import paired_by
from cnnlab.studies.statistics.tables import Tables, scored_images
from cnnlab.studies.statistics.timing import untimed
from cnnlab.studies.statistics.verdicts import judge_claim
from cnnlab.studies.study_ensembles import StudyEnsembles
from cnnlab.studies.trials import Trials

_FIXED = ("device", "precision", "threads")


class Analysis:
    """What is asked of the trials of a study.

    :param measures: the one the study is judged by first.
    :param compared: how many of them, from the first, are compared between settings.
    :param chosen_by: what the best member of an ensemble is chosen by, on validation; None where there is none.
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
        chosen_by: Measure | None = None,
    ) -> None:
        self.study_settings, self.trials, self.record = study_settings, trials, record
        self.measures, self.compared = measures, compared
        self.claims, self.published, self.chosen_by = claims, published, chosen_by
        self.ensembles = StudyEnsembles(study_settings, trials, record)

    def result(self) -> StudyResult:
        """As things stand; the runs are looked at anew."""
        self.trials.look()
        trained = {setting.key: self._setting(setting) for setting in self.study_settings.trained}
        further = [setting for setting in trained.values() if setting.seeds_added]
        made = [self._ensemble(ensemble, trained) for ensemble in self.study_settings.ensembles]
        bare = [*(setting for setting in trained.values() if not setting.seeds_added), *made]
        file, state = self.study_settings.file, self.record.state
        tables = self.tables(bare)
        new_images = NewImages([*bare, *further], self._predictions)
        comparisons, beside = self.comparisons(bare, tables, new_images), self.tables(further)
        settings = [self._summarised(setting, tables, new_images) for setting in bare]
        finished = [trial for setting in trained.values() for trial in setting.finished]
        is_done = bool(finished) and all(
            t.status in ("finished", "pruned") for s in (*bare, *further) for t in s.trials
        )
        is_done = is_done and not self._still_to_try
        families = [] if file.is_quick else [comparisons.table(metric) for metric in self._compared_by]
        rule = self.study_settings.adds_repeats
        looks = looks_of(self.record.looks(self.study_settings.asked), rule)
        words = (comparisons.family.words, looks.words if looks else "")
        result = StudyResult(
            name=file.name,
            question=file.question,
            design=file.design,
            seeds=self.study_settings.seeds,
            base=self.study_settings.base(),
            axes=self.study_settings.axes(),
            metrics=tuple(measure.metric for measure in self.measures),
            settings=tuple(settings),
            baseline=self.study_settings.baseline,
            families=tuple(family for family in families if family is not None),
            multiplicity="" if file.is_quick else " ".join(text for text in words if text),
            claims=tuple(self._claim(resolved, comparisons) for resolved in self.claims),
            published=() if file.is_quick else tuple(compare_published(table, tables) for table in self.published),
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
            untimed=tables.untimed,
            wall_seconds=float(state.get("wall_seconds") or 0.0),
            notes=(*self._notes(finished), *self._of_nothing(trained.values())),
            looks=looks,
            further=tuple(self._summarised(setting, beside, new_images) for setting in further),
            ensembles=tuple(self._beside(ensemble, trained, comparisons) for ensemble in made),
        )
        return result if rule is None or rule.is_over(result) else replace(result, finished=None)

    def _claim(self, resolved: ResolvedClaim, comparisons: StudyComparisons) -> Claim:
        """What became of a claim; nothing, of a quick trial."""
        if self.study_settings.file.is_quick:
            return Claim(resolved.claim.text, "undecided", "A quick trial decides nothing.")
        return judge_claim(resolved, comparisons)

    def tables(self, settings: Sequence[Setting]) -> Tables:
        """The numbers of all trials."""
        metrics = [measure.metric for measure in self.measures]
        return Tables.of(
            settings,
            self.study_settings.seeds,
            metrics,
            baseline=self.study_settings.baseline,
            together=self._together(settings),
            images=scored_images(run for setting in settings for run in self._finished_runs(setting)),
            smallest=self.study_settings.file.smallest,
            unlooked=self._unlooked(settings),
            untimed=untimed(self._trained_runs),
        )

    def comparisons(self, settings: Sequence[Setting], tables: Tables, new_images: NewImages) -> StudyComparisons:
        """Of the settings with each other, as tables and claims have them."""
        apart = [(ensemble.key, best_key(ensemble.key)) for ensemble in self.study_settings.ensembles]
        family = study_family(self.claims, self._compared_by, list(tables.labels), tables.baseline, apart)
        rule = self.study_settings.adds_repeats
        if rule is not None:
            family = replace(family, look=SequentialLook(rule.design, len(self.study_settings.seeds)))
        return StudyComparisons(tables, family, paired_by(settings, self._predictions), new_images)

    def _unlooked(self, settings: Sequence[Setting]) -> str:
        """Why nothing is compared yet where repeats are added: an early look has no part in the error."""
        is_complete = all(trial.status != "missing" for setting in settings for trial in setting.trials)
        if self.study_settings.adds_repeats is None or is_complete:
            return ""
        count = len(self.study_settings.seeds)
        return f"the next look at the numbers comes after {count} repeats of each setting"

    @property
    def _compared_by(self) -> list[Metric]:
        """The metrics of the tables of comparisons."""
        # What a search tried was chosen by these numbers; tests would make too much of them.
        return [] if self.study_settings.searched else [m.metric for m in self.measures[: self.compared]]

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
        trials = tuple(self._trial(planned, seed) for seed in self.study_settings.seeds)
        kept = {key: value for key, value in planned.recipe.to_dict().items() if key not in ("seed", "name")}
        added = planned.seeds_added
        return Setting(planned.key, planned.label, planned.values, kept, trials, seeds_added=added)

    def _ensemble(self, planned: PlannedEnsemble, trained: Mapping[str, Setting]) -> Setting:
        """An ensemble as a setting."""
        members = [trained[member.key] for member in planned.members]
        trials = tuple(
            self.ensembles.trial(planned, seed, [member.trials[place] for member in members], self.measures)
            for place, seed in enumerate(self.study_settings.seeds)
        )
        recipe = {"ensemble": planned.method, "members": [member.label for member in members]}
        keys = tuple(member.key for member in members)
        return Setting(planned.key, planned.label, planned.values, recipe, trials, members=keys)

    def _beside(
        self, ensemble: Setting, trained: Mapping[str, Setting], comparisons: StudyComparisons
    ) -> EnsembleSummary:
        """An ensemble beside its members, on the metric the study is judged by."""
        metric = self.measures[0].metric

        def compare(ensemble: Setting, best: Setting) -> SettingComparison | None:
            is_asked = comparisons.family.group_of(metric.name, ensemble.key, best.key) is not None
            if self.study_settings.file.is_quick or not is_asked:
                return None
            settings = [ensemble, best]
            paired, new_images = paired_by(settings, self._predictions), NewImages(settings, self._predictions)
            return StudyComparisons(self.tables(settings), comparisons.family, paired, new_images).between(
                metric.name, ensemble.key, best.key
            )

        members = [trained[key] for key in ensemble.members]
        chosen_by = None if self.chosen_by is None else self.chosen_by.metric
        return ensemble_summary(ensemble, members, metric, chosen_by, self.tables, compare)

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

    def _summarised(self, setting: Setting, tables: Tables, new_images: NewImages) -> Setting:
        judged, *further = (measure.metric for measure in self.measures)
        first = new_images.of_mean(tables.summary(judged, setting.key), judged, setting.key)
        summaries = [first, *(tables.summary(metric, setting.key) for metric in further)]
        runs = self._finished_runs(setting)
        summaries = of_one_training(summaries, runs[0]) if len(runs) == 1 else summaries
        return Setting(
            setting.key,
            setting.label,
            setting.values,
            setting.recipe,
            setting.trials,
            tuple(summary for summary in summaries if summary.values),
            self._parameters(setting),
            setting.members,
            setting.seeds_added,
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

    @property
    def _trained_runs(self) -> list[RunSummary]:
        """The finished runs of all trials but the ensembles, which take no time worth telling."""
        tasks = seeds_first(self.study_settings.trained, self.study_settings.seeds)
        runs = (self.trials.run(self.trials.digest(setting, seed)) for setting, seed in tasks)
        return [run for run in runs if run is not None and run.status == "finished"]

    def _parameters(self, setting: Setting) -> int | None:
        """Weights of its network, read off the first finished trial's file; of an ensemble of all that it needs."""
        run = self.trials.run(str(setting.finished[0].digest)) if setting.finished else None
        if run is None:
            return None
        folders = [run.folder.parent / name for name in run.needs] or [run.folder]
        counts = [parameters_of(folder) for folder in folders]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

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
        machines = [run.info.get("environment") or {} for run in runs]
        codes = {str(machine.get("code")) for machine in machines}
        if len(codes) > 1:
            notes.append(f"The trials were trained by {len(codes)} different versions of cnnlab's code.")
        # Builds for other devices are of one version.
        torches = {str(machine["torch"]).partition("+")[0] for machine in machines if machine.get("torch")}
        if len(torches) > 1:
            notes.append(f"The trials were trained by {len(torches)} versions of torch: {', '.join(sorted(torches))}.")
        warned = sum(bool(run.info.get("warnings")) for run in runs)
        if warned:
            notes.append(f"{warned} of {len(runs)} runs hold warnings; see cnnlab runs show RUN.")
        return notes

    def _of_nothing(self, settings: Iterable[Setting]) -> list[str]:
        """The settings with trainings that learned nothing, each with what was found."""
        words = []
        for setting in settings:
            runs = [run for trial in setting.trials if (run := self.trials.run(str(trial.digest))) is not None]
            failed = [run.diagnosis for run in runs if run.diagnosis]
            if failed:
                kinds = dict.fromkeys(kind for diagnosis in failed for kind in diagnosis.kinds)
                found = ", ".join(kinds) or "nothing found that explains it"
                words.append(f"{setting.label} ({found}; {len(failed)} of {counted(len(runs), 'repeat')})")
        if not words:
            return []
        return [f"Nothing was learned by {'; '.join(words)}; runs show tells what was seen of each run."]


def _differs(execution: Mapping[str, Any], fixed: Mapping[str, Any]) -> bool:
    return any(key in execution and execution[key] != fixed.get(key) for key in _FIXED)
