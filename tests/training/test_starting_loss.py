"""Every named network starts from the loss of a constant guess, whatever it predicts."""

import math
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import cnnlab
from cnnlab import models
from cnnlab.core import seeds
from cnnlab.objectives import build_objective, objectives

COUNT, SIDE = 16, 32
TIME = "column=[hour, minute]"
COLUMNS = {
    "digit": tuple(map(str, range(10))),
    "parity": ("even", "odd"),
    "ink": None,
    "hour": tuple(map(str, range(12))),
    "minute": tuple(map(str, range(60))),
}
SPECS = {
    "classes(column=digit)": lambda y: math.log(10),
    "binary(column=parity)": lambda y: math.log(2),
    "scalar(column=ink)": lambda y: 1.0,
    "scalar(column=ink, loss=mae)": lambda y: mean_of(abs, standardised(y["ink"])),
    "scalar(column=ink, loss=huber, delta=0.5)": lambda y: mean_of(huber, standardised(y["ink"])),
    f"scalar({TIME})": lambda y: 1.0,
    # By hand: from its range to [-1, 1], where the guess is 0.
    f"scalar({TIME}, range=[0, 719])": lambda y: mean_of(lambda t: (t / 359.5 - 1) ** 2, minutes(y)),
    f"bins(24, [0, 720], {TIME})": lambda y: math.log(24),
    # A vector of no length: half of sin² + cos².
    f"circular(720, {TIME})": lambda y: 0.5,
    "multi-head(hour=classes, minute=scalar, weights=[1, 0.5])": lambda y: math.log(12) + 0.5,
}
"""The loss of a constant guess, for each objective."""
OTHERS = [
    "cifar-net(block=inception)",
    "cifar-net(block=residual)",
    "geron-cnn(width=0.25)",
    "squeezenet1_1(head=conv)",
    'alexnet(head="global_pool|dense(32)|relu")',
    "timm(resnet10t)",
    "conv(16)|relu|pool|dense(64)|relu",
]
HEAVY = {"vgg16": 8, "vgg19": 8, "resnet50": 4}
NAMED = [entry.name for entry in models.architectures if entry.name != "timm"]
EVERY = [pytest.param(name, marks=pytest.mark.slow(HEAVY[name])) if name in HEAVY else name for name in NAMED + OTHERS]


def standardised(values: Tensor) -> list[float]:
    numbers = values.double().numpy()
    return list((numbers - np.mean(numbers)) / np.std(numbers))


def minutes(targets: dict[str, Tensor]) -> list[float]:
    return (60.0 * targets["hour"] + targets["minute"]).tolist()


def mean_of(function, values) -> float:
    return float(np.mean([function(value) for value in values]))


def huber(error: float) -> float:
    return error**2 / 2 if abs(error) < 0.5 else 0.5 * (abs(error) - 0.25)


@cache
def digits() -> tuple[Tensor, dict[str, Tensor]]:
    """Handwritten digits of 32×32, normalised, and what may be predicted of them."""
    pictures, labels = load_digits(return_X_y=True)
    small = torch.tensor(pictures[:COUNT].reshape(-1, 1, 8, 8) / 16, dtype=torch.float32)
    pixels = nn.functional.interpolate(small, (SIDE, SIDE), mode="bilinear")
    digit, source = torch.tensor(labels[:COUNT]).long(), torch.Generator().manual_seed(0)
    targets = {
        "digit": digit,
        "parity": digit % 2,
        "ink": 1000 * small.mean((1, 2, 3)),
        "hour": torch.randint(12, (COUNT,), generator=source),
        "minute": torch.randint(60, (COUNT,), generator=source),
    }
    return (pixels - pixels.mean()) / pixels.std(), targets


def test_every_registered_objective_is_tried_here() -> None:
    assert {entry.name for entry in objectives} == {spec.partition("(")[0] for spec in SPECS}


@pytest.mark.parametrize("name", EVERY)
def test_a_network_starts_from_the_loss_of_a_constant_guess_whatever_it_predicts(name: str) -> None:
    pixels, targets = digits()
    objectives = {spec: build_objective(spec, COLUMNS, targets) for spec in SPECS}
    outputs = {}
    for width in {objective.outputs for objective in objectives.values()}:
        with seeds.scope(0, "init"), torch.no_grad():
            outputs[width] = models.build_network(name, (1, SIDE, SIDE), width).train()(pixels)
        assert outputs[width].std(0).max() > 0, "pictures are told apart from the start"
    for spec, objective in objectives.items():
        loss = objective.loss(outputs[objective.outputs], objective.encode(targets)).mean().item()
        assert loss == pytest.approx(SPECS[spec](targets), rel=0.05), spec


@pytest.mark.parametrize("width", [1, 2])
def test_every_head_of_several_starts_small(width: int) -> None:
    network = models.build_network(f'heads([{width}, 3], ["dense(8)|relu", ""])', (1, 8, 8), width + 3)
    for number, fans in ((1, 8 + width), (2, 64 + 3)):
        kernel = network.head.branches[f"head{number}"].head.weight
        assert 0 < kernel.abs().max() <= 0.001 * math.sqrt(6 / fans)


def test_a_head_whose_initialiser_is_named_has_that() -> None:
    named = models.build_network("flatten|head(init=he-normal)", (1, 20, 20), 50).head.weight
    assert named.std().item() == pytest.approx(math.sqrt(2 / 400), rel=0.05)


@pytest.mark.parametrize(
    ("objective", "guess"),
    [
        (f"scalar({TIME})", 1.0),
        ("multi-head(hour=classes(12), minute=scalar)", math.log(12) + 1),
    ],
)
def test_a_clock_as_a_number_is_trained_from_the_loss_of_a_constant_guess(tmp_path, objective, guess) -> None:
    run = cnnlab.train(
        {"data": "clocks(n=120, size=16)", "model": "geron-cnn(width=0.25)", "objective": objective},
        runs=tmp_path,
        steps=1,
        optimizer="sgd(lr=1e-7)",
        validation=20,
        test=20,
        progress=False,
    )
    assert run.history["train_loss"].iloc[0] == pytest.approx(guess, rel=0.05)
