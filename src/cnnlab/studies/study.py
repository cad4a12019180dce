"""A study from its file to its result: what ``cnnlab study`` and ``cnnlab.Study`` do."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.core import memory
from cnnlab.core.displays import html_facts
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.measurements import Measure, read_measure, usual_names
from cnnlab.core.messages import note, showing, warn
from cnnlab.core.number_text import counted
from cnnlab.core.scored_splits import OUT_OF_FOLD, read_score_name, score_name
from cnnlab.runs import Run, store_at
from cnnlab.runs.mirrors import check_mirrors, parse_mirrors
from cnnlab.runs.run_info import QUICK
from cnnlab.studies.analysis import Analysis
from cnnlab.studies.catalogue import find_study, study_folder
from cnnlab.studies.claim_grammar import read_claim
from cnnlab.studies.designs import SearchDesign
from cnnlab.studies.execution.clusters.choose import Cluster
from cnnlab.studies.execution.clusters.cluster_executor import ClusterExecutor, ClusterRefusedError, ClusterSilentError
from cnnlab.studies.execution.executor import Executor
from cnnlab.studies.execution.parallelism import choose_parallelism, execution_keys, parallelism_choices
from cnnlab.studies.execution.process_executor import ProcessExecutor
from cnnlab.studies.execution.runner import Runner
from cnnlab.studies.execution.scheduler import AddingScheduler, FixedScheduler, Scheduler, TrialTask
from cnnlab.studies.execution.thread_executor import ThreadExecutor
from cnnlab.studies.planned_settings import PlannedSetting, seeds_first
from cnnlab.studies.planning import StudyPlan, plan_of
from cnnlab.studies.progress import StudyProgress
from cnnlab.studies.python_objects import parcels
from cnnlab.studies.record import StudyRecord
from cnnlab.studies.result import StudyResult
from cnnlab.studies.search import SearchScheduler, restore_steps
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.statistics.published_numbers import resolve_table
from cnnlab.studies.statistics.resolved_claims import resolve_claim
from cnnlab.studies.study_file import StudyFile, read_study
from cnnlab.studies.trials import SettingFacts, Trials, is_for_good
from cnnlab.training.execution import lacks_native

if TYPE_CHECKING:
    import pandas as pd

_MOST_TIMED = 5
"""Settings of which the timing of a few steps may fail before the study gives up."""


class Study:
    """A question, with all that is needed to answer it.

    Recipes, axes and the grammar of claims are checked when it is made. Data is loaded, and what claims and metrics
    name is looked for in it, by :meth:`check` or whatever else first needs it.

    :param file: the content of a study file.
    :param runs: the folder of runs; ``CNNLAB_RUNS`` or ``runs/`` otherwise.
    :param data_dir: where data sets are looked for first; ``offline`` never tries the network.
    :raises UsageError: for a study that cannot be meant.
    """

    def __init__(
        self,
        file: StudyFile | Mapping[str, Any],
        *,
        runs: str | Path | None = None,
        data_dir: str | Path | None = None,
        offline: bool = False,
    ) -> None:
        self.file = file if isinstance(file, StudyFile) else read_study(file)
        self.study_settings = StudySettings(self.file)
        self.store = store_at(runs)
        self.trials = Trials(self.store, None if data_dir is None else Path(data_dir), offline)
        self.record = StudyRecord(study_folder(self.store.root, self.file.name))
        if isinstance(self.study_settings.design, SearchDesign):
            restore_steps(self.study_settings, self.record.steps, self.study_settings.design.trials)
        self._take_up_looks()
        for claim in self.file.claims:
            read_claim(claim)

    @classmethod
    def load(
        cls,
        source: str | Path | Mapping[str, Any],
        /,
        *,
        runs: str | Path | None = None,
        data_dir: str | Path | None = None,
        offline: bool = False,
        **keys: Any,
    ) -> "Study":
        """A study from its file, with ``keys`` put over it: keys of the study such as ``repeats``, or of its base.

        :param source: a YAML file, a mapping, or the name of a study that was run under ``runs`` or that comes with
            cnnlab, such as ``examples/depth``.
        """
        if isinstance(source, str | Path):
            source = find_study(source, store_at(runs).root)
        return cls(read_study(source, keys), runs=runs, data_dir=data_dir, offline=offline)

    @property
    def name(self) -> str:
        """Its name, under which it lies beside its runs."""
        return self.file.name

    @property
    def folder(self) -> Path:
        """Its folder."""
        return self.record.folder

    def check(self) -> None:
        """Reads every recipe against its data, and finds what claims and published numbers name; trains nothing.

        :raises UsageError: for a recipe that does not suit its data, or a claim that names nothing there is.
        """
        _ = self.analysis

    def run(
        self,
        *,
        workers: int | None = None,
        executor: Executor | None = None,
        on: "str | Cluster | None" = None,
        progress: bool | None = None,
    ) -> StudyResult:
        """Trains what is missing and returns the result, with reasons where something is still missing.

        :param workers: trials at once; by default as many as a few timed steps show to be best.
        :param executor: what carries trainings out, in place of worker processes on this machine.
        :param on: where they are carried out: ``"ray"``, ``"ray://HOST:PORT"`` or ``"slurm"``, or a :class:`Cluster`
            that says also what each asks for.
        :param progress: how far the study is is shown in a terminal or a notebook; otherwise as for
            :func:`cnnlab.train`.
        :raises StudyInterrupted: on Ctrl-C or SIGTERM, once every trial is saved.
        :raises KeyboardInterrupt: on Ctrl-C before a trial is begun; a new study leaves nothing then.
        :raises RunBusyError: while another process runs the study.
        """
        if workers is not None and workers < 1:
            raise UsageError(f"workers={workers}: at least one is needed to train anything.")
        memory.ask_for_large_pages()
        with showing(progress):
            cluster = Cluster(on) if isinstance(on, str) else on
            return self._carry_out(workers, executor, cluster)

    def _carry_out(self, workers: int | None, executor: Executor | None, cluster: Cluster | None) -> StudyResult:
        self.check()
        check_mirrors(parse_mirrors(self.study_settings.base().get("mirror")))
        self._say_what_is_replaced()
        if self.record.hold(None if self.study_settings.searched else self.file):
            note("Another process runs this study too; each trains what no other is at.")
        self._take_up_looks()
        try:
            if self.study_settings.searched:
                self.record.write_study(self.file)
            self.trials.look()
            self._forget_what_may_pass()
            scheduler = self._scheduler()
            if not scheduler.is_done:
                self._work(scheduler, executor or self._on(cluster, workers), workers)
            self.analysis.ensembles.make()
            self.trials.look()
            self._note_look()
            self.record.save()
            return self._conclude()
        except KeyboardInterrupt:
            self._take_up_looks()
            # Trials that another study trained are its own as well, and worth a result.
            has_runs = any(self.trials.run(task.digest) is not None for task in self._tasks())
            if has_runs or not self.record.forget_if_new():
                self._conclude()
            raise
        except CnnlabError:
            self.record.forget_if_new()
            raise
        finally:
            self.record.release()

    def _say_what_is_replaced(self) -> None:
        """A study that is changed keeps its name; two that ask different things had better not share one."""
        asked = self.record.question
        if asked is not None and asked != self.file.question:
            warn(
                f"a study called {self.name} was run here before and asked: {asked} Its result is replaced by this "
                "one's; its runs stay. To keep both, give one of them another name: name=OTHER."
            )

    def plan(self) -> StudyPlan:
        """What would be trained, and what is there already."""
        # Who has the steps timed next, does so in this process.
        memory.ask_for_large_pages()
        self.check()
        self.trials.look()
        return plan_of(self.study_settings, self.trials, self.record)

    def result(self) -> StudyResult:
        """What can be said now, from the runs there are."""
        return self.analysis.result()

    def table(self) -> "pd.DataFrame":
        """A row a setting: its values by axis, how many repeats are finished, and mean and SD of each metric."""
        from cnnlab.studies.dataframes import settings_frame

        return settings_frame(self.result(), [m.metric.name for m in self._judged_by])

    def runs(self) -> dict[str, Run]:
        """The run of every finished trial, by its name."""
        finished = (trial.run for setting in self.result().all_settings for trial in setting.finished)
        return {name: Run(self.store.root / name) for name in finished if name is not None}

    def __repr__(self) -> str:
        return (
            f"Study({self.name}: {counted(len(self.study_settings.settings), 'setting')} × "
            f"{counted(len(self.study_settings.seeds), 'seed')})"
        )

    def _repr_html_(self) -> str:
        settings = self.study_settings
        axes = [(f"varies {axis.name}", ", ".join(value.label for value in axis.values)) for axis in settings.axes()]
        facts: list[tuple[str, object]] = [
            ("study", self.name),
            ("question", self.file.question),
            *([("quick trial", QUICK)] if self.file.is_quick else []),
            ("design", self.file.design),
            *axes,
        ]
        facts += [
            ("trials", f"{len(settings.trained)} settings × {len(settings.seeds)} seeds"),
            ("ensembles", ", ".join(ensemble.label for ensemble in settings.ensembles) or None),
            ("folder", self.folder),
        ]
        try:
            result = self.record.read_result()
        except CnnlabError:
            return html_facts([*facts, ("result", "none yet: .run() trains what is missing")])
        return f"{html_facts([*facts, ('as of', result.updated)])}{result.html_means()}"

    @cached_property
    def _known(self) -> SettingFacts:
        """What a setting comes to that stands for all: of a search, its first draw's recipe or the base's."""
        if self.study_settings.settings:
            return self.trials.known(self.study_settings.settings[0])
        example = {axis.name: axis.level(_example(axis.space)) for axis in self.study_settings.searched}
        # On settings of its own, since nothing was tried yet.
        return self.trials.known_of(StudySettings(self.file).add(example))

    def _measure(self, name: str | None) -> Measure:
        if name is None:
            return self._judged_by[0]
        return read_measure(name, self._known.measured)

    @cached_property
    def _judged_by(self) -> list[Measure]:
        """The metrics that the study names, or else the usual one of its objective."""
        known = self._known
        if self.file.metrics:
            named = [read_measure(name, known.measured) for name in self.file.metrics]
            return list({measure.metric.name: measure for measure in named}.values())
        # A search is led by what is out of fold, so that it cannot be judged by it.
        first = ("test", OUT_OF_FOLD) if self.study_settings.searched else (OUT_OF_FOLD, "test")
        split = next((s for s in (*first, "validation", "train") if s in known.splits), "train")
        return [read_measure(score_name(split, known.objective.select), known.measured)]

    @cached_property
    def analysis(self) -> Analysis:
        """What is asked of its trials, by metrics and settings that there are."""
        self.trials.read(self.study_settings.trained)
        smallest, judged = self.file.smallest, self._judged_by[0].metric
        if smallest is not None and judged.unit == "share" and smallest > 1:
            raise UsageError(
                f"smallest: {judged.name} is a share from 0 to 1; write {smallest / 100:g} for {smallest:g} points."
            )
        claims = [resolve_claim(text, self.study_settings, self._measure) for text in self.file.claims]
        published = [resolve_table(table, self.study_settings, self._measure) for table in self.file.published]
        wanted = [*(resolved.metric.name for resolved in claims), *(table.metric.name for table in published)]
        measures = {measure.metric.name: measure for measure in self._judged_by}
        for name in (*wanted, *usual_names(self._known.measured)):
            measures.setdefault(name, self._measure(name))
        analysis = Analysis(
            self.study_settings,
            self.trials,
            self.record,
            list(measures.values()),
            len(self._judged_by),
            claims,
            published,
            self._led_by() if self.file.ensemble and {"validation", OUT_OF_FOLD} & set(self._known.splits) else None,
        )
        analysis.ensembles.check()
        return analysis

    def _forget_what_may_pass(self) -> None:
        """Failures that may have been the machine's are tried again when the study is run again."""
        for digest, failure in list(self.record.failures.items()):
            if not is_for_good(failure, self.trials.run(digest)):
                del self.record.failures[digest]

    def _scheduler(self) -> Scheduler:
        if isinstance(self.study_settings.design, SearchDesign):
            if self.study_settings.design.pruner != "none" and self._known.folds > 1:
                raise UsageError(
                    "a search that stops trials early goes by their epochs, and with folds a trial is several "
                    "trainings. Leave pruner= out, or leave folds out."
                )
            metric = self._led_by()
            self.record.state["led_by"] = metric.metric.name
            return SearchScheduler(
                self.study_settings, self.record, self.trials, metric.metric.name, metric.metric.better
            )
        if self.study_settings.adds_repeats is not None:
            return AddingScheduler(self._unsettled(), self._more_repeats)
        return FixedScheduler(self._unsettled())

    def _more_repeats(self) -> list[TrialTask]:
        """What the next look at the numbers needs to have trained; nothing where this one decides or is the last."""
        rule = self.study_settings.adds_repeats
        assert rule is not None
        self.trials.look()
        while not (unsettled := self._unsettled()):
            self.analysis.ensembles.make()
            self._note_look()
            if rule.is_over(self.result()):
                break
            self.study_settings.look_at(rule.after(self._looks))
        return unsettled

    @property
    def _looks(self) -> tuple[int, ...]:
        return self.record.looks(self.study_settings.asked)

    def _note_look(self) -> None:
        """Counts a look at the numbers where all trials have settled; what is seen before is no result of the study."""
        settings = self.study_settings
        if len(settings.seeds) > 1 and not settings.searched and not self._unsettled():
            self.record.note_look(settings.asked, len(settings.seeds))

    def _take_up_looks(self) -> None:
        """Where repeats are added, those up to the last look are what can be told of."""
        rule = self.study_settings.adds_repeats
        made = [repeats for repeats in self._looks if rule is not None and repeats in rule.design.looks]
        if rule is not None:
            self.study_settings.look_at(max(made, default=rule.first))

    def _led_by(self) -> Measure:
        """A search is led by the validation split, or by what is out of fold, whatever it is judged by in the end.

        So is the choice of the best member of an ensemble.
        """
        name, leading = self._judged_by[0].metric.name, "validation"
        split, inner = read_score_name(name)
        if OUT_OF_FOLD in self._known.splits:
            leading = OUT_OF_FOLD
        scored = inner if split in ("test", "train", OUT_OF_FOLD) else self._known.objective.select
        return self._measure(name if split == leading else score_name(leading, scored))

    def _tasks(self) -> list[TrialTask]:
        pairs = seeds_first(self.study_settings.trained, self.study_settings.seeds)
        return [TrialTask(setting, seed, self.trials.digest(setting, seed)) for setting, seed in pairs]

    def _unsettled(self) -> list[TrialTask]:
        return [task for task in self._tasks() if not self._is_settled(task)]

    def _is_settled(self, task: TrialTask) -> bool:
        run = self.trials.run(task.digest)
        return (run is not None and run.status == "finished") or task.digest in self.record.failures

    def _work(self, scheduler: Scheduler, executor: Executor | None, workers: int | None) -> None:
        rule, seeds = self.study_settings.adds_repeats, len(self.study_settings.seeds)
        tasks = seeds * (
            self.study_settings.design.trials
            if isinstance(self.study_settings.design, SearchDesign)
            else len(self.study_settings.trained)
        )
        left = len(self._unsettled())
        if isinstance(scheduler, SearchScheduler):
            left = scheduler.steps_left * len(self.study_settings.seeds)
        own = None if executor else self._local_executor()
        chosen = executor or own
        assert chosen is not None
        with chosen:
            self._fix_execution(chosen, self._examples(scheduler), left, workers)
            if isinstance(own, ProcessExecutor):
                own.resize(workers or int(self.record.execution["trials_at_once"]))
            elif isinstance(chosen, ClusterExecutor):
                chosen.settle(self.record.execution, workers)
            self._warn_of_slow_trials()
            most = tasks // seeds * rule.most if rule else tasks
            progress = StudyProgress(self.name, most, tasks - left)
            Runner(scheduler, chosen, self.record, progress, self._judged_by[0].metric).run()

    def _local_executor(self) -> ProcessExecutor | ThreadExecutor:
        """Worker processes; for what was given in Python and cannot be brought to one, a thread of this process."""
        sent = parcels(self.file.base, self.file.vary)
        folders: dict[str, Any] = {
            "runs": self.store.root,
            "data_dir": self.trials.data_dir,
            "offline": self.trials.offline,
            "sets": self.trials.sets,
        }
        if sent is None:
            note("Trials are trained one after another: what was given in Python is known to this process alone.")
            return ThreadExecutor(**folders)
        return ProcessExecutor(1, objects=sent, **folders)

    def _on(self, cluster: Cluster | None, workers: int | None) -> Executor | None:
        if cluster is None:
            return None
        return cluster.executor(
            runs=self.store.root,
            data_dir=self.trials.data_dir,
            offline=self.trials.offline,
            sets=self.trials.sets,
            contents=(self.file.base, self.file.vary),
            workers=workers,
        )

    def _examples(self, scheduler: Scheduler) -> list[PlannedSetting]:
        """Settings to time, the first one unless it cannot be trained."""
        if isinstance(scheduler, SearchScheduler):
            return [scheduler.first()]
        waiting = [task.setting for task in self._unsettled()]
        return list({setting.key: setting for setting in waiting}.values())[:_MOST_TIMED]

    def _fix_execution(
        self, executor: Executor, examples: Sequence[PlannedSetting], left: int, workers: int | None
    ) -> None:
        asked = execution_keys(examples[0].recipe)
        if self.record.execution and dict(self.record.asked) == asked:
            return
        for place, example in enumerate(examples):
            if isinstance(executor, ClusterExecutor):
                choices = [(workers or min(left, executor.slots), executor.cpus or example.recipe.threads or 1)]
            else:
                choices = parallelism_choices(example.recipe, left, workers)
            try:
                execution = choose_parallelism(executor, example.recipe, choices)
            except (ClusterRefusedError, ClusterSilentError):
                raise
            except CnnlabError as error:
                # One setting that cannot be trained is no reason to train none; its trials will say the same.
                if place == len(examples) - 1:
                    raise CnnlabError(f"{example.label}: {error}") from error
                continue
            self.record.state |= {"execution": execution, "asked": asked}
            self.record.save()
            return

    def _warn_of_slow_trials(self) -> None:
        """Of trials that go on in the format they were begun in, as a run has to, where that is slow here."""
        slow = []
        for task in self._tasks():
            run = self.trials.run(task.digest)
            how = {} if run is None or run.status == "finished" else run.info.get("execution") or {}
            if run is not None and lacks_native(str(how.get("precision")), str(how.get("device") or "cpu")):
                slow.append(run.name)
        if slow:
            warn(
                f"trials begun in bfloat16 and not finished ({len(slow)}) go on in it, though it is not native to this "
                f"processor and slow. One whose run is deleted is trained anew: cnnlab runs delete {slow[0]}"
            )

    def _conclude(self) -> StudyResult:
        result = self.result()
        self.record.write_result(result)
        return result


def _example(space: Any) -> Any:
    return getattr(space, "low", 0)
