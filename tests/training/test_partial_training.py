from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from comparing import content, equal, runs_in, weights
from torch import Tensor, nn

from cnnlab.core.errors import UsageError
from cnnlab.core.registry import BoundCall, RegistryEntry
from cnnlab.models import Classifier
from cnnlab.runs import Run
from cnnlab.training import Recipe, find_lr
from cnnlab.training.optimizers import TrainedPart, build_optimizer
from cnnlab.training.partial_training import PartialTraining
from cnnlab.training.step import Stepper

Trained = Callable[..., Run]
SHAPE = (1, 6, 6)


def network() -> nn.Module:
    """Two blocks, the second of which has dropout between its layers, and dropout before the head."""
    layers: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(1, 2, 3, padding=1),
        "bn1": nn.BatchNorm2d(2),
        "drop1": nn.Dropout(0.5),
        "pool1": nn.MaxPool2d(2),
        "inner": nn.Sequential(OrderedDict(conv=nn.Conv2d(2, 2, 3, padding=1), bn=nn.BatchNorm2d(2, affine=False))),
        "drop2": nn.Dropout2d(0.5),
        "flatten": nn.Flatten(),
        "drop3": nn.Dropout(0.5),
        "head": nn.Linear(18, 3),
    }
    return nn.Sequential(OrderedDict(layers))


def classifier(module: nn.Module) -> Classifier:
    return Classifier(module, SHAPE, [0.5], [0.5], {"label": ["a", "b", "c"]}, "classes", "module")


def training(train: str | None, module: nn.Module | None = None, **keys: Any) -> PartialTraining:
    recipe = Recipe.read(data="digits", train=train, **keys)
    return PartialTraining(classifier(module or network()), recipe.normal()[0])


def trained(partial: PartialTraining) -> set[str]:
    """The layers of which something is trained."""
    held = {id(weight) for part in partial.parts for weight in part.parameters}
    return {name.rpartition(".")[0] for name, weight in partial.network.named_parameters() if id(weight) in held}


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        (None, {"conv1", "bn1", "inner.conv", "head"}),
        ("head", {"head"}),
        ("head+block1", {"conv1", "bn1", "head"}),
        ("block2..head", {"inner.conv", "head"}),
        ("block1..block1", {"conv1", "bn1"}),
        ("all-block1", {"inner.conv", "head"}),
        ("block1+head-bn1", {"conv1", "head"}),
        ("bn1+inner", {"bn1", "inner.conv"}),
    ],
)
def test_names_of_parts_and_layers_choose_what_is_trained(train: str | None, expected: set[str]) -> None:
    assert trained(training(train)) == expected


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ("haed", "train names haed, and the network has no part or layer of that name. Did you mean head"),
        ("block7", "Its parts are block1, block2, head;"),
        ("head..block1", "runs backwards: block1 comes before head .* Write block1..head"),
        ("conv1..head", "no part of that name"),
        ("flatten", "train=flatten comes to layers without weights"),
        ("head-head", "without weights that could be trained"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(train: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        training(train)


def test_a_network_without_parts_says_so() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(36, 3))

        def forward(self, input: Tensor) -> Tensor:
            return input.flatten(1) @ self.weight

    with pytest.raises(UsageError, match="this network has none: all its weights are held by one module"):
        training("head", Bare())
    assert len(training(None, Bare()).parts) == 1


def test_a_choice_is_refused_before_a_run_is_begun(small_run: Trained, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="phase 2: train names haed, and the network has no part or layer"):
        small_run(phases=[{"epochs": 1}, {"epochs": 1, "train": "haed"}])
    with pytest.raises(UsageError, match=r"^train names haed"):
        small_run(train="haed")
    assert not runs_in(tmp_path / "runs")


def test_a_module_is_frozen_where_nothing_inside_is_trained() -> None:
    partial = training("block2+head")
    names = [name for name, _ in partial.network.named_modules()]
    # What comes before the first part would go with it, and dropout before the head goes with the head.
    assert {name for name in names if partial.is_frozen(name)} == {"conv1", "bn1", "drop1", "pool1"}
    partial = training("head")
    assert {name for name in names if not partial.is_frozen(name)} == {"", "drop3", "head"}


def test_frozen_modules_are_in_evaluation_and_all_others_train() -> None:
    partial = training("inner.conv+head")
    partial.train()
    modes = {name: module.training for name, module in partial.network.named_modules()}
    assert {name for name, mode in modes.items() if mode} == {"", "inner", "inner.conv", "drop3", "head"}
    whole = training(None)
    whole.train()
    assert all(module.training for module in whole.classifier.modules())


def test_batch_norm_that_its_maker_froze_stays_in_evaluation_and_dropout_beside_it_does_not() -> None:
    module = network()
    module.bn1.requires_grad_(False)
    module.conv1.requires_grad_(False)
    partial = training(None, module)
    partial.train()
    assert not module.bn1.training
    assert module.drop1.training


def test_what_was_frozen_is_let_go_of_and_what_its_maker_froze_stays_frozen() -> None:
    module = network()
    module.conv1.requires_grad_(False)
    before = [parameter.requires_grad for parameter in module.parameters()]
    partial = training("head", module)
    partial.begin()
    assert [name for name, p in module.named_parameters() if p.requires_grad] == ["head.weight", "head.bias"]
    partial.end()
    assert [parameter.requires_grad for parameter in module.parameters()] == before


MODEL = "conv(4)|bn|relu|pool|dense(6)|relu"
LAYERS = {"conv1", "bn1", "dense1", "head"}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """The layers of which any number differs."""
    return {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}


PHASES: list[dict[str, Any]] = [
    {"epochs": 1, "train": "head"},
    {"epochs": 1, "train": "bn1+head"},
    {"epochs": 1},
]


def test_a_phase_changes_what_it_trains_and_nothing_else(small_run: Trained) -> None:
    run = small_run(model=MODEL, phases=PHASES, snapshots=[0, 1, 2, 3], select="last")
    after = [weights(run, f"snapshots/epoch-{epoch}") for epoch in range(4)]
    assert changed(after[0], after[1]) == {"head"}
    assert changed(after[1], after[2]) == {"bn1", "head"}
    assert changed(after[2], after[3]) == LAYERS
    assert run.recipe["phases"][0]["train"] == "head"


def test_training_in_parts_goes_on_to_the_same_end(small_run: Trained, interrupted: Any, tmp_path: Path) -> None:
    keys = {"model": MODEL, "phases": PHASES, "optimizer": "adam", "ema": 0.9}
    whole = content(small_run(**keys, runs=tmp_path / "whole"))
    for after in (2, 3, 2):
        interrupted(**keys, after=after)
    assert content(small_run(**keys)) == whole


def test_all_named_one_by_one_is_the_whole_network(small_run: Trained) -> None:
    whole, named = small_run(model=MODEL), small_run(model=MODEL, train="block1..head")
    assert equal(weights(named), weights(whole))
    assert named.digest != whole.digest


def test_a_range_test_trains_the_same_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    held: set[tuple[int, ...]] = set()
    take = Stepper.take

    def note(self: Stepper, *args: Any) -> Any:
        held.add(tuple(p.numel() for group in self.optimizer.param_groups for p in group["params"]))
        return take(self, *args)

    monkeypatch.setattr(Stepper, "take", note)
    find_lr(data="digits", model=MODEL, train="head", steps=12, offline=True)
    assert held == {(60, 10)}


def test_an_optimiser_without_a_rate_refuses_parts_at_rates_of_their_own() -> None:
    steady = RegistryEntry("steady", lambda params: torch.optim.SGD(params, lr=0.1), {})
    bound, partial = BoundCall(steady, {}), training("head")
    assert len(build_optimizer(bound, partial.classifier, 0.0, partial.parts).param_groups) == 2
    with pytest.raises(UsageError, match="steady takes no learning rate"):
        build_optimizer(bound, partial.classifier, 0.0, [TrainedPart(partial.parts[0].parameters, 0.1)])


def rates(partial: PartialTraining) -> dict[str, float | None]:
    """The rate of the weights of each layer that is trained."""
    by_id = {id(weight): part.rate for part in partial.parts for weight in part.parameters}
    named = partial.network.named_parameters()
    return {name.rpartition(".")[0]: by_id[id(weight)] for name, weight in named if id(weight) in by_id}


def test_parts_may_have_rates_and_others_decay_towards_the_picture() -> None:
    keys = {"optimizer": "adam(lr=0.01)", "rates": {"head": 0.1}}
    assert rates(training(None, **keys)) == {"conv1": None, "bn1": None, "inner.conv": None, "head": 0.1}
    keys = {"optimizer": "adam(lr=0.01)", "layer_decay": 0.5}
    decayed = rates(training(None, **keys))
    assert decayed == {"conv1": 0.0025, "bn1": 0.0025, "inner.conv": 0.005, "head": None}
    # What is not trained still counts, and a rate of its own is not decayed.
    assert rates(training("block1+head", **keys)) == {"conv1": 0.0025, "bn1": 0.0025, "head": None}
    assert rates(training("block1", **keys, rates={"bn1": 0.1})) == {"conv1": 0.0025, "bn1": 0.1}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"train": "head", "rates": {"block1": 0.1}}, "rates gives block1 a learning rate, and this phase does not"),
        ({"rates": {"blok1": 0.1}}, "rates names blok1, and the network has no part or layer"),
        ({"rates": {"head": 0}}, "no learning rate above 0"),
        ({"rates": "fast"}, "rates='{head: 1e-3, block5: 1e-4}'"),
        ({"rates": {"head": True}}, "no learning rate above 0"),
        ({"unfreeze": 0}, "unfreeze cannot be 0"),
        ({"layer_decay": 1.5}, "layer_decay cannot be 1.5"),
        ({"norms": "off"}, "norms cannot be 'off'"),
    ],
)
def test_rates_that_cannot_be_meant_are_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        training(keys.pop("train", None), **keys)


def test_the_first_step_of_a_part_is_in_proportion_to_its_rate(small_run: Trained) -> None:
    keys: dict[str, Any] = {"model": MODEL, "steps": 1, "snapshots": [0, 1], "select": "last"}
    steps = {}
    for given in (None, {"top": 0.025}):
        run = small_run(**keys, rates=given)
        before, after = weights(run, "snapshots/epoch-0"), weights(run, "snapshots/epoch-1")
        steps[given is None] = {name: after[name] - before[name] for name in ("dense1.weight", "head.weight")}
        # What is on record is the optimiser's rate, not that of one of the parts.
        assert list(run.history["learning_rate_end"]) == [0.1]
    torch.testing.assert_close(4 * steps[False]["dense1.weight"], steps[True]["dense1.weight"])
    assert torch.equal(steps[False]["head.weight"], steps[True]["head.weight"])


@pytest.mark.parametrize(
    ("unfreeze", "train", "expected"),
    [
        (1, None, ["head", "inner.conv head", "conv1 bn1 inner.conv head", "conv1 bn1 inner.conv head"]),
        (0.5, None, ["head", "head", "inner.conv head", "inner.conv head"]),
        (2, None, ["head", "conv1 bn1 inner.conv head"]),
        # Parts that are not trained at all have no turn.
        (1, "all-block2", ["head", "conv1 bn1 head"]),
    ],
)
def test_parts_are_freed_from_the_head_on(unfreeze: float, train: str | None, expected: list[str]) -> None:
    partial = training(train, unfreeze=unfreeze)
    partial.begin()
    for epoch, layers in enumerate(expected):
        partial.unfreeze(epoch)
        assert trained(partial) == set(layers.split())
        free = {name.rpartition(".")[0] for name, p in partial.network.named_parameters() if p.requires_grad}
        assert free == set(layers.split())
        assert partial.is_frozen("drop1") == ("conv1" not in layers)
    assert training(train, unfreeze=unfreeze).unfreeze(3) and not partial.unfreeze(3)


def test_a_part_that_is_freed_joins_the_optimiser_and_the_others_keep_their_state(
    small_run: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[tuple[float, ...], int]] = []
    take = Stepper.take

    def note(self: Stepper, *args: Any) -> Any:
        groups = self.optimizer.param_groups
        seen.append((tuple(round(group["lr"], 6) for group in groups), len(self.optimizer.state)))
        return take(self, *args)

    monkeypatch.setattr(Stepper, "take", note)
    keys = {"optimizer": "adam(lr=0.01)", "unfreeze": 1, "layer_decay": 0.5, "epochs": 2}
    run = small_run(model=MODEL, **keys, snapshots=[0, 1, 2], select="last")
    # Three steps an epoch; kernel and bias of the head, then of the dense layer at half its rate too.
    assert seen == [
        ((0.01, 0.01), 0),
        ((0.01, 0.01), 2),
        ((0.01, 0.01), 2),
        ((0.01, 0.01, 0.005, 0.005), 2),
        ((0.01, 0.01, 0.005, 0.005), 4),
        ((0.01, 0.01, 0.005, 0.005), 4),
    ]
    after = [weights(run, f"snapshots/epoch-{epoch}") for epoch in range(3)]
    assert changed(after[0], after[1]) == {"head"}
    assert changed(after[1], after[2]) == {"dense1", "head"}
