"""A quick trial: one epoch on a few pictures, never taken for the training that it tries out."""

from typing import Any

import numpy as np
import pytest

import cnnlab
from cnnlab.core.errors import UsageError
from cnnlab.data.subset import QUICK
from cnnlab.reports.contents.answer import answer
from cnnlab.reports.contents.provenance import methods
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.standalone_runs import result_of_runs
from cnnlab.runs import RunStore
from cnnlab.sklearn import ImageClassifier
from cnnlab.training import Recipe

TINY: dict[str, Any] = {"data": "digits", "model": "mlp(hidden=[8])", "epochs": 3, "batch_size": 64, "threads": 1}


@pytest.fixture
def trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda **keys: cnnlab.train({**TINY, **keys}, progress=False)


def test_it_is_one_epoch_on_a_few_pictures_of_each_split(trained) -> None:
    run = trained(quick=True)
    assert run.epochs_done == run.epochs == 1
    assert run.info["data"]["sizes"] == QUICK
    assert run.info["data"]["source"]["subset_of"] == {"train": 1294, "validation": 144, "test": 359}
    assert run.test.n == QUICK["test"]


@pytest.mark.parametrize(
    "keys",
    [
        {"epochs": None, "steps": 500},
        {"epochs": None, "phases": [{"epochs": 5}, {"steps": 70, "optimizer": "sgd(lr=0.01)"}]},
        {"schedule": "cosine(warmup=2)", "snapshots": [3], "patience": 2, "ema": 0.9},
        {"subset": 1000, "validation": 100, "test": 0.1},
        {"subset": 30, "batch_size": 500},
        {"subset": "splits(train=0.5, test=200)"},
    ],
)
def test_whatever_a_recipe_says_is_tried(trained, keys) -> None:
    run = trained(**keys, quick=True)
    assert run.status == "finished"
    assert run.epochs_done == len(keys.get("phases", [1]))
    assert all(count <= QUICK[split] for split, count in run.info["data"]["sizes"].items())


def test_it_never_passes_for_the_training_that_it_tries_out(trained, tmp_path) -> None:
    quick = trained(quick=True)
    again = trained(quick=True)
    assert again == quick
    # Even where the training would be just that: one epoch of all pictures there are.
    small = {"data": "digits", "subset": 50, "validation": 10, "test": 10, "epochs": 1}
    whole, tried = trained(**small), trained(**small, quick=True)
    assert whole.info["data"]["digest"] == tried.info["data"]["digest"]
    assert whole.digest != tried.digest and whole != tried
    assert not whole.is_quick and tried.is_quick
    assert [run.is_quick for run in RunStore("runs").list()].count(True) == 2


def test_it_says_what_it_was_wherever_it_is_shown(trained) -> None:
    run = trained(quick=True, name="mine")
    assert run.name.startswith("mine-quick-")
    assert run.to_dict()["is_quick"] is True
    for shown in (repr(run), str(run), run._repr_html_()):
        assert "quick trial" in shown
    assert "say nothing" in str(run)
    subject = ReportSubject(result_of_runs([run]), {run.name: run}, is_study=False)
    assert answer(subject)[0].startswith("This was a quick trial")
    assert "training for 1 epoch" in methods(subject) and "3 epochs" not in methods(subject)
    full = trained(epochs=1)
    mixed = ReportSubject(result_of_runs([run, full]), {run.name: run, full.name: full}, is_study=False)
    assert "There is no answer" in answer(mixed)[0]
    assert "quick trial" not in repr(full) + str(full) + full._repr_html_()


def test_it_is_evaluated_on_the_pictures_that_it_was_scored_on(trained) -> None:
    run = trained(quick=True)
    assert dict(cnnlab.evaluate(run).scores) == {**dict(run.test), "n": QUICK["test"]}
    assert len(cnnlab.evaluate(run, "digits", split="train").predictions) == QUICK["train"]


def test_it_is_not_extended_and_its_recipe_trains_in_full(trained) -> None:
    run = trained(quick=True)
    with pytest.raises(UsageError, match=r"was a quick trial.*cnnlab train .*recipe.yaml quick=false"):
        cnnlab.extend(run, "+1", progress=False)
    whole = cnnlab.train(run.folder / "recipe.yaml", quick=False, progress=False)
    assert (whole.epochs_done, whole.info["data"]["sizes"]["train"]) == (3, 1294)
    assert whole == trained()


def test_an_unfinished_one_goes_on_as_one(interrupted, tmp_path) -> None:
    cut, _ = interrupted(after=2, **TINY, quick=True, subset=None, validation=None, test=None)
    done = cnnlab.resume(cut, progress=False)
    assert done.recipe["quick"] is True and done.epochs_done == 1
    whole = cnnlab.train(cut.recipe, runs=tmp_path / "whole", progress=False)
    assert done.digest == whole.digest
    assert dict(done.test) == dict(whole.test)


def test_a_recipe_says_only_yes_or_no() -> None:
    with pytest.raises(UsageError, match="quick cannot be 3"):
        Recipe.read(TINY, quick=3)


def test_an_estimator_can_be_tried_too() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (600, 8, 8), dtype=np.uint8)
    labels = np.arange(600) % 3
    estimator = ImageClassifier("mlp(hidden=[4])", epochs=5, threads=1, quick=True).fit(pictures, labels)
    assert len(estimator.history_) == 1
    assert estimator.predict(pictures[:2]).shape == (2,)
