"""What happens to everything that a training keeps when one phase ends and the next begins: docs/design.md, Phases."""

import copy
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from comparing import content, equal, history, weights
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.models import Classifier
from cnnlab.runs import Run
from cnnlab.training import Recipe, find_lr
from cnnlab.training.partial_training import PartialTraining
from cnnlab.training.step import Stepper

Trained = Callable[..., Run]
MODEL = "conv(4)|bn|relu|dropout(0.5)|pool|dense(6)|bn|relu|dropout(0.5)"
FROZEN = ("conv1", "bn1", "dense1", "bn2")


def frozen(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if name.startswith(FROZEN)}


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """The learning rate of each step, and how many weights the optimiser has a state for before it."""
    seen: list[tuple[float, int]] = []
    take = Stepper.take

    def note(self: Stepper, *args: Any) -> Any:
        seen.append((self.optimizer.param_groups[0]["lr"], len(self.optimizer.state)))
        return take(self, *args)

    monkeypatch.setattr(Stepper, "take", note)
    return seen


def test_optimiser_and_schedule_begin_anew_with_their_warm_up(
    small_run: Trained, watched: list[tuple[float, int]]
) -> None:
    phase = {"epochs": 2, "optimizer": "adam(lr=0.01)", "schedule": "cosine(warmup=1)"}
    small_run(phases=[phase, phase | {"train": "head"}])
    rates, states = zip(*watched, strict=True)
    assert rates[:6] == rates[6:] and rates[0] < rates[3] > rates[5]
    # Kernel and bias of the convolution and of the head, then of the head alone.
    assert states == (0, 4, 4, 4, 4, 4, 0, 2, 2, 2, 2, 2)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_without_a_state_a_training_in_phases_is_that_in_one(small_run: Trained, momentum: float) -> None:
    # Neither order, augmentation, dropout, moving average nor the choice of an epoch know of phases.
    keys = {"model": MODEL, "ema": 0.9, "augment": "shift(0.1)", "optimizer": f"sgd(lr=0.1, momentum={momentum})"}
    whole, parted = small_run(**keys, epochs=2), small_run(**keys, phases=[{"epochs": 1}, {"epochs": 1}])
    assert equal(weights(whole, "last"), weights(parted, "last")) == (momentum == 0)
    if momentum == 0:
        assert history(whole) == {key: rows for key, rows in history(parted).items() if key != "phase"}


def test_what_a_later_phase_freezes_stays_as_it_is_to_the_bit(small_run: Trained) -> None:
    harsh = {"weight_decay": 0.1, "clip_weights": 0.02, "clip_gradient": 0.5, "ema": 0.5, "optimizer": "adam"}
    phases = [{"epochs": 1, "clip_weights": None, "weight_decay": 0}, {"epochs": 2, "train": "head"}]
    run = small_run(**harsh, model=MODEL, phases=phases, snapshots=[1, 3], select="last")
    before, after = weights(run, "snapshots/epoch-1"), weights(run, "snapshots/epoch-3")
    # Of the average, too; counters of batches are among them.
    assert equal(frozen(before), frozen(after))
    assert after["conv1.weight"].abs().max() > 0.02
    assert after["head.weight"].abs().max() < before["head.weight"].abs().max()


def test_the_gradient_is_clipped_by_the_norm_of_what_is_trained(small_run: Trained) -> None:
    keys = {"model": "conv(4)|relu|pool|dense(6)|relu", "optimizer": "sgd(lr=1)", "clip_gradient": 0.01, "steps": 1}
    run = small_run(**keys, train="head", snapshots=[0, 1], select="last")
    before, after = weights(run, "snapshots/epoch-0"), weights(run, "snapshots/epoch-1")
    moved = torch.cat([(after[name] - before[name]).flatten() for name in before])
    assert moved.norm() == pytest.approx(0.01, rel=1e-3)


class Functional(nn.Module):
    """Drops by a function in its body, and by a module before its head."""

    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)

        def forward(self, input: Tensor) -> Tensor:
            return F.dropout(self.norm(self.conv(input)), 0.5, self.training)

    def __init__(self) -> None:
        super().__init__()
        self.body, self.pool, self.drop, self.head = self.Body(), nn.AvgPool2d(8), nn.Dropout(0.5), nn.Linear(4, 10)

    def forward(self, input: Tensor) -> Tensor:
        output: Tensor = self.head(self.drop(self.pool(self.body(input)).flatten(1)))
        return output


def partial(**keys: Any) -> PartialTraining:
    classes = {"label": [str(digit) for digit in range(10)]}
    classifier = Classifier(Functional(), (1, 8, 8), [0.5], [0.5], classes, "classes", "module")
    return PartialTraining(classifier, Recipe.read(data="digits", **keys).normal()[0])


@pytest.mark.parametrize(("train", "drops"), [("head", False), ("block1+head", True), (None, True)])
def test_dropout_of_frozen_parts_is_off_that_of_functions_too(train: str | None, drops: bool) -> None:
    training, image = partial(train=train), torch.rand(1, 1, 8, 8)
    training.train()
    body = training.network.body
    assert torch.equal(body(image), body(image)) != drops
    assert training.network.drop.training


def test_norms_of_frozen_parts_gather_statistics_where_that_is_asked_for() -> None:
    training, images = partial(train="head", norms="train"), torch.rand(4, 1, 8, 8)
    before = copy.deepcopy(training.network.state_dict())
    training.train()
    body = training.network.body
    assert torch.equal(body(images), body(images)), "no dropout"
    changed = {name for name, tensor in training.network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"body.norm.running_mean", "body.norm.running_var", "body.norm.num_batches_tracked"}
    # So nothing of it may be computed once for the whole phase, and its average goes on.
    assert not training.is_frozen("body") and not training.is_frozen("body.norm") and training.is_frozen("body.conv")
    assert training.still == {"network.body.conv.weight", "network.body.conv.bias"} | {
        "network.body.norm.weight",
        "network.body.norm.bias",
    }


def test_fixed_norms_of_trained_parts_keep_their_statistics_and_are_trained() -> None:
    training, images = partial(train="block1+head", norms="fixed"), torch.rand(4, 1, 8, 8)
    network, before = training.network, copy.deepcopy(training.network.state_dict())
    training.train()
    expected = network.body.norm.eval()(network.body.conv(images[:1]))
    assert network.body.conv.training and not network.body.norm.training
    assert torch.allclose(network.body.norm(network.body.conv(images))[:1], expected)
    network(images).sum().backward()
    assert equal(before, network.state_dict())
    assert network.body.norm.weight.grad is not None and {id(network.body.norm.weight)} <= training._trained
    # Its scale changes from step to step, so it is not computed once.
    assert not training.is_frozen("body.norm")
    statistics = {"running_mean", "running_var", "num_batches_tracked"}
    assert training.still == {f"network.body.norm.{name}" for name in statistics}


def test_norms_gather_the_same_statistics_in_a_run(small_run: Trained) -> None:
    keys = {"model": "conv(4)|bn|relu|pool", "train": "head", "snapshots": [0, 1], "select": "last", "epochs": 1}
    for norms in ("eval", "train"):
        run = small_run(**keys, norms=norms)
        before, after = weights(run, "snapshots/epoch-0"), weights(run, "snapshots/epoch-1")
        changed = {name.rpartition(".")[2] for name in before if not torch.equal(before[name], after[name])}
        statistics = {"running_mean", "running_var", "num_batches_tracked"} if norms == "train" else set()
        assert changed == {"weight", "bias"} | statistics
        assert equal({"": before["conv1.weight"]}, {"": after["conv1.weight"]})


PHASES: list[dict[str, Any]] = [
    {"epochs": 1, "train": "head"},
    {"epochs": 3, "unfreeze": 1, "layer_decay": 0.5, "schedule": "cosine(warmup=0.5)"},
    {"epochs": 1, "train": "block1+head", "norms": "train", "optimizer": "sgd(lr=0.1, momentum=0.9)"},
]
KEYS: dict[str, Any] = {"model": MODEL, "phases": PHASES, "optimizer": "adam", "ema": 0.9, "clip_weights": 0.5}


def test_a_range_test_before_and_between_phases_leaves_no_trace(
    small_run: Trained, interrupted: Any, tiny: dict[str, Any], tmp_path: Any
) -> None:
    whole = content(small_run(**KEYS, runs=tmp_path / "whole"))
    recipe = {key: value for key, value in {**tiny, **KEYS}.items() if key != "epochs"}
    state = torch.get_rng_state()
    first = find_lr(recipe, steps=10, offline=True)
    interrupted(**KEYS, epoch=1)
    second = find_lr(recipe, steps=10, phase=2, offline=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert content(small_run(**KEYS)) == whole
    assert first.losses != second.losses


def test_a_range_test_of_a_later_phase_begins_with_its_weights(small_run: Trained, tiny: dict[str, Any]) -> None:
    # At rates next to nothing, the loss is that of the weights with which the phase begins.
    tiny |= {"model": "conv(4)|relu|pool", "optimizer": "sgd(lr=0.3)"}
    recipe = {key: value for key, value in tiny.items() if key != "epochs"}
    phases = [{"epochs": 2}, {"epochs": 1, "train": "head", "optimizer": "sgd(lr=1e-12)"}]
    run = small_run(**recipe, phases=phases)
    test = find_lr(recipe, phases=phases, phase=2, lowest=1e-14, highest=1e-12, steps=12, offline=True)
    assert sum(test.losses[:3]) / 3 == pytest.approx(run.history["train_loss"].iloc[2], rel=1e-5)


def test_stopped_every_other_step_or_after_every_epoch_a_training_ends_the_same(
    small_run: Trained, interrupted: Any, tmp_path: Any
) -> None:
    whole = content(small_run(**KEYS, runs=tmp_path / "whole"))
    for after in itertools.repeat(2, 7):
        interrupted(**KEYS, after=after)
    assert content(small_run(**KEYS)) == whole
    for epoch in range(1, 5):
        interrupted(**KEYS, epoch=epoch, runs=tmp_path / "epochs")
    assert content(small_run(**KEYS, runs=tmp_path / "epochs")) == whole
