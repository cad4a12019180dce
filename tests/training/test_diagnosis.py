"""A run that learned nothing says why, each cause planted here; one that learned says nothing."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import nn

from cnnlab.core.errors import TrainingError, UsageError
from cnnlab.models import Classifier
from cnnlab.objectives import build_objective
from cnnlab.runs import Diagnosis, Finding, Run, RunStore
from cnnlab.training import diagnose, resume, train
from cnnlab.training.diagnosis import diagnose as diagnosing
from cnnlab.training.diagnosis.learning import ConstantAnswer, has_fallen
from cnnlab.training.diagnosis.relation import relation_of
from cnnlab.training.diagnosis.units import same_weights, units_on
from cnnlab.training.execution import Execution
from tests.training.comparing import content, equal, weights

PLAIN: dict[str, Any] = {
    "data": "digits",
    "subset": 500,
    "test": 60,
    "validation": 200,
    "model": "mlp(hidden=[32, 16])",
    "optimizer": "sgd(lr=0.1)",
    "schedule": "constant",
    "batch_size": 32,
    "epochs": 2,
    "precision": "float32",
    "device": "cpu",
    "threads": 1,
    "workers": 1,
}

DIVERGING = {"model": "flatten|dense(32)|dense(16)", "optimizer": "sgd(lr=20)"}


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., Run]:
    """Trains 800 digits with some keys changed; also one that diverges is given back."""

    def go(**keys: Any) -> Run:
        runs = tmp_path / "runs"
        try:
            return train({**PLAIN, **keys}, runs=runs, offline=True)
        except TrainingError:
            return RunStore(runs).find("last")

    return go


def kinds(run: Run) -> tuple[str, ...]:
    assert run.diagnosis is not None
    return run.diagnosis.kinds


def said(run: Run, kind: str) -> str:
    assert run.diagnosis is not None
    return next(finding.text for finding in run.diagnosis.findings if finding.kind == kind)


@pytest.mark.parametrize("init", ["zeros", "constant(0.05)"])
def test_constant_weights_are_named_with_their_layers(trained: Callable[..., Run], init: str) -> None:
    run = trained(model=f"mlp(hidden=[32, 16], init={init})", optimizer="sgd(lr=0.001)", epochs=1)
    assert kinds(run) == ("symmetry",)
    assert "dense1 (32) and dense2 (16) have the same weights" in said(run, "symmetry")


def test_dead_units_are_counted_by_layer(trained: Callable[..., Run]) -> None:
    run = trained(model="cnn(filters=[8], dense=[16], bias_init=constant(-20))")
    assert kinds(run) == ("dead units",)
    assert "all 8 units of conv1 and all 16 units of dense1 are zero everywhere" in said(run, "dead units")


def test_saturated_units_are_named(trained: Callable[..., Run]) -> None:
    # Weights of 50 put out ±1 whatever comes in, and no layer before the last can change.
    model = (
        "dense(32, init=normal(std=50))|tanh|dense(32, init=normal(std=50))|tanh|dense(16, bias_init=constant(50))|tanh"
    )
    run = trained(model=f"flatten|{model}")
    assert "saturated units" in kinds(run)
    assert "dense3 (tanh, 100% of them) lie within 1% of the ends" in said(run, "saturated units")


def test_signals_that_are_lost_in_depth_are_named(trained: Callable[..., Run]) -> None:
    run = trained(model=f"mlp(hidden={[12] * 10}, activation=sigmoid)", optimizer="sgd(lr=0.01)")
    assert "constant units" in kinds(run)
    text = said(run, "constant units")
    assert "are all but the same for every picture" in text and "dense10" in text and "those of dense1 by " in text


def test_a_loss_that_becomes_no_number_is_named_with_its_course(trained: Callable[..., Run]) -> None:
    run = trained(**DIVERGING)
    assert run.status == "failed"
    assert kinds(run) == ("exploding loss", "learning rate too high")
    losses = [step["loss"] for step in run.live]
    assert f"{losses[0]:.3f} before the first step" in said(run, "exploding loss")
    assert f"no number at step {len(losses) + 1} (learning rate 20)" in said(run, "exploding loss")


def test_a_loss_that_is_vast_from_the_first_is_laid_to_the_weights(trained: Callable[..., Run]) -> None:
    run = trained(model="mlp(hidden=[64, 64, 64], init=normal(std=3))", optimizer="sgd(lr=1)")
    assert "What the first weights make of the pictures is too large" in said(run, "exploding loss")


@pytest.mark.parametrize(("rate", "kind"), [("1e-6", "too low"), ("0.3", "too high")])
def test_a_rate_outside_the_useful_range_is_named_beside_one_that_learns(
    trained: Callable[..., Run], rate: str, kind: str
) -> None:
    keys = {"model": "mlp(hidden=[32, 16])", "optimizer": f"adam(lr={rate})"}
    if kind == "too high":
        keys["model"] = "mlp(hidden=[32, 32, 32, 32])"
        keys["optimizer"] = "adam(lr=1)"
    run = trained(**keys)
    text = said(run, f"learning rate {kind}")
    better = float(text.partition("optimizer.lr=")[2].partition(";")[0])
    assert not trained(**keys, **{"optimizer.lr": better}).diagnosis


def dim(images: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Pictures that are nearly white, and differ by 3 of 255 at the most."""
    return (252 + images / 16 * 3).round().astype(np.uint8)


def test_inputs_far_from_0_and_1_are_named_where_others_are_learned_from(trained: Callable[..., Run]) -> None:
    digits = load_digits()
    data = (dim(digits.images)[..., None], digits.target)
    model = "mlp(hidden=[32, 32, 32])"
    run = trained(data=data, normalize="none", model=model, optimizer="sgd(lr=0.05)")
    assert "inputs not normalised" in kinds(run)
    assert "normalize=none" in said(run, "inputs not normalised")
    assert not trained(data=data, model=model, optimizer="sgd(lr=0.05)").diagnosis


def shuffled() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    digits = load_digits()
    return digits.images.astype(np.uint8)[..., None] * 15, np.random.default_rng(2).permutation(digits.target)


@pytest.mark.parametrize("epochs", [2, 15])
def test_labels_that_do_not_belong_to_their_pictures_are_named(trained: Callable[..., Run], epochs: int) -> None:
    # After 15 epochs many of them are learnt by heart.
    run = trained(data=shuffled(), subset=None, epochs=epochs, model="mlp(hidden=[64])", optimizer="adam(lr=0.01)")
    assert kinds(run) == ("labels unrelated to pictures",)
    assert run.train.accuracy < 0.2 or "holds for no others" in said(run, "labels unrelated to pictures")


HEALTHY: dict[str, dict[str, Any]] = {
    "mlp": {},
    "slow start": {"optimizer": "sgd(lr=0.01)", "epochs": 1},
    "cnn": {"model": "cnn(filters=[8], dense=[16])", "optimizer": "adam(lr=3e-3)"},
    "few pictures": {"subset": 30, "epochs": 1},
    "few steps": {"batch_size": 256, "epochs": 1, "optimizer": "sgd(lr=0.001)"},
    "raw pixels": {"normalize": "none"},
    "circle": {"objective": "circular(period=10)"},
    "number": {"objective": "scalar", "optimizer": "sgd(lr=0.01)"},
    "weighted": {"balance": "weights"},
    "zero head": {"model": "flatten|dense(32)|relu|head(init=zeros)"},
    "no validation": {"validation": 0},
    "smooth": {"label_smoothing": 0.3, "augment": "mixup(0.4)"},
    "penalty": {"model": "mlp(hidden=[32], l2=0.01)"},
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_gets_no_finding(trained: Callable[..., Run], name: str) -> None:
    run = trained(**HEALTHY[name])
    assert run.diagnosis == Diagnosis()
    assert not run.diagnosis and run.diagnosis.lines == ()


def test_a_run_in_parts_ends_with_the_diagnosis_of_one_in_one_go(
    trained: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"optimizer": "sgd(lr=1e-6)", "checkpoint_seconds": 0}
    whole = trained(**keys)
    with monkeypatch.context() as patch:
        patch.setattr("cnnlab.training.finishing.look_into", lambda ended: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train({**PLAIN, **keys}, runs=tmp_path / "other", offline=True)
    cut = RunStore(tmp_path / "other").find("last")
    assert cut.status == "unfinished" and cut.diagnosis is None
    again = resume(cut, runs=tmp_path / "other", offline=True)
    assert again.diagnosis == whole.diagnosis and again.diagnosis
    assert content(again) == content(whole)


def test_a_diagnosis_changes_no_bit_of_the_training(
    trained: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"optimizer": "sgd(lr=1e-6)", "model": "cnn(filters=[4], dense=[8], dropout=0.2)"}
    looked = trained(**keys)
    before = torch.get_rng_state()
    monkeypatch.setattr("cnnlab.training.finishing.look_into", lambda ended: None)
    left = train({**PLAIN, **keys}, runs=tmp_path / "other", offline=True)
    assert left.diagnosis is None and looked.diagnosis
    assert content(left) == content(looked) and left.digest == looked.digest
    assert equal(weights(left), weights(looked))
    assert torch.equal(before, torch.get_rng_state())


def test_a_diagnosis_made_anew_is_that_of_the_record(trained: Callable[..., Run]) -> None:
    run = trained(optimizer="sgd(lr=1e-6)")
    assert diagnose(run, offline=True) == run.diagnosis
    info = json.loads((run.folder / "run.json").read_text())
    del info["diagnosis"]
    (run.folder / "run.json").write_text(json.dumps(info))
    assert run.diagnosis is None
    assert diagnose(run, offline=True).kinds == ("learning rate too low",)
    assert run.diagnosis is None


def test_one_of_a_failed_run_is_refused(trained: Callable[..., Run]) -> None:
    with pytest.raises(UsageError, match="a diagnosis is of finished runs"):
        diagnose(trained(**DIVERGING), offline=True)


def test_a_fault_of_the_diagnosis_costs_no_training(
    trained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> Diagnosis:
        raise RuntimeError("no memory")

    caplog.set_level("INFO", "cnnlab")
    monkeypatch.setattr(diagnosing, "diagnosis_of", fail)
    run = trained(epochs=1)
    assert run.status == "finished" and run.diagnosis is None
    assert any("could not be looked into: no memory" in message for message in caplog.messages)


def test_the_record_reads_back_as_it_was_written() -> None:
    diagnosis = Diagnosis("seen", (Finding("dead units", "all"), Finding("symmetry", "alike")))
    assert Diagnosis.of(json.loads(json.dumps(diagnosis.to_dict()))) == diagnosis
    assert Diagnosis.of(None) is None and not Diagnosis.of({})
    assert diagnosis.lines == ("seen", "dead units: all", "symmetry: alike")


def test_the_constant_answer_of_classes_is_their_frequency() -> None:
    objective = build_objective("classes", {"label": ("a", "b", "c")})
    constant = ConstantAnswer.of(objective, {"label": torch.tensor([0] * 5 + [1] * 3 + [2] * 2)})
    entropy = -sum(share * math.log(share) for share in (0.5, 0.3, 0.2))
    assert constant.loss == pytest.approx(entropy, abs=1e-6) and constant.accuracy == 0.5
    assert constant.outputs.softmax(0).tolist() == pytest.approx([0.5, 0.3, 0.2], abs=1e-3)
    # 0.6 is a fifth of the way to 1, by two standard errors of 25 pictures or four of 100.
    assert constant.is_beaten({"accuracy": 0.6, "loss": 9.0}, 400)
    assert not constant.is_beaten({"accuracy": 0.6, "loss": 9.0}, 25)
    assert constant.is_beaten({"loss": 0.97 * entropy}, 25) and not constant.is_beaten({"loss": 0.99 * entropy}, 25)


def test_the_constant_answer_of_a_number_is_its_mean() -> None:
    numbers = torch.tensor([1.0, 2.0, 6.0])
    objective = build_objective("scalar(mean=0, std=1)", {"size": None})
    constant = ConstantAnswer.of(objective, {"size": numbers})
    # The mean is 3, and the mean of 4, 1 and 9 is the variance.
    assert constant.loss == pytest.approx(14 / 3, rel=1e-6) and constant.accuracy is None


def test_outputs_that_tell_of_the_targets_are_heard_however_they_are_scaled() -> None:
    labels = torch.arange(300) % 3
    targets = {"label": labels}
    objective = build_objective("classes", {"label": ("a", "b", "c")})
    constant = ConstantAnswer.of(objective, targets)
    noise = torch.randn(300, 3, generator=torch.Generator().manual_seed(0))
    telling = noise + nn.functional.one_hot(labels, 3)
    assert constant.says(1000 * telling + 50, objective, targets) and constant.says(1e-6 * telling, objective, targets)
    assert not constant.says(noise, objective, targets)
    assert not constant.says(torch.ones(300, 3), objective, targets)


def test_losses_that_go_down_are_told_from_those_that_do_not() -> None:
    noise = (0.02 * torch.randn(80, generator=torch.Generator().manual_seed(0))).tolist()
    falling = [2.3 - 0.002 * step + one for step, one in enumerate(noise)]
    assert has_fallen(falling, 2.3) and not has_fallen(falling[::-1], 2.3)
    assert not has_fallen([2.3 + one for one in noise], 2.3)
    assert not has_fallen([loss + 9 for loss in falling], 2.3)


def test_units_are_told_apart_by_what_they_do() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2), nn.Tanh(), nn.Linear(2, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, -1.0, 0.5]).view(3, 1, 1, 1))
        network[0].bias.copy_(torch.tensor([0.0, -5.0, 2.0]))
        network[3].weight.zero_()
        network[3].bias.copy_(torch.tensor([9.0, 0.0]))
    images = torch.randint(1, 255, (70, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    conv, dense = units_on(
        Classifier(network, (1, 2, 2), [0.5], [0.5], {"label": ["a", "b"]}, "classes", "module"), images, Execution()
    )
    assert (conv.name, conv.kind, conv.count, conv.dead) == ("0", "relu", 3, 1)
    # Of a unit at tanh(9) all values are at an end, of one at 0 none.
    assert (dense.name, dense.kind, dense.dead, dense.saturated) == ("3", "tanh", 1, 0.5)
    assert dense.is_constant and not conv.is_constant


def test_units_with_the_same_weights_are_found_but_not_in_the_last_layer() -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
    for place in (0, 4):
        nn.init.constant_(network[place].weight, 0.1)
    assert same_weights(network, None) == [("0", 3)]
    before = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
    assert same_weights(network, before) == []


def test_targets_are_related_to_pictures_or_not(tmp_path: Path) -> None:
    from cnnlab.data import load_data

    digits = load_digits()
    images, labels = shuffled()
    whole = {"validation": 0, "test": 0}
    for column, is_seen in ((digits.target, True), (labels, False)):
        dataset = load_data((images, column), **whole)
        objective = build_objective("classes", {name: dataset.classes.get(name) for name in dataset.train.targets})
        assert relation_of(dataset.train, objective).is_seen == is_seen
