"""A classifier on pictures that an adversary has changed."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cnnlab.core.errors import CnnlabWarning, SpecError, UsageError
from cnnlab.core.hooks import perturbations
from cnnlab.data import Dataset, load_data
from cnnlab.evaluation import evaluate
from cnnlab.runs import Run

ROOM = """
from cnnlab.core.hooks import perturbations

@perturbations.register("darken")
def darken(by: float = 0.5):
    def change(classifier, pixels, encoded, objective, draws):
        return pixels * (1 - by)
    return change
"""


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A room that registers ``darken`` when it is imported, and that nobody has imported yet."""
    (tmp_path / "room_of_darkness.py").write_text(ROOM)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(perturbations._homes, "darken", "room_of_darkness")
    yield
    if sys.modules.pop("room_of_darkness", None) is not None:
        perturbations.remove("darken")


@pytest.fixture
def run(digits_run: Run) -> Iterator[Run]:
    """The run, without what a test has stored with it."""
    before = set(digits_run.splits)
    yield digits_run
    for split in set(digits_run.splits) - before:
        (digits_run.folder / "predictions" / f"{split}.safetensors").unlink()


def test_predictions_of_changed_pictures_are_stored_under_the_name_of_the_change(run: Run) -> None:
    assert "room_of_darkness" not in sys.modules
    result = evaluate(run, perturb="darken(0.25)|darken")
    assert result.split == "test@darken(by=0.25)+darken"
    assert run.predictions("test@darken(by=0.25)+darken") == result.predictions
    assert result.scores["n"] == run.test.n
    assert (run.folder / "run.json").is_file() and run.status == "finished"
    # Stored again in its place.
    assert evaluate(run, perturb="darken(by=1/4)|darken").predictions == result.predictions


def test_the_outputs_are_those_for_the_pictures_as_changed(run: Run) -> None:
    result = evaluate(run, perturb="darken(0.25)")
    images = load_data("digits").test
    assert images is not None
    pixels, _ = images.batch(torch.arange(len(images)))
    with torch.no_grad():
        expected = run.classifier()(pixels.float().div(255).mul(0.75))
    torch.testing.assert_close(torch.from_numpy(result.predictions.outputs["label"]), expected)
    assert result.predictions.ids == run.predictions("test").ids
    assert result.scores["loss"] != run.test.loss


def test_a_change_of_nothing_gives_the_recorded_scores_to_the_bit(run: Run) -> None:
    assert evaluate(run, perturb="darken(0)").scores == run.test.to_dict()


def test_an_attack_has_gradients_and_the_targets_to_go_by(run: Run) -> None:
    def attack(classifier: Any, pixels: Tensor, encoded: Any, objective: Any, draws: Any) -> Tensor:
        leaf = pixels.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(objective.loss(classifier(leaf), encoded).sum(), leaf)
        return pixels + 0.1 * gradient.sign()

    perturbations.register("attack")(lambda: attack)
    try:
        attacked = evaluate(run, perturb="attack", split="validation")
    finally:
        perturbations.remove("attack")
    assert attacked.split == "validation@attack"
    assert attacked.scores["accuracy"] < run.validation.accuracy - 0.2


def test_other_data_is_evaluated_and_not_stored_with_the_run(run: Run) -> None:
    before = run.splits
    other = Dataset("other", train=load_data("digits").train)
    with pytest.warns(CnnlabWarning, match="were seen by"):
        result = evaluate(run, other, split="train", perturb="darken")
    assert result.split == "train@darken"
    assert run.splits == before
    assert evaluate(run.classifier(), load_data("digits"), split="test", perturb="darken").split == "test@darken"
    assert run.splits == before


def test_pictures_without_targets_are_refused(run: Run) -> None:
    part = load_data("digits").train
    bare = Dataset("bare", train=type(part)(part.batch(torch.arange(5))[0], {}, {}))
    with pytest.raises(UsageError, match=r"goes by the targets.* bare has none"):
        evaluate(run.classifier(), bare, split="train", perturb="darken")


def test_an_unknown_perturbation_is_answered_with_those_there_are(run: Run) -> None:
    with pytest.raises(SpecError, match="Did you mean darken"):
        evaluate(run, perturb="darkn")
    assert "room_of_darkness" not in sys.modules
