"""``weights=run:NAME``: what fits of an earlier run is started from, and the rest is told of."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from comparing import content, weights
from torch import Tensor, nn

from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.models.fitting_weights import take_what_fits
from cnnlab.models.pretrained_weights import own_weights
from cnnlab.runs import Run
from cnnlab.training import Recipe

Trained = Callable[..., Run]
MODEL = "conv(4)|bn|relu|pool|dense(6)|relu"
STILL = {"optimizer": "sgd(lr=1e-12)", "epochs": 1}


@pytest.fixture
def earlier(small_run: Trained) -> Run:
    return small_run(model=MODEL)


def start(run: Run, names: tuple[str, ...]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in weights(run).items() if name.startswith(names) and "num" not in name}


def close(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.allclose(tensor, second[name], atol=1e-6) for name, tensor in first.items())


def test_all_of_a_network_of_the_same_kind_is_taken(earlier: Run, small_run: Trained) -> None:
    run = small_run(model=MODEL, weights=f"run:{earlier.name}", train="head", **STILL, seed=5)
    assert close(start(run, ("conv", "dense", "bn", "head")), weights(earlier))
    # Pixels are normalised as they were for these weights.
    assert run.recipe["normalize"] == "weights"
    assert (run.classifier().mean, run.classifier().std) == (earlier.classifier().mean, earlier.classifier().std)


@pytest.mark.parametrize(
    ("keys", "fits", "told"),
    [
        (
            {"data": "clocks(n=90, size=16)", "objective": "classes(hour)"},
            ("conv1", "bn1"),
            "head (10×6 there, 12×6 here)",
        ),
        ({"data": "digits(size=16)"}, ("conv1", "bn1", "head"), "dense1 (6×64 there, 6×256 here)"),
        ({"model": MODEL.replace("dense(6)", "dense(7)")}, ("conv1", "bn1"), "dense1 (6×64 there, 7×64 here), head"),
        ({"model": f"{MODEL}|dense(6)|relu"}, ("conv1", "bn1", "dense1", "head"), "dense2 (not in the file)"),
    ],
    ids=["other classes and colours", "another size", "another width", "another layer"],
)
def test_what_fits_is_taken_and_what_does_not_is_told(
    keys: dict[str, Any],
    fits: tuple[str, ...],
    told: str,
    earlier: Run,
    small_run: Trained,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "cnnlab")
    whole = {"subset": None, "validation": 20, "test": 20} if "clocks" in keys.get("data", "") else {}
    before = weights(earlier)
    if whole:
        # A third of each for the three colours, which sum to what grey was.
        before["conv1.weight"] = before["conv1.weight"].expand(-1, 3, -1, -1) / 3
    run = small_run(**{"model": MODEL, **keys, **whole}, weights=f"run:{earlier.name}", train="head", **STILL)
    assert close(start(run, fits), before)
    (said,) = [message for message in caplog.messages if message.startswith("Starting from run:")]
    assert told in said and f"{len(fits)} of " in said


def test_a_network_of_ones_own_takes_what_has_the_same_names(earlier: Run) -> None:
    network = nn.Sequential()
    network.add_module("conv1", nn.Conv2d(1, 4, 3))
    network.add_module("other", nn.Linear(4, 3))
    take_what_fits(network, own_weights(str(earlier.folder / "model.safetensors")))
    assert torch.equal(network.conv1.weight, weights(earlier)["conv1.weight"])


def test_weights_count_in_the_digest_by_what_is_in_them(earlier: Run, small_run: Trained) -> None:
    by_name = small_run(model=MODEL, weights=f"run:{earlier.name}", epochs=1)
    assert small_run(model=MODEL, weights=str(earlier.folder / "model.safetensors"), epochs=1) == by_name
    drawn = small_run(model=MODEL, epochs=1, normalize="numbers(mean=[0.5], std=[0.25])")
    same = small_run(model=MODEL, epochs=1, normalize="numbers(mean=[0.5], std=[0.25])", weights=f"run:{earlier.name}")
    assert same.digest != drawn.digest


def test_a_run_from_weights_goes_on_to_the_same_end(
    earlier: Run, small_run: Trained, interrupted: Any, tmp_path: Any
) -> None:
    keys = {"model": MODEL, "weights": str(earlier.folder / "model.safetensors"), "optimizer": "adam"}
    whole = content(small_run(**keys, runs=tmp_path / "whole"))
    for after in (2, 2):
        interrupted(**keys, after=after, runs=tmp_path / "parts")
    assert content(small_run(**keys, runs=tmp_path / "parts")) == whole


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"weights": "imagenet"}, "ImageNet's belong to a network that was trained on it"),
        (
            {"weights": "run:a", "model": "alexnet(weights=imagenet)"},
            "given twice: imagenet in model, and weights=run:a",
        ),
    ],
)
def test_weights_that_cannot_be_meant_are_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Recipe.read(data="digits", **keys)


def test_weights_of_which_nothing_fits_are_refused(earlier: Run, small_run: Trained) -> None:
    with pytest.raises(ModelFileError, match=r"none of the layers in .* fits this network"):
        small_run(model="mlp(hidden=[3])", weights=f"run:{earlier.name}")
    with pytest.raises(UsageError, match="nowhere"):
        small_run(model=MODEL, weights="run:nowhere")
