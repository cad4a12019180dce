"""Data named for a run that is, or holds, what the run was trained on."""

from pathlib import Path
from typing import Any

import pytest
import torch

import cnnlab
from cnnlab.core.errors import CnnlabWarning
from cnnlab.data import Dataset, TensorImages
from cnnlab.evaluation import evaluate
from cnnlab.runs import Run

RECIPE: dict[str, Any] = {"data": "digits", "model": "mlp(hidden=[8])", "batch_size": 64, "epochs": 1, "threads": 1}


def test_the_runs_own_data_named_again_is_scored_on_its_test_split(digits_run: Run) -> None:
    result = evaluate(digits_run, "digits")
    assert result.split == "test"
    assert result.scores == digits_run.test.to_dict()
    assert evaluate(digits_run, cnnlab.load_data("digits")).scores == digits_run.test.to_dict()


def test_the_runs_own_data_is_divided_as_for_its_training(tmp_path: Path) -> None:
    run = cnnlab.train({**RECIPE, "test": 100, "subset": 0.5}, runs=tmp_path)
    result = evaluate(run, "digits")
    assert (result.split, result.scores) == ("test", run.test.to_dict())
    assert len(result.predictions) == 100


def test_images_that_the_run_was_trained_on_are_counted_in_a_warning(digits_run: Run) -> None:
    digits = cnnlab.load_data("digits")
    some = digits.train.select(torch.arange(30))
    with pytest.warns(CnnlabWarning, match="30 of the 30 pictures scored were seen by digits-mlp"):
        result = evaluate(digits_run, Dataset("some", some))
    assert result.split == "all"


def test_a_test_split_that_holds_training_images_is_warned_of(digits_run: Run) -> None:
    digits = cnnlab.load_data("digits")
    halves = [split.batch(torch.arange(count)) for split, count in ((digits.train, 30), (digits.test, 70))]
    pixels, labels = torch.cat([half[0] for half in halves]), torch.cat([half[1]["label"] for half in halves])
    mixed = TensorImages(pixels, {"label": labels}, digits.classes)
    with pytest.warns(CnnlabWarning, match="30 of the 100 pictures scored were seen by"):
        assert evaluate(digits_run, Dataset("mixed", digits.train, None, mixed)).split == "test"


def test_images_not_seen_in_training_are_scored_without_a_word(digits_run: Run) -> None:
    digits = cnnlab.load_data("digits")
    assert evaluate(digits_run, Dataset("unseen", digits.test)).split == "all"


def test_a_run_whose_training_data_is_gone_is_scored_all_the_same(tmp_path: Path) -> None:
    digits = cnnlab.load_data("digits")
    run = cnnlab.train({**RECIPE, "data": digits}, runs=tmp_path)
    assert evaluate(run, Dataset("unseen", digits.test)).split == "all"
    assert evaluate(run, digits).scores == run.test.to_dict()
