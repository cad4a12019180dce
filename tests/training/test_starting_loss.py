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
from cnnlab.data import TensorImages
from cnnlab.objectives import build_objective, objectives
from cnnlab.runs import RunStore
from cnnlab.training import Recipe
from cnnlab.training.prepare import build_classifier, prepare
from cnnlab.training.starting_loss import head_factor, start_near_a_constant_guess

TRIED, COUNT, SIDE = 20, 200, 32
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
NAMED = [entry.name for entry in models.architectures if entry.name not in ("timm", "joined")]
HEAVY = ["vgg16", "vgg19", "resnet", "resnet18", "resnet34", "resnet50", "resnet50v2", "efficientnetv2-b0"]
HEAVY += ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2", "alexnet", "wide-resnet"]
HEAVY += ["ccpccpccp", "cnn-4", "convnet", "vgg-like", "timm(resnet10t)"]
"""Computed once, and only their heads drawn for each number of outputs."""


def standardised(values: Tensor) -> list[float]:
    numbers = values.double().numpy()
    return list((numbers - np.mean(numbers)) / np.std(numbers))


def minutes(targets: dict[str, Tensor]) -> list[float]:
    return (60.0 * targets["hour"] + targets["minute"]).tolist()


def mean_of(function, values) -> float:
    return float(np.mean([function(value) for value in values]))


def huber(error: float) -> float:
    return error**2 / 2 if abs(error) < 0.5 else 0.5 * (abs(error) - 0.25)


def losses_of_all_pairs(objective, outputs: Tensor) -> np.ndarray:
    """Of each output with the targets of each sample."""
    columns = {name: column.repeat_interleave(len(outputs), 0) for name, column in digits().targets.items()}
    return objective.loss(outputs.repeat(COUNT, 1), objective.encode(columns)).numpy()


@cache
def digits() -> TensorImages:
    """Handwritten digits of 32×32, each as often as the others among the first, and what may be predicted of them."""
    pictures, labels = load_digits(return_X_y=True)
    small = torch.tensor(pictures[:COUNT].reshape(-1, 1, 8, 8) * 255 / 16, dtype=torch.float32)
    pixels = nn.functional.interpolate(small, (SIDE, SIDE), mode="bilinear").round().to(torch.uint8)
    digit, source = torch.tensor(labels[:COUNT]).long(), torch.Generator().manual_seed(0)
    targets = {
        "digit": digit,
        "parity": digit % 2,
        "ink": small.mean((1, 2, 3)),
        "hour": torch.randint(12, (COUNT,), generator=source),
        "minute": torch.randint(60, (COUNT,), generator=source),
    }
    return TensorImages(pixels, targets, {name: names for name, names in COLUMNS.items() if names})


def classified(network: nn.Module) -> models.Classifier:
    return models.Classifier(network, (1, SIDE, SIDE), [0.3], [0.3], {}, "classes", "cnn")


def test_every_registered_objective_is_tried_here() -> None:
    assert {entry.name for entry in objectives} == {spec.partition("(")[0] for spec in SPECS}


def outputs_of(name: str, widths: set[int]) -> dict[int, list[Tensor]]:
    """What a network with so many outputs says at its start of the pictures tried, and of as many others."""
    batches = [digits().batch(places)[0] for places in (range(TRIED), range(TRIED, 2 * TRIED))]

    def made(spec: str, shape: tuple[int, int, int], width: int) -> nn.Module:
        with seeds.scope(0, "init"):
            return models.build_network(spec, shape, width).train()

    def said_by(network: nn.Module) -> list[Tensor]:
        with seeds.scope(0, "forward"), torch.no_grad():
            return [classified(network).train()(batch) for batch in batches]

    if name not in HEAVY:
        return {width: said_by(made(name, (1, SIDE, SIDE), width)) for width in widths}
    network = made(name, (1, SIDE, SIDE), max(widths))
    head, seen = network.head, []
    head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    outputs = {max(widths): said_by(network)}
    for width in widths - {max(widths)}:
        other = made("flatten|head", (head.in_features, 1, 1), width).head
        # Drawn by the same rule as that of the network.
        assert type(other) is type(head) and other.weight.std().item() == pytest.approx(
            head.weight.std().item(), rel=0.2
        )
        with torch.no_grad():
            outputs[width] = [other(features) for features in seen]
    return outputs


@pytest.mark.parametrize("name", NAMED + OTHERS)
def test_a_network_starts_from_the_loss_of_a_constant_guess_whatever_it_predicts(name: str) -> None:
    objectives = {spec: build_objective(spec, COLUMNS, digits().targets) for spec in SPECS}
    outputs = outputs_of(name, {objective.outputs for objective in objectives.values()})
    for spec, objective in objectives.items():
        tried, seen = outputs[objective.outputs]
        factor = head_factor(tried, objective, digits().targets)
        for said in (tried, seen):
            guess, loss = (losses_of_all_pairs(objective, by * said).mean() for by in (0, factor))
            assert loss == pytest.approx(guess, rel=0.05), spec
        larger = losses_of_all_pairs(objective, 1.5 * factor * tried)
        furthest = abs(larger.mean() - guess) + 1.96 * np.std(larger) / 64**0.5
        assert factor == 1 or furthest > 0.05 * guess, f"{spec}: it is smaller than it must be"


@pytest.mark.parametrize("spec", SPECS)
def test_the_loss_of_a_constant_guess_is_what_it_should_be(spec: str) -> None:
    objective, targets = build_objective(spec, COLUMNS, digits().targets), digits().targets
    loss = objective.loss(torch.zeros(COUNT, objective.outputs), objective.encode(targets)).mean().item()
    assert loss == pytest.approx(SPECS[spec](targets), rel=1e-5)


@pytest.mark.parametrize(
    "spec",
    [
        "geron-cnn(width=0.25)",
        "cifar-net(block=inception, width=0.25)",
        "conv(8)|bn|relu|dropout(0.5)|dense(64)|relu",
        'heads([4, 6], ["dense(8)|relu", ""])',
        'timm(resnet10t, head="global_pool|dense(32)|relu")',
    ],
)
def test_heads_are_made_smaller_and_nothing_else_of_a_network_is_changed(spec: str) -> None:
    with seeds.scope(0, "init"):
        classifier = classified(models.build_network(spec, (1, SIDE, SIDE), 10))
    objective, images = build_objective("classes(column=digit)", COLUMNS), digits()
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    start_near_a_constant_guess(classifier, objective, images, batch_size=32, seed=0)
    ratios = {}
    for name, tensor in classifier.state_dict().items():
        if "head" in name and name.endswith("weight") and tensor.shape[0] in (4, 6, 10):
            ratios[name] = (tensor / before[name]).median().item()
            assert torch.allclose(tensor, ratios[name] * before[name])
        else:
            assert torch.equal(tensor, before[name]), name
    factors = list(ratios.values())
    assert factors == pytest.approx([factors[0]] * len(factors)) and 0 < factors[0] < 1
    assert len(ratios) == (2 if spec.startswith("heads") else 1)
    with seeds.scope(0, "starting loss"), torch.no_grad():
        outputs = classifier.train()(images.batch(range(COUNT))[0])
    assert objective.loss(outputs, objective.encode(images.targets)).mean() == pytest.approx(math.log(10), rel=0.05)


@pytest.mark.parametrize("spec", ["cnn(init=he-normal)", "flatten|head(bias_init=ones)", "cnn(init=zeros)"])
def test_a_head_whose_initialiser_is_named_stays_as_it_is(spec: str) -> None:
    with seeds.scope(0, "init"):
        classifier = classified(models.build_network(spec, (1, SIDE, SIDE), 10))
    before = classifier.network.head.weight.clone()
    start_near_a_constant_guess(
        classifier, build_objective("classes(column=digit)", COLUMNS), digits(), batch_size=32, seed=0
    )
    assert torch.equal(classifier.network.head.weight, before)


def test_a_head_of_stored_weights_stays_as_it_is_and_a_new_one_is_made_smaller(tmp_path) -> None:
    keys = {"data": "digits", "subset": 64, "validation": 16, "test": 16, "epochs": 1, "progress": False}
    model = "squeezenet1_1(dropout=0, size=64{})"
    first = cnnlab.train(**keys, model=model.format(""), runs=tmp_path)
    again = Recipe.read(None, data="digits", subset=64, model=model.format(f", weights=run:{first.name}"))
    setup = prepare(again, RunStore(tmp_path))
    head = build_classifier(setup).network.head.weight
    assert torch.equal(head, first.classifier().network.head.weight)
    other = Recipe.read(again, objective="scalar(column=label)")
    assert not models.starts_small(build_classifier(setup).network.head)
    assert models.starts_small(build_classifier(prepare(other, RunStore(tmp_path))).network.head)


@pytest.mark.parametrize(
    ("objective", "guess"),
    [
        (f"scalar({TIME})", 1.0),
        ("multi-head(hour=classes(12), minute=scalar)", math.log(12) + 1),
    ],
)
def test_a_clock_as_a_number_is_trained_from_the_loss_of_a_constant_guess(tmp_path, objective, guess) -> None:
    run = cnnlab.train(
        {"data": "clocks(n=640, size=16)", "model": "geron-cnn(width=0.25)", "objective": objective},
        runs=tmp_path,
        steps=1,
        batch_size=512,
        optimizer="sgd(lr=1e-7)",
        validation=64,
        test=64,
        progress=False,
    )
    assert run.history["train_loss"].iloc[0] == pytest.approx(guess, rel=0.05)
