import pytest
import torch
from torch import nn

from cnnlab.core.errors import SpecError, UsageError
from cnnlab.training import checkpoint_file
from cnnlab.training.optimizers import build_optimizer, check_optimizer, optimizers

NAMES = [entry.name for entry in optimizers if entry.summary.endswith("of torch.optim.")]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 36, 3)).to(
        memory_format=torch.channels_last
    )


def steps(module: nn.Module, optimizer: torch.optim.Optimizer, count: int, seed: int) -> None:
    for step in range(count):
        torch.manual_seed(seed + step)
        optimizer.zero_grad()
        module(torch.rand(4, 1, 8, 8)).square().mean().backward()
        optimizer.step()


def test_all_of_torch_that_fits_is_there() -> None:
    assert {"sgd", "adam", "adamw", "rmsprop", "adagrad", "adadelta", "adamax", "nadam", "radam"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_state_survives_a_checkpoint_to_the_bit(name: str, tmp_path) -> None:
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
    for expected, got in zip(whole.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(expected, got)


def test_weight_decay_spares_norms_and_biases() -> None:
    groups = build_optimizer(optimizers.bind("sgd(lr=0.1)"), network(), 0.01).param_groups
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0]
    assert [sorted({p.ndim for p in group["params"]}) for group in groups] == [[2, 4], [1]]


def test_the_optimisers_own_weight_decay_takes_everything() -> None:
    groups = build_optimizer(optimizers.bind("sgd(lr=0.1, weight_decay=0.02)"), network(), 0.0).param_groups
    assert {group["weight_decay"] for group in groups} == {0.02}


def test_sparing_norms_means_no_default_decay_on_them_either() -> None:
    # AdamW decays by 0.01 unless told otherwise.
    groups = build_optimizer(optimizers.bind("adamw"), network(), 0.05).param_groups
    assert [group["weight_decay"] for group in groups] == [0.05, 0.0]


def test_decay_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="twice"):
        build_optimizer(optimizers.bind("sgd(lr=0.1, weight_decay=0.02)"), network(), 0.01)


def test_arguments_are_checked_when_read() -> None:
    with pytest.raises(SpecError, match="above 0"):
        optimizers.bind("sgd(lr=0)")
    with pytest.raises(SpecError, match="momentum"):
        optimizers.bind("sgd(lr=0.1, momentun=0.9)")


@pytest.mark.parametrize("spec", ["sgd(lr=0.1, nesterov=true)", "adam(betas=[0.9, 1.5])"])
def test_what_torch_would_refuse_is_refused_without_a_network(spec: str) -> None:
    with pytest.raises(UsageError, match="refuses its arguments"):
        check_optimizer(spec, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_what_torch_would_take_passes_the_check(name: str) -> None:
    check_optimizer(name, 0.0)
