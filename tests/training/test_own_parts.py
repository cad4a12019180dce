"""A loss, metrics, an objective and an optimiser of one's own, given in Python."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.core import given_objects
from cnnlab.core.errors import CnnlabWarning, UsageError
from cnnlab.evaluation import evaluate
from cnnlab.objectives import Classes
from cnnlab.runs import Run
from cnnlab.training import Interrupted, Recipe, resume, train

Trained = Callable[..., Run]
Cut = Callable[..., tuple[Run, Interrupted]]


def bytes_of(run: Run) -> bytes:
    return (run.folder / "model.safetensors").read_bytes()


# Losses


def hinge(outputs: Tensor, targets: Tensor) -> Tensor:
    """For classes by their indices only."""
    return F.multi_margin_loss(outputs, targets)


def brier(outputs: Tensor, targets: Tensor) -> Tensor:
    """For shares of classes only."""
    return (outputs.softmax(1) - targets).square().sum(1)


@pytest.mark.parametrize(
    ("loss", "name"),
    [(nn.CrossEntropyLoss(), "CrossEntropyLoss"), (F.cross_entropy, "cross_entropy"), (nn.CrossEntropyLoss, "Cross")],
)
def test_cross_entropy_that_is_given_trains_as_that_which_is_there(loss: Any, name: str, small_run: Trained) -> None:
    usual, own = small_run(), small_run(loss=loss)
    assert own != usual
    for column in ("train_loss", "validation_loss", "validation_accuracy"):
        np.testing.assert_allclose(own.history[column], usual.history[column], rtol=1e-5)
    assert f"loss=given(name={name}" in own.recipe["objective"]
    assert small_run(loss=loss) == own


@pytest.mark.parametrize("loss", [hinge, brier])
def test_the_loss_that_is_told_is_that_which_was_given(loss: Any, small_run: Trained) -> None:
    run = small_run(loss=loss)
    stored = run.predictions("test")
    outputs, targets = torch.from_numpy(stored.outputs["label"]), torch.from_numpy(stored.targets["label"])
    truth = targets if loss is hinge else F.one_hot(targets, 10).float()
    assert run.test["loss"] == pytest.approx(loss(outputs, truth).mean().item(), rel=1e-5)
    assert evaluate(run).scores["loss"] == run.test["loss"]


def test_a_loss_of_indices_is_given_no_blended_targets(small_run: Trained) -> None:
    with pytest.raises(UsageError, match="hinge takes classes by their indices"):
        small_run(loss=hinge, label_smoothing=0.1)
    with pytest.raises(UsageError, match="mixup"):
        small_run(loss=hinge, augment="mixup")
    assert small_run(loss=brier, label_smoothing=0.1, augment="mixup").status == "finished"


class Margin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(self.scale * outputs, targets)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"loss": Margin()}, "weights of its own"),
        ({"loss": lambda outputs, targets: outputs.detach().sum(1)}, "no gradient"),
        ({"loss": lambda outputs, targets: outputs}, r"for N=64 it gave a tensor \[64, 10\]"),
        ({"loss": lambda outputs: outputs.mean()}, "fails: TypeError"),
        ({"loss": 5}, "takes a function of outputs and targets; got int"),
        ({"loss": "mse"}, "has no key 'loss'. Write objective='scalar'"),
        ({"loss": hinge, "balance": "weights"}, "balance=sampler"),
        ({"metrics": "f1"}, "functions or objects of torchmetrics"),
        ({"metrics": [lambda outputs, targets: 1.0]}, "cannot name a metric"),
        ({"metrics": {"accuracy": lambda outputs, targets: 1.0}}, "there is a metric accuracy already"),
        ({"metrics": {"mine": lambda outputs, targets: outputs}}, "mine is to give one number"),
        ({"metrics": {"mine": lambda outputs: 1.0}}, "mine is to give one number"),
        ({"optimizer": torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)}, "given ready made"),
        ({"optimizer": 5}, "a class of torch's kind"),
        ({"optimizer": lambda parameters: 5}, "made a int, no optimiser"),
        ({"optimizer": lambda: None}, "fails on a list of parameters"),
        ({"objective": 5}, "takes a spec, an Objective"),
        ({"objective": lambda columns: 5}, "made a int"),
        ({"callbacks": "x"}, "callbacks takes a list of functions"),
        ({"callbacks": [lambda: 1]}, "is called with one argument"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_trained(
    keys: dict[str, Any], words: str, small_run: Trained, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        small_run(**keys)
    assert not list(tmp_path.glob("runs/*/run.json"))


def test_losses_that_hold_other_numbers_are_other_runs(small_run: Trained) -> None:
    def weighed(weight: float) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda outputs, targets: weight * F.cross_entropy(outputs, targets)

    assert small_run(loss=weighed(1)) != small_run(loss=weighed(2))
    assert small_run(loss=weighed(1)) == small_run(loss=weighed(1))
    weights = torch.ones(10)
    weights[3] = 2
    assert small_run(loss=nn.CrossEntropyLoss(weight=weights)) != small_run(loss=nn.CrossEntropyLoss(torch.ones(10)))


# Metrics


def top2(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs.topk(2).indices == targets[:, None]).any(1).float().mean()


class Recorded:
    """A metric that adds up batches, as torchmetrics has them."""

    higher_is_better = False

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.wrong = self.seen = 0

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        self.wrong += int((predictions.argmax(1) != targets).sum())
        self.seen += len(targets)

    def compute(self) -> float:
        return self.wrong / self.seen


def test_metrics_of_ones_own_are_followed_scored_and_select(small_run: Trained) -> None:
    recorded = Recorded()
    run = small_run(metrics=[top2, recorded], select="top2")
    stored = run.predictions("test")
    outputs, targets = torch.from_numpy(stored.outputs["label"]), torch.from_numpy(stored.targets["label"])
    assert run.test["top2"] == pytest.approx(top2(outputs, targets).item())
    assert run.test["recorded_error"] == pytest.approx(1 - run.test.accuracy)
    assert run.history["validation_recorded_error"].to_list() == pytest.approx(
        (1 - run.history["validation_accuracy"]).to_list()
    )
    assert run.info["selected"]["metric"] == "validation_top2"
    assert (recorded.wrong, recorded.seen) == (0, 0)


def test_metrics_of_ones_own_change_nothing_that_is_trained(small_run: Trained) -> None:
    plain, own = small_run(), small_run(metrics={"share": top2})
    assert plain.history["train_loss"].to_list() == own.history["train_loss"].to_list()


def test_of_a_number_a_metric_is_given_the_number(small_run: Trained) -> None:
    def worst(predictions: Tensor, targets: Tensor) -> Tensor:
        assert predictions.shape == targets.shape == (len(targets),)
        return (predictions - targets).abs().max()

    run = small_run(objective="scalar", optimizer="sgd(lr=1e-3)", metrics={"worst_error": worst})
    assert run.test["worst_error"] >= run.test["mean_absolute_error"]
    assert 0 < run.test["worst_error"] < 20


def test_where_a_metric_is_not_known_the_others_are_scored(small_run: Trained) -> None:
    run = small_run(metrics={"mine": lambda outputs, targets: 1.0})
    assert run.test["mine"] == 1.0
    given_objects._given.clear()
    with pytest.warns(CnnlabWarning, match="mine was given in Python"):
        scores = evaluate(run).scores
    assert scores["accuracy"] == run.test.accuracy
    assert "mine" not in scores


# Objectives


class Focal(Classes):
    """Cross-entropy that counts what is right already for less (Lin et al. 2017, equation 4)."""

    def losses(self, outputs: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        likelihood = (outputs.softmax(1) * target).sum(1)
        return (1 - likelihood) ** 2 * super().losses(outputs, target, weight)


def focal(columns: Any) -> Focal:
    return Focal("label", columns["label"])


@pytest.mark.parametrize("objective", [focal, Focal("label", tuple(map(str, range(10))))])
def test_an_objective_of_ones_own_is_trained_by_and_on_record(objective: Any, small_run: Trained) -> None:
    run = small_run(objective=objective, metrics=[top2])
    assert "given(name=" in run.recipe["objective"]
    assert 0 < run.test["loss"] < small_run().test["loss"]
    assert evaluate(run).scores == {name: run.test[name] for name in run.test if name != "n"} | {"n": 60}


# Optimisers


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.optim.AdamW, "adamw"),
        (partial(torch.optim.SGD, lr=0.05, momentum=0.9), "sgd(lr=0.05, momentum=0.9)"),
    ],
)
def test_an_optimiser_that_has_a_word_is_on_record_by_it(given: Any, expected: str, small_run: Trained) -> None:
    assert small_run(optimizer=given) == small_run(optimizer=expected)


class Slow(torch.optim.Optimizer):
    """Steps by a mean of all gradients so far."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for weights in group["params"]:
                state = self.state[weights]
                state["sum"] = state.get("sum", torch.zeros_like(weights)) + weights.grad
                state["count"] = state.get("count", 0) + 1
                weights -= group["lr"] / state["count"] * state["sum"]


class Forgetful(Slow):
    """Keeps a count where no checkpoint sees it."""

    count = 0

    def step(self, closure: Any = None) -> None:
        self.count += 1
        for group in self.param_groups:
            for weights in group["params"]:
                weights.data -= group["lr"] / self.count * weights.grad


@pytest.mark.parametrize(
    "optimizer",
    [
        Slow,
        partial(Slow, lr=0.2),
        lambda parameters: torch.optim.Adam([{"params": parameters[:1], "lr": 0.01}, {"params": parameters[1:]}]),
        partial(torch.optim.SGD, lr=0.1, momentum=0.9, foreach=False),
    ],
)
def test_a_run_by_ones_own_optimiser_ends_as_if_it_had_not_been_interrupted(
    optimizer: Any, small_run: Trained, interrupted: Cut, tmp_path: Path
) -> None:
    keys = {"optimizer": optimizer, "loss": brier, "metrics": [top2], "schedule": "cosine"}
    whole = small_run(**keys, runs=tmp_path / "whole")
    cut, _ = interrupted(**keys, after=4)
    assert bytes_of(resume(cut)) == bytes_of(whole)
    assert resume(cut).history["validation_top2"].to_list() == whole.history["validation_top2"].to_list()


def test_an_optimiser_that_could_not_go_on_is_refused(small_run: Trained) -> None:
    with pytest.raises(UsageError, match="where a checkpoint cannot hold it"):
        small_run(optimizer=Forgetful)


def test_weight_decay_and_rates_of_parts_are_for_optimisers_with_a_word(small_run: Trained) -> None:
    with pytest.raises(UsageError, match="weight_decay is for optimisers known by a word"):
        small_run(optimizer=Slow, weight_decay=0.1)


def test_what_is_given_is_found_by_its_name_in_another_process_and_the_record_can_be_read_without(
    small_run: Trained, tiny: dict[str, Any], tmp_path: Path
) -> None:
    run = small_run(optimizer=Slow, loss=hinge, metrics=[top2], objective="classes")
    here = small_run(optimizer=lambda parameters: Slow(parameters))
    given_objects._given.clear()
    assert train(run.recipe, runs=tmp_path / "runs", offline=True) == run
    assert Recipe.read(here.recipe).title == here.name.rpartition("-")[0]
    with pytest.raises(UsageError, match=r"<lambda> was given in Python, and a record holds no code"):
        train(here.recipe, runs=tmp_path / "runs", offline=True)


def test_phases_may_have_optimisers_of_ones_own(small_run: Trained) -> None:
    run = small_run(phases=[{"epochs": 1, "optimizer": Slow}, {"epochs": 1, "optimizer": "sgd(lr=0.1)"}])
    assert run.epochs_done == 2
