"""Search: what is tried depends on the seed and on results alone, not on interruptions."""

import pytest
from small_studies import BASE, numbers, run_here, study_of

from cnnlab.core.errors import UsageError
from cnnlab.runs import RunStore
from cnnlab.studies import Study, ThreadExecutor
from cnnlab.studies.execution.executor import Failed, Finished
from cnnlab.studies.search_spaces import read_space

SPACE = {"optimizer.lr": "log(0.001, 1)", "batch_size": "int(20, 100)", "augment": "choice(none, 'shift(0.1)')"}
TELLING = {"subset": "splits(train=200)", "epochs": 3, "model": "mlp(hidden=[16])", "batch_size": 20}
"""Trained far enough, and scored on enough pictures, for trials to be told apart."""


def tried(result):
    return [(step.number, step.state, result.setting(step.setting).label) for step in result.search.steps]


class Cut(ThreadExecutor):
    """Stops the study, as Ctrl-C does, when it has submitted so many requests."""

    def __init__(self, study, requests):
        super().__init__(runs=study.store.root, sets=study.trials.sets)
        self.left = requests

    def submit(self, request):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        super().submit(request)


def test_the_same_seed_tries_the_same_and_another_seed_other_settings(runs, tmp_path):
    content = study_of(vary=SPACE, design="tpe(trials=4)")
    first = run_here(Study(content, runs=runs))
    second = run_here(Study(content, runs=tmp_path / "elsewhere"))
    assert tried(first) == tried(second)
    assert len(first.search.steps) == 4 and {step.state for step in first.search.steps} == {"complete"}
    third = run_here(Study(study_of(vary=SPACE, design="tpe(trials=1, seed=1)"), runs=tmp_path / "third"))
    assert tried(third)[0] != tried(first)[0]


def test_values_drawn_lie_in_their_spaces_and_are_those_trained(runs):
    result = run_here(Study(study_of(vary=SPACE, design="random(trials=4)"), runs=runs))
    for setting in result.settings:
        rate, size = float(setting.values["optimizer.lr"]), int(setting.values["batch_size"])
        assert 0.001 <= rate <= 1 and 20 <= size <= 100
        assert f"lr={rate!r}" in setting.recipe["optimizer"] and setting.recipe["batch_size"] == size
    assert result.axes[0].space == "log(0.001, 1.0)"


@pytest.mark.parametrize("pruner", ["median", "asha"])
def test_an_interrupted_search_goes_on_as_if_nothing_had_happened(runs, tmp_path, pruner):
    base = {**BASE, **TELLING}
    content = study_of(base=base, vary={"optimizer.lr": "log(0.01, 10)"}, design=f"tpe(trials=7, pruner={pruner})")
    whole = run_here(Study(content, runs=runs))
    for requests in (1, 3, 2):
        study = Study(content, runs=tmp_path / "cut")
        with pytest.raises(KeyboardInterrupt):
            study.run(executor=Cut(study, requests))
    rest = run_here(Study(content, runs=tmp_path / "cut"))
    assert tried(rest) == tried(whole)
    assert [step.value for step in rest.search.steps] == [step.value for step in whole.search.steps]
    assert {step.state for step in whole.search.steps} == {"complete", "pruned"}


def test_a_repeat_added_to_a_search_is_trained_and_so_is_a_run_deleted(runs):
    content = study_of(vary=SPACE, design="random(trials=2)")
    once = run_here(Study(content, runs=runs))
    RunStore(runs).delete(once.settings[0].trials[0].run)
    twice = run_here(Study({**content, "repeats": 2}, runs=runs))
    assert [[trial.status for trial in s.trials] for s in twice.settings] == [["finished"] * 2] * 2
    assert tried(twice) == tried(once) and numbers(twice).items() >= numbers(once).items()
    means = [sum(t.metrics["validation_accuracy"] for t in s.trials) / 2 for s in twice.settings]
    assert [step.value for step in twice.search.steps] == means


class Failing(ThreadExecutor):
    """Says of its second training that the disk was full."""

    def events(self, timeout):
        return [
            Failed(event.number, "error", "no space") if isinstance(event, Finished) and event.number == 1 else event
            for event in super().events(timeout)
        ]


def test_a_step_that_failed_by_accident_is_tried_again(runs, tmp_path):
    content = study_of(vary=SPACE, design="tpe(trials=3)")
    study = Study(content, runs=runs)
    failed = study.run(executor=Failing(runs=runs, sets=study.trials.sets))
    assert [step.state for step in failed.search.steps] == ["complete", "failed", "complete"]
    rest = run_here(Study(content, runs=runs))
    assert [step.state for step in rest.search.steps] == ["complete"] * 3
    assert not rest.missing and rest.finished


def test_a_search_cut_short_is_not_finished_and_pruned_trials_are_not_left(runs):
    base = {**BASE, **TELLING}
    content = study_of(base=base, vary={"optimizer.lr": "log(0.01, 10)"}, design="tpe(trials=7, pruner=median)")
    study = Study(content, runs=runs)
    with pytest.raises(KeyboardInterrupt):
        study.run(executor=Cut(study, 2))
    assert Study(content, runs=runs).result().finished is None
    assert run_here(Study(content, runs=runs)).finished
    plan = Study(content, runs=runs).plan()
    assert plan.count("pruned") >= 1 and plan.count("finished") + plan.count("pruned") == 7
    assert plan.epochs_left == 0


def test_more_trials_go_on_from_those_there_are(runs):
    few = run_here(Study(study_of(vary=SPACE, design="tpe(trials=2)"), runs=runs))
    more = run_here(Study(study_of(vary=SPACE, design="tpe(trials=3)"), runs=runs))
    assert tried(more)[:2] == tried(few)


def test_other_axes_need_another_name(runs):
    run_here(Study(study_of(vary=SPACE, design="tpe(trials=1)"), runs=runs))
    with pytest.raises(UsageError, match="begun with other axes"):
        Study(study_of(vary={"optimizer.lr": "log(0.1, 1)"}, design="tpe(trials=1)"), runs=runs)


def test_a_search_is_led_by_validation_and_never_by_test(runs):
    result = run_here(Study(study_of(vary=SPACE, design="random(trials=1)", metrics="test_loss"), runs=runs))
    assert result.search.metric == "validation_loss"
    trial = result.settings[0].trials[0]
    assert result.search.steps[0].value == trial.metrics["validation_loss"]


def test_a_setting_drawn_twice_is_trained_once(runs):
    vary = {"augment": ["none", "flip"]}
    result = run_here(Study(study_of(vary=vary, design="random(trials=6)"), runs=runs))
    assert len(result.search.steps) == 6 and len(result.settings) == 2
    assert {step.state for step in result.search.steps} == {"complete"}


def test_spaces_read_and_write_the_same():
    for text in ("log(0.1, 1.0)", "uniform(0.0, 0.5)", "int(1, 5)", "int(1, 64, log=true)", "choice(none, flip, 3)"):
        assert read_space(str(read_space(text))) == read_space(text)
    assert read_space("log(1e-4, 1)").value(0.0123456) == 0.01235
