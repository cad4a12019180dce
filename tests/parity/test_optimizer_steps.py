"""Optimisers' steps against torch's own and the library's, and FTRL's against the algorithm as published."""

from typing import Any

import numpy as np
import pytest
import pytorch_optimizer
import torch
from torch import nn
from torch.optim import Optimizer

from cnnlab.training.optimizers import build_optimizer, optimizers

# What each takes beside its defaults. Ours are fused where that is to be had; torch's own go weight by weight here.
TORCHS: list[tuple[str, type[Optimizer], dict[str, Any]]] = [
    ("sgd(lr=0.1)", torch.optim.SGD, {"lr": 0.1}),
    ("sgd(lr=0.1, momentum=0.9, nesterov=true)", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("sgd(lr=0.1, momentum=0.9, dampening=0.5)", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}),
    ("sgd(lr=0.1, weight_decay=0.2)", torch.optim.SGD, {"lr": 0.1, "weight_decay": 0.2}),
    ("adam", torch.optim.Adam, {}),
    (
        "adam(lr=0.01, betas=[0.8, 0.95], amsgrad=true)",
        torch.optim.Adam,
        {"lr": 0.01, "betas": (0.8, 0.95), "amsgrad": True},
    ),
    ("adamw(weight_decay=0.2)", torch.optim.AdamW, {"weight_decay": 0.2}),
    ("rmsprop", torch.optim.RMSprop, {}),
    (
        "rmsprop(alpha=0.9, momentum=0.5, centered=true)",
        torch.optim.RMSprop,
        {"alpha": 0.9, "momentum": 0.5, "centered": True},
    ),
    ("adagrad(lr_decay=0.1)", torch.optim.Adagrad, {"lr_decay": 0.1}),
    ("adadelta(rho=0.8)", torch.optim.Adadelta, {"rho": 0.8}),
    ("adamax", torch.optim.Adamax, {}),
    ("nadam", torch.optim.NAdam, {}),
    ("radam", torch.optim.RAdam, {}),
    ("asgd", torch.optim.ASGD, {}),
    ("rprop", torch.optim.Rprop, {}),
]
LIBRARYS: list[tuple[str, str, dict[str, Any]]] = [
    ("lion(lr=0.01)", "lion", {"lr": 0.01}),
    ("lamb(lr=0.01, betas=[0.8, 0.95])", "lamb", {"lr": 0.01, "betas": (0.8, 0.95)}),
    ("adabelief", "adabelief", {}),
    ("aggmo(lr=0.05)", "aggmo", {"lr": 0.05}),
]
STEPS = 6


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(72, 3))


def take_steps(module: nn.Module, optimizer: Optimizer) -> None:
    source = torch.Generator().manual_seed(1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        module(torch.rand(4, 1, 8, 8, generator=source)).square().mean().backward()
        optimizer.step()


def check_alike(spec: str, theirs: Optimizer, other: nn.Module) -> None:
    """As many steps of both end at the same weights, elsewhere than they began."""
    module = network()
    take_steps(module, build_optimizer(optimizers.bind(spec), module, 0.0))
    take_steps(other, theirs)
    for actual, expected, start in zip(module.parameters(), other.parameters(), network().parameters(), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)
        assert not torch.allclose(expected, start, rtol=1e-5, atol=1e-6)


def test_every_optimizer_of_torch_is_here() -> None:
    registered = {entry.name for entry in optimizers if entry.summary.endswith("of torch.optim.")}
    assert registered - {"adafactor"} == {spec.partition("(")[0] for spec, _, _ in TORCHS}


@pytest.mark.parametrize(("spec", "kind", "arguments"), TORCHS, ids=[spec for spec, _, _ in TORCHS])
def test_steps_are_those_of_torch(spec: str, kind: type[Optimizer], arguments: dict[str, Any]) -> None:
    other = network()
    check_alike(spec, kind(other.parameters(), **arguments, foreach=False), other)


@pytest.mark.parametrize(("spec", "name", "arguments"), LIBRARYS, ids=[spec for spec, _, _ in LIBRARYS])
def test_steps_are_those_of_the_library(spec: str, name: str, arguments: dict[str, Any]) -> None:
    other = network()
    check_alike(spec, pytorch_optimizer.load_optimizer(name)(other.parameters(), **arguments), other)


def test_decay_that_spares_biases_is_torchs_with_two_groups() -> None:
    other, module = network(), network()
    kernels, biases = ([p for p in other.parameters() if (p.ndim > 1) == is_kernel] for is_kernel in (True, False))
    groups = [{"params": kernels, "weight_decay": 0.3}, {"params": biases, "weight_decay": 0.0}]
    take_steps(other, torch.optim.AdamW(groups, lr=0.01, foreach=False))
    take_steps(module, build_optimizer(optimizers.bind("adamw(lr=0.01)"), module, 0.3))
    for actual, expected in zip(module.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)


def ftrl_by_the_paper(
    weights: np.ndarray, gradients: np.ndarray, alpha: float, beta: float, lambda_1: float, lambda_2: float
) -> np.ndarray:
    """McMahan et al. 2013, "Ad Click Prediction", Algorithm 1: the weights after each gradient, one row a round.

    The algorithm starts from w = 0; a network starts elsewhere, which enters through the first z.
    """
    z, n, rounds = np.zeros_like(weights), np.zeros_like(weights), []
    for g in gradients:
        sigma = (np.sqrt(n + g**2) - np.sqrt(n)) / alpha
        z = z + g - sigma * weights
        n = n + g**2
        pulled = -(z - np.sign(z) * lambda_1) / ((beta + np.sqrt(n)) / alpha + lambda_2)
        weights = np.where(np.abs(z) <= lambda_1, 0.0, pulled)
        rounds.append(weights)
    return np.array(rounds)


@pytest.mark.parametrize(
    ("alpha", "beta", "lambda_1", "lambda_2"),
    [(0.1, 0.0, 0.0, 0.0), (0.05, 1.0, 0.0, 0.0), (0.2, 1.0, 0.7, 0.0), (0.1, 0.5, 0.3, 0.4)],
)
def test_ftrl_takes_the_published_steps(alpha: float, beta: float, lambda_1: float, lambda_2: float) -> None:
    draws = np.random.default_rng(3)
    start, gradients = draws.normal(size=7), draws.normal(size=(6, 7))
    expected = ftrl_by_the_paper(start, gradients, alpha, beta, lambda_1, lambda_2)
    module = nn.Module()
    module.weight = nn.Parameter(torch.tensor(start))
    spec = f"ftrl(lr={alpha}, beta={beta}, lambda_1={lambda_1}, lambda_2={lambda_2})"
    optimizer = build_optimizer(optimizers.bind(spec), module, 0.0)
    for gradient, row in zip(gradients, expected, strict=True):
        module.weight.grad = torch.tensor(gradient)
        optimizer.step()
        assert module.weight.tolist() == pytest.approx(row.tolist(), rel=1e-9, abs=1e-12)
    # Some weights are held at exactly zero, and only where the algorithm asks for it.
    assert (expected == 0).any() == bool(lambda_1)


def test_ftrl_by_default_starts_as_steps_by_sign() -> None:
    # With beta = 0 the first round moves every weight by the rate, against its gradient: worked by hand.
    module = nn.Module()
    module.weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    module.weight.grad = torch.tensor([3.0, -0.5])
    build_optimizer(optimizers.bind("ftrl(lr=0.25)"), module, 0.0).step()
    assert module.weight.tolist() == pytest.approx([0.75, -1.75])
