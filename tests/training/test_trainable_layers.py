from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from comparing import content, equal, runs_in, weights
from torch import Tensor, nn

from cnnlab.core.errors import SpecError, UsageError
from cnnlab.core.registry import BoundCall, RegistryEntry
from cnnlab.runs import Run
from cnnlab.training import Recipe, find_lr
from cnnlab.training.optimizers import build_optimizer
from cnnlab.training.step import Stepper
from cnnlab.training.trainable_layers import PartialTraining, TrainableLayer, parse_trainable

Trained = Callable[..., Run]


def network() -> nn.Module:
    stem = nn.Sequential(OrderedDict(conv1=nn.Conv2d(1, 2, 3), bn1=nn.BatchNorm2d(2), relu1=nn.ReLU()))
    bare = nn.BatchNorm2d(2, affine=False)
    parts = OrderedDict(stem=stem, bare=bare, conv10=nn.Conv2d(2, 2, 1), flatten=nn.Flatten(), head=nn.Linear(8, 3))
    return nn.Sequential(parts)


def part(spec: str) -> PartialTraining:
    layers = parse_trainable(spec)
    return PartialTraining(network(), None if layers is None else layers.parsed)


def rates(training: PartialTraining) -> dict[str, float]:
    """The rate of each parameter, 0 for those that are frozen."""
    by_id = {id(p): trained.rate for trained in training.parts for p in trained.parameters}
    return {name: by_id.get(id(p), 0.0) for name, p in training.classifier.named_parameters()}


def test_a_spec_names_layers_and_their_rates() -> None:
    spec = parse_trainable("stem(0.5)|head")
    assert spec == "stem(rate=0.5)|head"
    assert spec is not None
    assert spec.parsed == (TrainableLayer("stem", 0.5), TrainableLayer("head"))
    assert parse_trainable(str(spec)) == spec
    assert [parse_trainable(nothing) for nothing in (None, "none", "")] == [None, None, None]
    assert parse_trainable(["stem", "head"]) == "stem|head"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("head(0.1, 0.2)", "its rate alone, as in head"),
        ("head(speed=2)", "its rate alone"),
        ("head(-1)", "takes a number at least 0; got -1"),
        ("head(fast)", "got 'fast'"),
        ("head|stem|head", "head is given twice"),
        ("head(", "never closed"),
    ],
)
def test_a_spec_that_cannot_be_meant_is_refused_where_it_stands(spec: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        Recipe.read(data="digits", trainable=spec)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("none", {"stem": 1.0, "conv10": 1.0, "head": 1.0}),
        ("head", {"stem": 0.0, "conv10": 0.0, "head": 1.0}),
        ("stem(0.5)|head", {"stem": 0.5, "conv10": 0.0, "head": 1.0}),
        ("rest(0.1)|head", {"stem": 0.1, "conv10": 0.1, "head": 1.0}),
        ("rest|head(0)", {"stem": 1.0, "conv10": 1.0, "head": 0.0}),
    ],
)
def test_a_layer_stands_for_all_inside_and_rest_for_what_is_not_named(spec: str, expected: dict[str, float]) -> None:
    assert {name: expected[name.partition(".")[0]] for name in rates(part("none"))} == rates(part(spec))


def test_the_innermost_name_counts_and_a_name_is_no_prefix_of_another() -> None:
    by_name = rates(part("stem|stem.conv1(0)|stem.bn1(0.2)"))
    assert {name: rate for name, rate in by_name.items() if name.startswith("stem")} == {
        "stem.conv1.weight": 0.0,
        "stem.conv1.bias": 0.0,
        "stem.bn1.weight": 0.2,
        "stem.bn1.bias": 0.2,
    }
    assert by_name["conv10.weight"] == 0.0
    with pytest.raises(UsageError, match=r"no layer 'conv1'\. Did you mean"):
        part("conv1")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("haed", "no layer 'haed'. Did you mean head"),
        ("flatten|head", "flatten, which holds no weights"),
        ("head(0)", "leaves nothing to train"),
    ],
)
def test_layers_that_cannot_be_trained_are_refused_before_a_run_is_begun(
    spec: str, words: str, small_run: Trained, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        part(spec)
    with pytest.raises(UsageError, match=words.replace("flatten,", "flatten1,")):
        small_run(phases=[{"epochs": 1}, {"epochs": 1, "trainable": spec.replace("flatten", "flatten1")}])
    assert not runs_in(tmp_path / "runs")


def test_frozen_batch_norm_stays_in_evaluation_and_the_rest_trains() -> None:
    training = part("stem.conv1|head")
    training.train()
    modes = {name: module.training for name, module in training.classifier.named_modules()}
    assert {name for name, mode in modes.items() if not mode} == {"stem.bn1", "bare"}
    whole = part("none")
    whole.train()
    assert all(module.training for module in whole.classifier.modules())


def test_batch_norm_that_its_maker_froze_stays_in_evaluation_too() -> None:
    module = network()
    module.stem.bn1.requires_grad_(False)
    training = PartialTraining(module, None)
    training.train()
    assert not module.stem.bn1.training
    assert module.bare.training


def test_what_was_frozen_is_let_go_of_and_what_its_maker_froze_stays_frozen() -> None:
    module = network()
    module.conv10.requires_grad_(False)
    before = [parameter.requires_grad for parameter in module.parameters()]
    training = PartialTraining(module, (TrainableLayer("head"),))
    training.begin()
    assert [name for name, p in module.named_parameters() if p.requires_grad] == ["head.weight", "head.bias"]
    training.end()
    assert [parameter.requires_grad for parameter in module.parameters()] == before


MODEL = "conv(4)|bn|relu|pool|dense(6)|relu"
LAYERS = {"conv1", "bn1", "dense1", "head"}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """The layers of which any number differs."""
    return {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}


PHASES: list[dict[str, Any]] = [
    {"epochs": 1, "trainable": "head"},
    {"epochs": 1, "trainable": "bn1(0.5)|head"},
    {"epochs": 1},
]


def test_a_phase_changes_the_layers_that_it_trains_and_no_other(small_run: Trained) -> None:
    run = small_run(model=MODEL, phases=PHASES, snapshots=[0, 1, 2, 3], select="last")
    after = [weights(run, f"snapshots/epoch-{epoch}") for epoch in range(4)]
    assert changed(after[0], after[1]) == {"head"}
    assert changed(after[1], after[2]) == {"bn1", "head"}
    assert changed(after[2], after[3]) == LAYERS
    # What is on record is the optimiser's rate, not that of one of the parts.
    assert list(run.history["learning_rate_end"]) == [0.1, 0.1, 0.1]
    assert run.recipe["phases"][0]["trainable"] == "head"


def test_training_in_parts_goes_on_to_the_same_end(small_run: Trained, interrupted: Any, tmp_path: Path) -> None:
    keys = {"model": MODEL, "phases": PHASES, "optimizer": "adam", "ema": 0.9}
    whole = content(small_run(**keys, runs=tmp_path / "whole"))
    for after in (2, 3, 2):
        interrupted(**keys, after=after)
    assert content(small_run(**keys)) == whole


def test_the_first_step_of_a_layer_is_in_proportion_to_its_rate(small_run: Trained) -> None:
    keys: dict[str, Any] = {"model": MODEL, "steps": 1, "snapshots": [0, 1], "select": "last"}
    steps = {}
    for spec in ("none", "rest|dense1(0.25)"):
        run = small_run(**keys, trainable=spec)
        before, after = weights(run, "snapshots/epoch-0"), weights(run, "snapshots/epoch-1")
        steps[spec] = {name: after[name] - before[name] for name in ("dense1.weight", "head.weight")}
    torch.testing.assert_close(4 * steps["rest|dense1(0.25)"]["dense1.weight"], steps["none"]["dense1.weight"])
    assert torch.equal(steps["rest|dense1(0.25)"]["head.weight"], steps["none"]["head.weight"])


def test_all_layers_named_is_the_whole_network(small_run: Trained) -> None:
    whole, named = small_run(model=MODEL), small_run(model=MODEL, trainable="rest")
    assert equal(weights(named), weights(whole))
    assert named.digest != whole.digest


def test_a_range_test_trains_the_same_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    lrs: set[tuple[float, ...]] = set()
    take = Stepper.take

    def note(self: Stepper, *args: Any) -> Any:
        lrs.add(tuple(group["lr"] / self.optimizer.param_groups[-1]["lr"] for group in self.optimizer.param_groups))
        return take(self, *args)

    monkeypatch.setattr(Stepper, "take", note)
    find_lr(data="digits", model=MODEL, trainable="dense1(0.25)|head", steps=12, offline=True)
    # Kernel and bias of each.
    assert lrs == {(0.25, 0.25, 1.0, 1.0)}


def test_an_optimiser_without_a_rate_refuses_parts_at_rates_of_their_own() -> None:
    steady = RegistryEntry("steady", lambda params: torch.optim.SGD(params, lr=0.1), {})
    bound, training = BoundCall(steady, {}), part("head")
    assert len(build_optimizer(bound, training.classifier, 0.0, training.parts).param_groups) == 2
    with pytest.raises(UsageError, match="steady takes no learning rate"):
        build_optimizer(bound, training.classifier, 0.0, part("head(0.1)").parts)
