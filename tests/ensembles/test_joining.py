"""An ensemble as one network that is trained on: what it says at first, what is trained of it, what is refused."""

import copy
import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

import cnnlab
from cnnlab import training
from cnnlab.cli.app import app
from cnnlab.core.errors import CnnlabError
from cnnlab.core.messages import quietly
from cnnlab.models import Classifier, load_classifier
from cnnlab.runs import Run, RunStore
from cnnlab.training import Interrupted
from cnnlab.training.prepare import build_classifier, read_setup
from cnnlab.training.step import Stepper

SHARED: dict[str, Any] = {
    "data": "digits",
    "subset": 200,
    "validation": 100,
    "test": 60,
    "batch_size": 50,
    "threads": 1,
    "precision": "float32",
}
LONGER: dict[str, Any] = {"optimizer": "sgd(lr=0.1, momentum=0.9)", "schedule": "constant"}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Members that differ in architecture, normalisation and order of pixels; one with batch normalisation."""
    folder = tmp_path_factory.mktemp("joined") / "runs"
    with quietly():
        for name, keys in {
            "flat": {"model": "mlp(hidden=[12])", "permute": 3},
            "normed": {"model": "conv(4)|bn|relu|dropout(0.5)|pool", "normalize": "none"},
            "plain": {"model": "mlp(hidden=[8])", "normalize": "numbers(mean=[0.5], std=[0.25])", "seed": 1},
        }.items():
            training.train(runs=folder, name=name, epochs=1, **keys, **SHARED)
        cnnlab.ensemble(["flat", "normed"], runs=folder, name="pair")
    return folder


@pytest.fixture
def runs(shelf: Path, tmp_path: Path) -> Path:
    """The same in a folder of the test's own."""
    return Path(shutil.copytree(shelf, tmp_path / "runs"))


def begun(runs: Path, **keys: Any) -> Classifier:
    """The classifier before the first step."""
    with quietly():
        return build_classifier(read_setup(None, SHARED | LONGER | keys, RunStore(runs))).eval()


def train_on(runs: Path, model: str = "ensemble:pair", **keys: Any) -> Run:
    with quietly():
        return training.train(runs=runs, model=model, **SHARED | LONGER | keys)


def pictures() -> Tensor:
    test = cnnlab.load_data("digits").test
    assert test is not None
    return test.batch(torch.arange(40))[0]


def changed(before: nn.Module, after: nn.Module) -> set[str]:
    """The names of what is not the same to the bit."""
    old, new = before.state_dict(), after.state_dict()
    return {name for name in new if not torch.equal(old[name], new[name])}


def assert_says_the_same(network: nn.Module, ensemble: nn.Module, pixels: Tensor) -> None:
    with torch.no_grad():
        torch.testing.assert_close(network(pixels), ensemble(pixels), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "method", ["mean", "mean(of=logits)", "mean(temperature=true)", "weights", "greedy(size=5)", "swarm(iterations=3)"]
)
def test_the_network_begins_with_what_the_ensemble_says(method: str, runs: Path) -> None:
    run = cnnlab.ensemble(["flat", "normed", "plain"], method, runs=runs)
    ensemble = cnnlab.open_model(f"ensemble:{run.name}", runs=runs)
    assert_says_the_same(begun(runs, model=f"ensemble:{run.name}"), ensemble, pictures())


@pytest.mark.parametrize(
    "objective",
    [
        "scalar(column=label)",
        "circular(period=10, column=label)",
        "multi-head(class=classes(column=label), number=scalar(column=label))",
    ],
)
def test_other_objectives_combine_as_they_mean_it(objective: str, runs: Path) -> None:
    keys = SHARED | {"objective": objective, "runs": runs, "model": "mlp(hidden=[8])", "epochs": 1}
    with quietly():
        # Each standardises numbers by the pictures that it draws.
        made = [training.train(**keys | {"subset": 0.1, "seed": seed}) for seed in (0, 1)]
    run = cnnlab.ensemble(made, runs=runs)
    network = begun(runs, model=f"ensemble:{run.name}", objective=objective)
    ensemble = cnnlab.open_model(f"ensemble:{run.name}", runs=runs)
    with torch.no_grad():
        said, wanted = (model(pictures()) for model in (network, ensemble))
    numbers = [
        cnnlab.objectives.restore_objective(model.objective, model.classes).numbers(rows.double())
        for model, rows in ((network, said), (ensemble, wanted))
    ]
    for column, values in numbers[0].items():
        torch.testing.assert_close(values, numbers[1][column], atol=1e-4, rtol=1e-5)


def test_classes_are_counted_as_the_data_counts_them(runs: Path) -> None:
    order = [3, 0, 1, 2, 9, 8, 7, 6, 5, 4]
    digits = cnnlab.load_data("digits", subset=200, validation=100, test=60)
    parts = {}
    for name, images in digits.parts():
        turned = copy.copy(images)
        turned.targets = {"label": torch.tensor(np.argsort(order))[images.targets["label"]]}
        turned.classes = {"label": tuple(map(str, order))}
        parts[name] = turned
    keys = {key: value for key, value in SHARED.items() if key not in ("subset", "validation", "test")}
    with quietly():
        setup = read_setup(
            None, keys | LONGER | {"data": replace(digits, **parts), "model": "ensemble:pair"}, RunStore(runs)
        )
        network = build_classifier(setup).eval()
    ensemble = cnnlab.open_model("ensemble:pair", runs=runs)
    assert network.classes["label"] == tuple(map(str, order)) != ensemble.classes["label"]
    with torch.no_grad():
        torch.testing.assert_close(network(pictures()), ensemble(pictures())[:, order], atol=1e-5, rtol=1e-5)


def test_its_loss_is_that_of_the_combined_prediction(runs: Path) -> None:
    cnnlab.ensemble(["flat", "plain"], runs=runs, name="committee")
    run = train_on(runs, "ensemble:committee", epochs=1, batch_size=200, optimizer="sgd(lr=0.05)")
    trained = run.classifier().network.state_dict()
    members = [RunStore(runs).find(name).classifier() for name in ("flat", "plain")]
    train = cnnlab.load_data("digits", subset=200, validation=100, test=60).train
    pixels, targets = train.batch(torch.arange(200))
    likelihoods = torch.stack([member(pixels).softmax(1) for member in members]).mean(0)
    loss = -likelihoods.gather(1, targets["label"][:, None]).log().mean()
    assert run.history["train_loss"][0] == pytest.approx(loss.item(), rel=1e-5)
    loss.backward()
    for number, member in enumerate(members, start=1):
        for name, weight in member.network.named_parameters():
            assert weight.grad is not None
            expected = weight.detach() - 0.05 * weight.grad
            torch.testing.assert_close(trained[f"member{number}.{name}"], expected, atol=1e-6, rtol=1e-4)
    assert trained["shares"].tolist() == [0.5, 0.5]


def test_what_a_phase_does_not_train_stays_to_the_bit_statistics_and_weights_of_the_mean_too(runs: Path) -> None:
    before = begun(runs, model="ensemble:pair")
    phases = [{"train": "member1", "epochs": 1}, {"train": "member1.head+member2", "epochs": 1}]
    run = train_on(runs, phases=phases, snapshots=[1, 2], ema=0.5)
    first, last = (run.classifier(epoch=epoch).network for epoch in (1, 2))
    assert {name.partition(".")[0] for name in changed(before.network, first)} == {"member1"}
    since = changed(first, last)
    # Neither the normalisation of members nor their share in the whole is ever trained.
    assert {name for name in since if name.startswith("member1")} == {"member1.head.weight", "member1.head.bias"}
    assert "member2.bn1.running_mean" in since and {name.partition(".")[0] for name in since} == {"member1", "member2"}


def test_members_have_learning_rates_of_their_own(runs: Path) -> None:
    one, other = (train_on(runs, epochs=1, rates={"member2": rate}) for rate in (1e-9, 0.1))
    before = begun(runs, model="ensemble:pair").network.state_dict()["member2.head.weight"]
    moved = [
        (run.classifier().network.state_dict()["member2.head.weight"] - before).abs().max() for run in (one, other)
    ]
    assert moved[0] < 1e-6 < 1e-3 < moved[1]


def test_a_run_is_rebuilt_from_its_file_alone(runs: Path, tmp_path: Path) -> None:
    run = train_on(runs, epochs=1)
    shutil.move(run.folder / "model.safetensors", tmp_path / "alone.safetensors")
    said = run.predictions().outputs["label"]
    shutil.rmtree(runs)
    model = load_classifier(tmp_path / "alone.safetensors")
    test = cnnlab.load_data("digits", subset=200, validation=100, test=60).test
    assert test is not None
    with torch.no_grad():
        np.testing.assert_allclose(model(test.batch(torch.arange(60))[0]).numpy(), said, atol=1e-5)


@pytest.mark.parametrize("after", [2, 5, 7])
def test_interrupted_in_a_phase_and_resumed_it_ends_with_the_same_bits(
    after: int, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phases = [{"train": "member2", "epochs": 1}, {"epochs": 1}]
    elsewhere = Path(shutil.copytree(runs, tmp_path / "elsewhere"))
    whole = train_on(elsewhere, phases=phases)
    take, taken = Stepper.take, 0

    def take_and_signal(self: Stepper, *args: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken == after:
            signal.raise_signal(signal.SIGTERM)
        return take(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "take", take_and_signal)
        with pytest.raises(Interrupted):
            train_on(runs, phases=phases)
    # What it began with is not asked for again.
    for name in ("pair", "flat", "normed"):
        shutil.rmtree(RunStore(runs).find(name).folder)
    with quietly():
        resumed = training.resume("last", runs=runs)
    assert (resumed.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()
    assert resumed.info["scores"] == whole.info["scores"] and resumed.info["digest"] == whole.info["digest"]


def test_the_same_members_are_the_same_training_and_other_weights_another(runs: Path) -> None:
    first = train_on(runs, epochs=1)
    assert train_on(runs, "joined(weights=run:pair)", epochs=1) == first
    assert training.train(first.folder / "recipe.yaml", runs=runs, progress=False) == first
    cnnlab.ensemble(["flat", "normed"], "weights", runs=runs, name="uneven")
    assert train_on(runs, "ensemble:uneven", epochs=1).info["digest"] != first.info["digest"]
    with quietly():
        training.train(
            runs=runs,
            name="normed-anew",
            model="conv(4)|bn|relu|dropout(0.5)|pool",
            normalize="none",
            epochs=1,
            seed=7,
            **SHARED,
        )
    cnnlab.ensemble(["flat", "normed-anew"], runs=runs, name="anew")
    assert train_on(runs, "ensemble:anew", epochs=1).info["digest"] != first.info["digest"]


def test_it_is_extended_and_joined_again(runs: Path) -> None:
    first = train_on(runs, epochs=1, name="once")
    with quietly():
        more = training.extend(first, "+1", runs=runs)
    assert more.epochs_done == 2
    cnnlab.ensemble([more, "plain"], runs=runs, name="nested")
    nested = begun(runs, model="ensemble:nested")
    assert_says_the_same(nested, cnnlab.open_model("ensemble:nested", runs=runs), pictures())


def test_networks_side_by_side_are_trained_from_the_start_as_well(runs: Path) -> None:
    members = 'joined(members=["mlp(hidden=[8])", "mlp(hidden=[8])"])'
    run = train_on(runs, members, epochs=1)
    state = run.classifier().network.state_dict()
    assert not torch.equal(state["member1.head.weight"], state["member2.head.weight"])
    assert state["shares"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("model", "keys", "message"),
    [
        ("ensemble:pair", {"data": "digits(size=12)"}, "take pictures of 1×8×8, and those of the data are 1×12×12"),
        ("ensemble:pair", {"normalize": "dataset"}, "each member of an ensemble normalises .* Leave it out"),
        ("ensemble:pair", {"permute": 2}, "permute=2 would do so once more. Leave it out"),
        ("ensemble:pair", {"train": "member3"}, "no part or layer of that name.* Its parts are member1, member2"),
        ("ensemble:pair", {"layer_decay": 0.5}, "side by side.* rates="),
        (
            "ensemble:pair",
            {"objective": "scalar(column=label)"},
            "pair predicts by objective=classes.* and the recipe by",
        ),
        ("ensemble:pair", {"weights": "run:flat"}, "given twice: run:pair in model, and weights=run:flat"),
        ("ensemble:nowhere", {}, "there is no run 'nowhere'"),
        ("ensemble:flat", {}, "flat.* is no ensemble"),
        ("ensemble:votes", {}, "by votes, and only a mean .* cnnlab ensemble flat.* normed.* method=mean"),
        ("ensemble:stacked", {}, "by regressions on them, and only a mean"),
        ("ensemble:views", {}, "a network asked about a changed picture"),
        ("ensemble:nested", {}, "an ensemble itself .of flat.*, normed"),
        ("joined(weights=imagenet)", {}, "starts from an ensemble, as in model=ensemble:NAME"),
        ("joined", {}, "members are missing"),
        ("joined(members=[mlp, nothing])", {}, "there is no architecture or layer called 'nothing'"),
        ("joined(members=[mlp], permute=[1, 2])", {}, "permute has 2 seeds for 1 member"),
        ("joined(weights=run:pair, members=[mlp])", {}, "is made of other networks now than the model says"),
        ("mlp", {"weights": "run:pair"}, "pair.* is an ensemble.* model=ensemble:pair"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(
    model: str, keys: dict[str, Any], message: str, runs: Path
) -> None:
    makes = {
        "votes": ("vote", ["flat", "normed"]),
        "stacked": ("stacking", ["flat", "normed"]),
        "views": ('tta("shift(0.1)", views=2)', ["flat"]),
        "nested": ("mean", ["pair", "plain"]),
    }
    name = model.rpartition(":")[2]
    if name in makes:
        cnnlab.ensemble(makes[name][1], makes[name][0], runs=runs, name=name)
    there = sorted(os.listdir(runs))
    with pytest.raises(CnnlabError, match=message):
        begun(runs, model=model, **keys)
    assert sorted(os.listdir(runs)) == there


def test_parts_and_summary_of_it_are_shown(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs.parent)
    parts, shown = (
        CliRunner().invoke(app, ["models", word, "ensemble:pair", "--input", "1x8x8", "--json"])
        for word in ("parts", "show")
    )
    # 64 pixels to 12 to 10 classes; 4 filters of 3x3 and their normalisation, then 64 numbers to 10 classes.
    assert [(part["name"], part["weights"]) for part in json.loads(parts.stdout)["parts"]] == [
        ("member1", 65 * 12 + 13 * 10),
        ("member2", 10 * 4 + 8 + 65 * 10),
    ]
    assert json.loads(shown.stdout)["totals"]["parameters"] == 65 * 12 + 13 * 10 + 10 * 4 + 8 + 65 * 10


def test_a_mean_of_weights_is_pointed_to_as_the_one_network_that_it_is(runs: Path) -> None:
    with quietly():
        run = training.train(runs=runs, name="two", model="mlp(hidden=[8])", epochs=2, snapshots=[1, 2], **SHARED)
        cnnlab.ensemble(run, "average(epochs=[1, 2])", runs=runs, name="averaged")
    with pytest.raises(CnnlabError, match=r"model='mlp\(hidden=\[8\]\)' weights=run:averaged"):
        begun(runs, model="ensemble:averaged")
    assert begun(runs, model="mlp(hidden=[8])", weights="run:averaged").outputs == 10
