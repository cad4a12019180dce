import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from comparing import content
from torch import nn

from cnnlab.core.errors import SpecError, UsageError
from cnnlab.runs import Run
from cnnlab.training import Recipe, checkpoint_file
from cnnlab.training.optimizers import build_optimizer, check_optimizer, optimizers
from cnnlab.training.pytorch_optimizer import _UNFIT

TORCHS = {entry.name for entry in optimizers if entry.summary.endswith("of torch.optim.")}
optimizers.complete()
FITTING = [entry.name for entry in optimizers if entry.name not in TORCHS | set(_UNFIT)]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(72, 3)).to(
        memory_format=torch.channels_last
    )


def steps(module: nn.Module, optimizer: torch.optim.Optimizer, count: int, seed: int) -> None:
    for step in range(count):
        torch.manual_seed(seed + step)
        optimizer.zero_grad()
        module(torch.rand(4, 1, 8, 8)).square().mean().backward()
        optimizer.step()


def test_ftrl_wants_a_constant_rate() -> None:
    with pytest.raises(UsageError, match=r"schedule=constant"):
        Recipe.read(data="digits", optimizer="ftrl")
    assert Recipe.read(data="digits", optimizer="ftrl", schedule="constant").optimizer.startswith("ftrl(lr=0.001")


@pytest.mark.parametrize("name", FITTING)
def test_state_survives_a_checkpoint_to_the_bit(name: str, tmp_path: Path) -> None:
    whole, first, second = network(), network(), network()
    optimizer = build_optimizer(optimizers.bind(name), whole, 0.0)
    steps(whole, optimizer, 3, seed=1)
    steps(whole, optimizer, 3, seed=9)

    optimizer = build_optimizer(optimizers.bind(name), first, 0.0)
    steps(first, optimizer, 3, seed=1)
    tensors, rest = checkpoint_file.pack_optimizer(optimizer)
    path = tmp_path / "state.safetensors"
    checkpoint_file.save_checkpoint(
        path, checkpoint_file.with_prefix("o", tensors) | checkpoint_file.with_prefix("n", first.state_dict()), rest
    )
    stored, facts = checkpoint_file.load_checkpoint(path)
    checkpoint_file.load_weights(second, checkpoint_file.without_prefix("n", stored))
    resumed = build_optimizer(optimizers.bind(name), second, 0.0)
    checkpoint_file.unpack_optimizer(resumed, checkpoint_file.without_prefix("o", stored), facts)
    steps(second, resumed, 3, seed=9)
    for expected, got, start in zip(*(n.state_dict().values() for n in (whole, second, network())), strict=True):
        assert torch.equal(expected, got) and expected.isfinite().all()
        # SaRA trains small weights only.
        assert name == "sara" or not torch.equal(expected, start)


@pytest.mark.parametrize("name", FITTING)
def test_canonical_form_holds_every_argument_and_reads_back(name: str) -> None:
    text = optimizers.canonical(name)
    assert optimizers.canonical(text) == text
    check_optimizer(text, 0.0)
    assert "lr=" in text


@pytest.mark.parametrize("name", _UNFIT)
def test_what_does_not_fit_the_loop_says_why(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_optimizer(f"{name}(lr=0.1)" if "lr" in optimizers.bind(name).arguments else name, 0.0)
    assert str(caught.value).startswith(f"optimizer {name} {_UNFIT[name]}. Take another")


def test_torchs_own_keep_their_names() -> None:
    for name in TORCHS:
        assert type(build_optimizer(optimizers.bind(name), network(), 0.0)).__module__.startswith("torch.optim")


def test_arguments_are_checked_against_the_signature() -> None:
    with pytest.raises(SpecError, match=r"betas of optimizer adabelief takes a list of 2 values"):
        optimizers.bind("adabelief(betas=[0.9])")
    with pytest.raises(SpecError, match="lambda_1"):
        optimizers.bind("ftrl(lambda1=0.1)")
    with pytest.raises(SpecError, match="above 0"):
        optimizers.bind("lamb(lr=0)")
    with pytest.raises(UsageError, match="refuses its arguments"):
        check_optimizer("ftrl(lambda_1=-1)", 0.0)


def test_unknown_name_lists_the_nearest_of_both_libraries() -> None:
    with pytest.raises(SpecError, match=r"Did you mean .*ftrl"):
        optimizers.bind("ftlr")
    with pytest.raises(SpecError, match=r"Did you mean .*adamw"):
        optimizers.bind("adam_w")


def test_the_library_is_imported_for_its_own_names_only() -> None:
    code = (
        "import sys; from cnnlab.training.optimizers import optimizers; optimizers.bind('sgd(lr=0.1)'); "
        "print('pytorch_optimizer' in sys.modules); optimizers.bind('ftrl'); print('pytorch_optimizer' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["False", "True"]


@pytest.mark.parametrize("name", ["ftrl(lambda_1=1e-3)", "lamb", "soap", "prodigy", "aggmo", "lion(weight_decay=0.1)"])
def test_an_interrupted_run_ends_as_the_uninterrupted_one(
    name: str, small_run: Callable[..., Run], interrupted: Callable[..., Any], tmp_path: Path
) -> None:
    keys = {"optimizer": name, "schedule": "constant"}
    whole = content(small_run(**keys, runs=tmp_path / "whole"))
    for after in (2, 1, 2):
        interrupted(**keys, after=after)
    assert content(small_run(**keys)) == whole


def test_ftrl_learns_digits(small_run: Callable[..., Run]) -> None:
    run = small_run(optimizer="ftrl(lr=0.1)", subset=1000, epochs=4)
    # Ten classes. Measured: 0.90 of 60; chance is 0.1, and ten of its deviations above that is the floor.
    assert run.test.accuracy > 0.5
