from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from comparing import equal, runs_in, weights

from cnnlab.core.errors import ModelFileError, RunNotFoundError, UsageError
from cnnlab.models import save_classifier
from cnnlab.runs import Run
from cnnlab.training import Interrupted, extend, resume

Trained = Callable[..., Run]
Cut = Callable[..., tuple[Run, Interrupted]]

# An optimiser that leaves the weights where they are.
STILL = {"optimizer.lr": 1e-60}


def test_one_more_epoch_equals_training_it_in_the_first_place(small_run: Trained) -> None:
    # Plain descent at a constant rate keeps nothing from step to step, so parent and child are one training.
    whole = small_run(epochs=3, select="last")
    child = extend(small_run(epochs=2, select="last"), "+1")
    assert equal(weights(child), weights(whole))
    assert list(child.history["epoch"]) == [3]
    assert list(child.history["step"]) == [9]
    assert child.history["train_loss"].iloc[0] == whole.history["train_loss"].iloc[2]


def test_it_starts_from_the_last_weights_not_from_the_selected_ones(small_run: Trained) -> None:
    parent = small_run(epochs=3, optimizer="sgd(lr=3)", select="train_loss")
    assert parent.info["selected"]["epoch"] < 3
    child = extend(parent, "+1", **STILL)
    assert equal(weights(child), weights(parent, "last"))
    assert not equal(weights(child), weights(parent))


def test_a_repeat_is_extended_from_its_own_weights(small_run: Trained) -> None:
    first, second = small_run(select="last"), small_run(select="last", again=True)
    changed = second.classifier()
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.add_(0.5)
    save_classifier(second.folder / "model.safetensors", changed)
    for parent in (first, second):
        child = extend(parent, "+1", **STILL)
        assert equal(weights(child), weights(parent))
        assert child.info["parent"] == parent.name


def test_parents_with_the_same_weights_and_another_past_have_different_children(small_run: Trained) -> None:
    still = {"optimizer": "sgd(lr=1e-60)", "select": "last"}
    parents = [small_run(epochs=epochs, **still) for epochs in (1, 2)]
    assert equal(*map(weights, parents))
    short, longer = (extend(parent, "+1") for parent in parents)
    assert short.digest != longer.digest
    assert (short.epochs_done, longer.epochs_done) == (2, 3)


def test_the_total_may_be_given_instead(small_run: Trained) -> None:
    parent = small_run(epochs=2)
    child = extend(parent, 3)
    assert (child.epochs_done, child.epochs, len(child.history)) == (3, 3, 1)
    assert extend(parent, "+1") == child
    assert extend(child, "+1").epochs_done == 4


@pytest.mark.parametrize("epochs", [2, 1, 0, -1, "+0", "2", "more", "+", "1.5", 2.5])
def test_a_number_that_adds_no_epoch_is_refused(epochs: Any, small_run: Trained) -> None:
    with pytest.raises(UsageError, match=r"epochs=\+3"):
        extend(small_run(epochs=2), epochs)


def test_the_last_phase_goes_on_unless_told_otherwise(small_run: Trained) -> None:
    phases = [{"epochs": 1}, {"epochs": 1, "clip_gradient": None, "augment": "flip"}]
    parent = small_run(clip_gradient=1.0, phases=phases)
    child = extend(parent, "+1", optimizer="adam(lr=1e-3)", seed=5)
    assert child.recipe["augment"].startswith("flip")
    assert "clip_gradient" not in child.recipe
    assert "phases" not in child.recipe
    assert child.recipe["optimizer"].startswith("adam(lr=0.001")
    assert child.recipe["seed"] == 5


def test_the_child_lies_beside_its_parent_and_can_go_on(small_run: Trained, interrupted: Cut, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    whole = extend(small_run(runs=elsewhere), "+2")
    assert whole.folder.parent == elsewhere
    parent = small_run(runs=tmp_path / "again")
    cut, _ = interrupted(after=4, runs=tmp_path / "again", parent=parent.name)
    assert equal(weights(resume(str(cut.folder))), weights(whole))


def test_an_unfinished_run_is_not_extended(interrupted: Cut) -> None:
    cut, _ = interrupted(after=2)
    with pytest.raises(UsageError, match=f"cnnlab resume {cut.name}"):
        extend(cut, "+1")


def test_a_parent_that_does_not_fit_is_refused_before_anything_is_written(small_run: Trained, tmp_path: Path) -> None:
    parent = small_run()
    with pytest.raises(ModelFileError, match="do not fit"):
        extend(parent, "+1", model="mlp(hidden=[8])")
    with pytest.raises(RunNotFoundError):
        small_run(parent="nobody")
    assert runs_in(tmp_path / "runs") == [parent]


def test_a_parent_may_be_named_in_any_recipe(small_run: Trained) -> None:
    parent = small_run()
    assert small_run(parent=parent.digest[:10], epochs=1) == extend(parent, "+1")
