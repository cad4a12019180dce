"""Running a study: trials are runs of the store, and what is there is not trained again."""

import errno
import json
import os
import signal
import time

import pytest
from small_studies import BASE, numbers, run_here, study_of

import cnnlab
from cnnlab import data, training
from cnnlab.core import measurements
from cnnlab.core.errors import CnnlabWarning, RunBusyError, StorageError, UsageError
from cnnlab.core.files import storage_errors
from cnnlab.runs import Run, RunStore, environment
from cnnlab.studies import Study, StudyResult, planning
from cnnlab.studies.execution import parallelism
from cnnlab.studies.execution.executor import Executor, Failed, Finished, Started, Throughput
from cnnlab.studies.execution.run_trial import StepTiming
from cnnlab.studies.execution.runner import StudyInterrupted
from cnnlab.studies.execution.thread_executor import ThreadExecutor
from cnnlab.studies.record import StudyRecord
from cnnlab.training.execution import Execution, execution_for
from cnnlab.training.precision import PrecisionChoice


def test_every_setting_is_trained_with_every_seed(runs):
    result = run_here(Study(study_of(repeats=2), runs=runs))
    assert [[trial.status for trial in s.trials] for s in result.settings] == [["finished"] * 2] * 2
    assert len(RunStore(runs).list()) == 4
    trial = result.settings[1].trials[1]
    run = cnnlab.RunStore(runs).find(trial.run)
    assert (run.recipe["seed"], run.recipe["optimizer"].split(",")[0]) == (1, "sgd(lr=0.5")
    assert trial.metrics["test_accuracy"] == run.test.accuracy
    assert trial.digest == run.digest


def test_no_data_is_loaded_before_a_study_is_checked_or_run(runs, monkeypatch):
    loaded = []
    load = data.load_data
    monkeypatch.setattr(data, "load_data", lambda *args, **kwargs: loaded.append(args) or load(*args, **kwargs))
    study = Study(study_of(claims=["optimizer.lr=0.5 is the best"]), runs=runs)
    assert (study.name, len(study.study_settings.settings), loaded) == ("small", 2, [])
    study.check()
    assert len(loaded) == 1 and not runs.exists()
    with pytest.raises(UsageError, match="cannot be read"):
        Study(study_of(claims=["optimizer.lr=0.5 is the bestest"]), runs=runs)
    assert len(loaded) == 1


def test_what_was_trained_is_not_trained_again(runs):
    first = run_here(Study(study_of(), runs=runs))
    before = {run.folder: (run.folder / "run.json").stat().st_mtime_ns for run in RunStore(runs).list()}
    second = run_here(Study(study_of(repeats=2), runs=runs))
    assert {path: (path / "run.json").stat().st_mtime_ns for path in before} == before
    assert numbers(second).items() >= numbers(first).items()


def test_a_run_trained_by_itself_is_a_trial(runs):
    run = cnnlab.train({**BASE, "optimizer": "sgd(0.5)", "name": "mine"}, runs=runs)
    study = Study(study_of(), runs=runs)
    plan = study.plan()
    assert [(trial.state, trial.run) for trial in plan.trials] == [("missing", None), ("finished", run.name)]
    result = run_here(study)
    assert result.settings[1].trials[0].run == run.name


def test_result_on_disk_is_the_result_and_study_can_be_called_by_name(runs):
    result = run_here(Study(study_of(), runs=runs))
    stored = StudyResult.from_dict(json.loads((runs / "studies" / "small" / "result.json").read_text()))
    assert stored == result
    again = Study.load("small", runs=runs)
    assert numbers(again.result()) == numbers(result)


def test_another_question_under_the_same_name_is_pointed_out(runs):
    run_here(Study(study_of(repeats=1), runs=runs))
    with pytest.warns(cnnlab.core.errors.CnnlabWarning, match=r"asked: Which\? Its result is replaced.*name=OTHER"):
        run_here(Study(study_of(repeats=1, question="Why?"), runs=runs))
    # Asking more of the same is not.
    run_here(Study(study_of(repeats=2, question="Why?"), runs=runs))


def test_an_estimate_counts_scoring_and_starting_too(runs, monkeypatch):
    study = Study(study_of(repeats=2), runs=runs)
    timing = StepTiming(100.0, Execution(threads=3), PrecisionChoice("float32", "timed", 0.5, 0.1, 0.2, 8))
    monkeypatch.setattr(planning, "_timed", lambda *_: timing)
    found = planning.estimate(study.plan(), study.study_settings, study.trials, study.record)
    sizes = study.trials.known(study.study_settings.settings[0]).sizes
    assert sizes == {"train": 200, "validation": 22, "test": 55}
    # Four trials of one epoch: validation is scored once an epoch, the rest at the end, three times as fast.
    assert found.seconds == pytest.approx(4 * ((200 + (2 * 22 + 55) / 3) / 100 + 0.05))


def test_an_estimate_tells_the_number_format_of_each_setting_and_how_it_was_chosen(runs, monkeypatch):
    study = Study(study_of(vary={"model": ["mlp(hidden=[8])", "mlp(hidden=[9])"]}), runs=runs)
    choices = iter([PrecisionChoice("bfloat16", "timed", 0.5, 0.2, 0.1, 8), PrecisionChoice("float32", "asked for")])
    timings = (StepTiming(100.0, Execution(precision=choice.precision), choice) for choice in choices)
    monkeypatch.setattr(planning, "_timed", lambda *_: next(timings))
    found = planning.estimate(study.plan(), study.study_settings, study.trials, study.record)
    keys = [setting.key for setting in study.study_settings.settings]
    assert [found.precision_choices[key]["precision"] for key in keys] == ["bfloat16", "float32"]
    assert found.precision_choices[keys[0]]["seconds"] == 0.5
    first, second = found.computed
    assert "in bfloat16" in first and "2.0 × float32, tried for 0.5 s" in first
    assert second == "computing in float32 on 1 thread (asked for)"


def test_table_has_a_row_a_setting(runs):
    study = Study(study_of(repeats=2), runs=runs)
    run_here(study)
    table = study.table()
    assert list(table.index) == ["0.01", "0.5"]
    values = [trial.metrics["test_accuracy"] for trial in study.result().settings[0].trials]
    assert table.loc["0.01", "test_accuracy"] == pytest.approx(sum(values) / 2)
    assert table.loc["0.01", "test_accuracy std"] == pytest.approx(abs(values[0] - values[1]) / 2**0.5)


def test_a_diverged_trial_is_recorded_and_not_tried_again(runs):
    content = study_of(vary={"optimizer": ["sgd(lr=0.1)", "sgd(lr=1e30)"]})
    result = run_here(Study(content, runs=runs))
    good, bad = (setting.trials[0] for setting in result.settings)
    assert (good.status, bad.status, bad.failure, bad.attempts) == ("finished", "failed", "nan", 1)
    assert "learning rate" in bad.reason
    assert result.finished is None and [s.label for s, _ in result.missing] == ["sgd(lr=1e30)"]
    again = run_here(Study(content, runs=runs))
    assert again.settings[1].trials[0].attempts == 1
    assert again.settings[1].trials[0].failure == "nan"


class Flaky(Executor):
    """Trains nothing; every training ends as it is told, and then finishes by training in this process."""

    def __init__(self, study, endings):
        self.study, self.endings, self.requests = study, list(endings), []
        self.slots_taken = []

    @property
    def slots(self):
        return 2

    def submit(self, request):
        self.requests.append(request)

    def events(self, timeout):
        self.slots_taken.append(len(self.requests))
        request = self.requests.pop(0)
        kind = self.endings.pop(0) if self.endings else None
        if kind is not None:
            return [Failed(request.number, kind, f"it was {kind}")]
        run = cnnlab.train(request.recipe, runs=self.study.store.root)
        return [Started(request.number, 1), Finished(request.number, run.folder)]

    def answer(self, number, go_on):
        raise AssertionError

    def pace(self, recipe, at_once, threads):
        execution = execution_for(precision="float32", threads=threads, workers=threads, compile=False)
        return Throughput(at_once, threads, 1.0, execution.to_dict())

    def close(self):
        pass


def test_crashes_are_tried_again_alone_and_then_given_up(runs):
    study = Study(study_of(), runs=runs)
    flaky = Flaky(study, ["crash", "crash"])
    result = study.run(executor=flaky)
    assert [t.attempts for s in result.settings for t in s.trials] == [2, 2]
    assert not result.missing
    # Two at first; afterwards each by itself.
    assert flaky.slots_taken == [2, 1, 1, 1]

    other = Study(study_of(name="other", vary={"optimizer.lr": [0.02]}), runs=runs)
    result = other.run(executor=Flaky(other, ["memory"] * 3))
    trial = result.settings[0].trials[0]
    assert (trial.status, trial.failure, trial.reason, trial.attempts) == ("failed", "memory", "it was memory", 3)
    # The next time the machine may have more to give.
    assert run_here(Study(other.file, runs=runs)).settings[0].trials[0].status == "finished"


def test_an_error_is_tried_again_when_the_study_is_run_again(runs):
    study = Study(study_of(vary={"optimizer.lr": [0.02]}), runs=runs)
    flaky = Flaky(study, ["error"])
    trial = study.run(executor=flaky).settings[0].trials[0]
    # Not in the same go, where nothing will have changed.
    assert (trial.failure, trial.attempts) == ("error", 1)
    assert study.plan().trials[0].epochs_left == 1
    trial = run_here(Study(study.file, runs=runs)).settings[0].trials[0]
    assert (trial.status, trial.failure, trial.attempts) == ("finished", None, 2)


def test_a_diverged_trial_whose_run_was_deleted_is_tried_again(runs):
    content = study_of(vary={"optimizer": ["sgd(lr=1e30)"]})
    study = Study(content, runs=runs)
    trial = run_here(study).settings[0].trials[0]
    assert study.plan().trials[0].epochs_left == 0
    RunStore(runs).delete(trial.run)
    assert study.plan().trials[0].epochs_left == 1
    again = run_here(Study(content, runs=runs)).settings[0].trials[0]
    assert (again.failure, again.attempts) == ("nan", 2)


def test_a_first_setting_that_cannot_be_timed_does_not_keep_the_others_from_being_trained(runs):
    base = {**BASE, "precision": "auto"}
    content = study_of(base=base, vary={"model": ["cnn(layers=CPCPCPCPCP)", "mlp(hidden=[8])"]})
    bad, good = run_here(Study(content, runs=runs)).settings
    assert (bad.trials[0].failure, good.trials[0].status) == ("error", "finished")


def test_a_run_that_another_process_trains_is_waited_for(runs):
    study = Study(study_of(vary={"optimizer.lr": [0.02]}), runs=runs)
    began = time.monotonic()
    with pytest.warns(cnnlab.core.errors.CnnlabWarning, match="Waiting for it"):
        result = study.run(executor=Flaky2(study, ["busy"]))
    assert result.settings[0].trials[0].status == "finished"
    assert time.monotonic() - began >= 1


class Flaky2(Flaky):
    """Has nothing to tell while nothing was submitted."""

    def events(self, timeout):
        if not self.requests:
            time.sleep(timeout)
            return []
        return super().events(timeout)


def test_a_study_is_run_by_one_process_at_a_time(runs):
    study = Study(study_of(), runs=runs)
    record = StudyRecord(study.folder)
    record.hold()
    try:
        with pytest.raises(RunBusyError, match="another process is running the study small"):
            study.run()
    finally:
        record.release()


def test_execution_is_fixed_once(runs):
    first = Study(study_of(), runs=runs)
    run_here(first)
    fixed = first.record.execution
    assert (fixed["precision"], fixed["threads"]) == ("float32", 1)
    other = study_of(base={**BASE, "precision": "auto", "threads": 1}, repeats=2)
    second = Study(other, runs=runs)
    run_here(second)
    assert second.record.asked["precision"] == "auto"
    choice = second.record.execution["precision_choice"]
    assert choice["precision"] == second.record.execution["precision"] and choice["why"] != "asked for"


def test_a_record_that_is_saved_after_its_run_is_held_by_nobody(runs):
    first = Study(study_of(repeats=1), runs=runs)
    run_here(first)
    first.record.save()
    other = StudyRecord(first.record.folder)
    assert not other.hold()
    other.release()


AUTO = {**BASE, "precision": "auto"}


@pytest.fixture
def begun_in_bfloat16(runs, monkeypatch):
    """A study of four trials that chose bfloat16, of which two are trained, on a processor that has it not."""
    first = Study(study_of(base=AUTO, repeats=1), runs=runs)
    run_here(first)
    first.record.state["execution"]["precision"] = "bfloat16"
    first.record.save()
    for folder in runs.glob("small-*"):
        info = json.loads((folder / "run.json").read_text())
        info["execution"]["precision"] = "bfloat16"
        (folder / "run.json").write_text(json.dumps(info))
    monkeypatch.setattr(training.execution, "has_native_bfloat16", lambda device: False)
    return study_of(base=AUTO, repeats=2)


def precisions(result, runs):
    return [
        Run(runs / trial.run).info["execution"]["precision"]
        for seed in (0, 1)
        for setting in result.settings
        for trial in setting.trials
        if trial.seed == seed
    ]


def test_a_study_in_bfloat16_goes_on_in_float32_where_that_is_not_native_and_says_so(begun_in_bfloat16, runs):
    with pytest.warns(
        CnnlabWarning, match=r"many times slower than float32 here\. Those begun here are trained in float32"
    ):
        result = run_here(Study(begun_in_bfloat16, runs=runs))
    assert precisions(result, runs) == ["bfloat16", "bfloat16", "float32", "float32"]
    assert any("2 of 4 trials were trained otherwise than the rest" in note for note in result.notes)
    # Where the study was begun it goes on as it was.
    assert Study(begun_in_bfloat16, runs=runs).record.execution["precision"] == "bfloat16"


def test_a_study_that_names_bfloat16_keeps_to_it_and_says_that_it_is_slow(begun_in_bfloat16, runs):
    named = {**begun_in_bfloat16, "base": {**BASE, "precision": "bfloat16"}}
    with pytest.warns(CnnlabWarning, match="many times slower than float32 here, for precision=bfloat16 asks for it"):
        result = run_here(Study(named, runs=runs))
    assert precisions(result, runs) == ["bfloat16"] * 4


def test_a_trial_begun_in_bfloat16_goes_on_in_it_with_a_warning_that_names_its_run(begun_in_bfloat16, runs):
    finished = next(runs.glob("small-*"))
    info = json.loads((finished / "run.json").read_text())
    (finished / "run.json").write_text(json.dumps({**info, "status": "unfinished", "epochs_done": 0, "step": 0}))
    names_it = pytest.warns(CnnlabWarning, match=rf"not finished \(1\) go on in it.*delete {finished.name}")
    with pytest.warns(CnnlabWarning, match="Those begun here are trained in float32"), names_it:
        result = run_here(Study({**begun_in_bfloat16, "repeats": 1}, runs=runs))
    assert precisions(result, runs) == ["bfloat16", "bfloat16"]


def test_a_study_in_bfloat16_goes_on_in_it_where_that_is_native(begun_in_bfloat16, runs, monkeypatch):
    monkeypatch.setattr(training.execution, "has_native_bfloat16", lambda device: True)
    result = run_here(Study(begun_in_bfloat16, runs=runs))
    assert precisions(result, runs) == ["bfloat16"] * 4


def test_trials_trained_otherwise_are_noted(runs):
    cnnlab.train({**BASE, "optimizer": "sgd(0.5)", "precision": "bfloat16"}, runs=runs)
    result = run_here(Study(study_of(), runs=runs))
    assert any("1 of 2 trials were trained otherwise" in note for note in result.notes)


def test_parameters_are_those_that_are_trained(runs):
    vary = {"model": ["mlp(hidden=[8])", "mlp(hidden=[8], batch_norm=true)"]}
    result = run_here(Study(study_of(vary=vary), runs=runs))
    # 64 pixels to 8 to 10, with biases; batch normalisation has a scale and a shift for each of the 8.
    plain = 64 * 8 + 8 + 8 * 10 + 10
    for setting, run in zip(result.settings, (s.trials[0].run for s in result.settings), strict=True):
        trained = sum(p.numel() for p in RunStore(runs).find(run).classifier().parameters())
        assert setting.parameters == trained
    assert result.settings[0].parameters == plain


def test_a_spread_is_told_around_a_mean_of_nothing(runs):
    study = Study(study_of(repeats=2, vary={"optimizer.lr": [0.02]}, metrics="gap"), runs=runs)
    folders = [cnnlab.train({**BASE, "optimizer": "sgd(0.02)", "seed": seed}, runs=runs).folder for seed in (0, 1)]
    for folder, train in zip(folders, (0.5, 0.3), strict=True):
        info = json.loads((folder / "run.json").read_text())
        info["scores"]["train"]["accuracy"], info["scores"]["validation"]["accuracy"] = train, 0.4
        (folder / "run.json").write_text(json.dumps(info))
    found = study.result().settings[0].summary("gap")
    # Of 0.1 and -0.1: the mean is 0, the SD sqrt(0.02); the interval reaches below 0, as a gap may.
    assert found.mean == pytest.approx(0) and found.std == pytest.approx(0.02**0.5)
    assert found.low == pytest.approx(-1) and found.high == pytest.approx(1)


def test_several_data_sets_may_be_compared(runs):
    vary = {"subset": [100, 200, 300]}
    result = run_here(Study(study_of(vary=vary), runs=runs))
    assert [s.trials[0].status for s in result.settings] == ["finished"] * 3
    assert len({s.trials[0].digest for s in result.settings}) == 3


class FullDisk(Flaky2):
    """Its trainings come as far as writing the run, for which there is no room."""

    closed = 0

    def events(self, timeout):
        request = self.requests.pop(0)
        with pytest.raises(StorageError) as caught, storage_errors(self.study.store.root / "model.safetensors"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.endings.append(request.number)
        return [Started(request.number, 1), Failed(request.number, "error", str(caught.value))]

    def close(self):
        self.closed += 1


def test_no_further_trial_is_begun_once_the_disk_is_full(runs):
    study = Study(study_of(repeats=3), runs=runs)
    executor = FullDisk(study, [])
    with pytest.warns(CnnlabWarning, match=r"disk is full\..*No further trial.*run the study again") as told:
        result = study.run(executor=executor)
    assert executor.endings == [0] and executor.closed and len(told) == 1
    first, *others = [trial for setting in result.settings for trial in setting.trials]
    assert (first.status, first.failure, {trial.status for trial in others}) == ("failed", "error", {"missing"})
    assert not run_here(Study(study.file, runs=runs)).missing


def test_a_second_ctrl_c_while_trials_are_saved_says_what_is_kept(runs):
    class Slow(Flaky2):
        def events(self, timeout):
            os.kill(os.getpid(), signal.SIGINT)
            return []

        def close(self):
            if self.requests:
                self.requests.clear()
                os.kill(os.getpid(), signal.SIGINT)

    study = Study(study_of(), runs=runs)
    with pytest.raises(StudyInterrupted, match=r"Stopped at once\. Finished trials .* are kept.*run again") as caught:
        study.run(executor=Slow(study, []))
    assert caught.value.exit_code == 130
    assert (study.folder / "result.json").is_file()


def test_trials_of_other_versions_of_torch_are_told_of(runs):
    result = run_here(Study(study_of(), runs=runs))
    assert not any("torch" in note for note in result.notes)
    (first, *_), here = RunStore(runs).list(), environment()["torch"].partition("+")[0]
    path = runs / first.name / "run.json"
    info = json.loads(path.read_text())
    for torch, expected in ((f"{here}+cu999", False), ("1.0.0+cpu", True)):
        path.write_text(json.dumps({**info, "environment": {**info["environment"], "torch": torch}}))
        notes = run_here(Study(study_of(), runs=runs)).notes
        assert (f"The trials were trained by 2 versions of torch: 1.0.0, {here}." in notes) is expected


class StoppedWhileTimed(ThreadExecutor):
    """Ctrl-C comes while its steps are timed."""

    def pace(self, recipe, at_once, threads):
        os.kill(os.getpid(), signal.SIGINT)
        return super().pace(recipe, at_once, threads)


def test_ctrl_c_before_a_trial_is_begun_leaves_nothing_of_a_new_study(runs, monkeypatch):
    monkeypatch.setattr(parallelism, "usable_cores", lambda: 2)

    def stopped(**keys):
        study = Study(study_of(**keys), runs=runs)
        with pytest.raises(KeyboardInterrupt):
            study.run(executor=StoppedWhileTimed(runs=runs))
        return study

    stopped()
    assert not runs.exists()
    first = Study(study_of(), runs=runs)
    run_here(first)
    before = sorted(runs.rglob("*"))
    stopped(name="other", vary={"optimizer.lr": [0.02, 0.03]})
    assert sorted(runs.rglob("*")) == before
    # Of trials that are there already there is something to tell, and a study that was run before stays.
    partly = stopped(name="partly", vary={"optimizer.lr": [0.01, 0.03, 0.04]})
    assert [len(setting.finished) for setting in partly.record.read_result().settings] == [1, 0, 0]
    for trial in RunStore(runs).list():
        RunStore(runs).delete(trial.name)
    (first.folder / "state.json").write_text(json.dumps({"format": 1}))
    assert stopped().record.read_result().missing


def test_ctrl_c_while_the_last_trial_is_put_away_still_stops_what_was_to_follow(runs):
    class Closing(ThreadExecutor):
        is_closed = False

        def close(self):
            super().close()
            if not self.is_closed:
                self.is_closed = True
                os.kill(os.getpid(), signal.SIGINT)

    study = Study(study_of(), runs=runs)
    with pytest.raises(StudyInterrupted, match="Stopped and saved"):
        study.run(workers=1, executor=Closing(runs=runs))
    assert not study.result().missing


def test_a_measure_of_all_runs_of_a_setting_is_summarised_claimed_and_stored(runs, monkeypatch):
    monkeypatch.setattr(measurements, "_measurements", [*measurements.measurements()])

    @measurements.measurement
    class Worst(measurements.Measurement):
        pattern = r"worst accuracy"

        def read(self, name, runs):
            metric = measurements.Metric(name, name, "share", "higher")
            return measurements.Measure(metric, lambda some: min(run.test.accuracy for run in some), is_of_setting=True)

    claims = ["worst accuracy of optimizer.lr=0.5 is at least 0%", "the best worst accuracy is at most 1"]
    study = Study(study_of(repeats=2, metrics=["test_accuracy", "worst accuracy"], claims=claims), runs=runs)
    result = run_here(study)
    for setting in result.settings:
        expected = min(trial.metrics["test_accuracy"] for trial in setting.finished)
        assert setting.summary("worst accuracy").mean == expected and "worst accuracy" not in setting.trials[0].metrics
    assert [claim.numbers["n"] for claim in result.claims] == [1, 1]
    assert study.record.read_result() == result
