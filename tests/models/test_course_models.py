"""The page on networks holds what the five reports tell, by lists that were written down from the reports."""

import csv
import math
import re
import shlex
from pathlib import Path

import pytest
from sklearn.datasets import load_digits

from cnnlab import data, models
from cnnlab.training import parse_pairs, train
from cnnlab.training.optimizers import optimizers

TEXT = (Path(__file__).parents[2] / "docs/networks.md").read_text()
ROWS = {
    title: re.findall(r"`([^`]+)`", models_of_it.replace(r"\|", "|"))
    for title, models_of_it in re.findall(r"^\| (?!---)(.+?) \| (.+) \|$", TEXT, re.MULTILINE)
}

# Each name as its report has it, and what stands under it.
QUINN = {
    "Baseline (CP)": 1,
    "Basic 1 (CPCP)": 1,
    "Basic 2 (CPCPCPCPCP)": 1,
    "Basic 3 (six of each)": 1,
    "Basic 4 (CCPCCPCCP)": 1,
    "Basic 5 (CPCPCCPCP)": 1,
    "Feature extractor: VGG16, VGG19": 2,
    "Fine tuning: VGG16, 254 ReLU neurons, softmax": 1,
}
METHANI = {
    "FeedForward Network": 1,
    "CNN, 1 Conv Layer": 1,
    "CNN, 3 Conv Layer": 1,
    "CNN, 4 Conv Layer": 1,
    "VGG like": 1,
    "VGG Like Model With Batchnorm": 1,
    "Our ConvNet": 1,
    "Our ConvNet, keep probability 0.8": 1,
    "Our ConvNet with batch normalisation": 1,
    "Filter size 5×5, 7×7": 2,
    "Xavier, He, random initialisation": 3,
    "Sigmoid, tanh, ReLU": 3,
}
PANCER = {
    "Dense network behind an input dropout": 1,
    "AlexNet, Drop 0.5": 1,
    "AlexNet, Drop 0.0": 1,
    "AlexNet, Drop 0.1": 1,
    "AlexNet, Drop 0.3": 1,
    "ResNet50v2, vanilla": 1,
    "EfficientNetv2b0": 1,
    "EfficientNetv2b0, augmented": 1,
    "ResNet50v2, transfer learning": 1,
}
WATTANASIRICHAIGOON = {f"Binary classification, model {number}": 1 for number in range(1, 6)} | {
    "The initial model, as the text has it: dropout 0.2": 1,
    "Multi-class, model 1": 1,
    "Multi-class, model 2": 1,
    "The inception model": 1,
    "The residual model": 1,
}
PAIRS = [
    "RandomNormal,RandomNormal",
    "RandomNormal,Zeros",
    "RandomNormal,GlorotUniform",
    "Zeros,RandomNormal",
    "Zeros,Zeros",
    "Zeros,GlorotUniform",
    "GlorotUniform,RandomUniform",
    "GlorotUniform,Zeros",
    "GlorotUniform,GlorotUniform",
]
EPURE = dict.fromkeys(PAIRS, 1) | {
    "Reference": 1,
    "Initialisers of kernel and bias": 5,
    'Initialiser "None": Keras\'s own': 1,
    "Sigmoid, TanH, SELU, ELU, Exponential": 5,
    "Kernel, bias and activity regularizer L1, L2": 2,
    "Reference with Dropout": 1,
    "Decreased layer size": 1,
    "First, second layer removed": 2,
    "Extra layer before, after, inbetween": 3,
    "All 3 extra layers": 1,
    "All 3 extra layers with Dropout": 1,
    "MLP for MNIST": 1,
    "MLP for Fashion MNIST": 1,
    "CNN for MNIST": 1,
    "CNN for Fashion MNIST": 1,
    "CNN": 1,
    "tanh, selu": 2,
    "Reducing filter size": 1,
    "Increasing filter size": 1,
    "Dropout rate 0.4": 1,
    "Average Pooling": 1,
    "Reducing number of layers": 1,
    "Increasing number of layers": 1,
    "Multi-Head Model": 1,
}
NETWORKS = QUINN | METHANI | PANCER | WATTANASIRICHAIGOON | EPURE

# Keras's numbers, which the reports name no departure from: https://keras.io/api/optimizers. FTRL's sum of squares
# starts at 0.1 there and at 0 here, where the root of 0.1 is beta.
KERAS = {
    "AdaDelta": {"lr": 1e-3, "rho": 0.95, "eps": 1e-7},
    "AdaGrad": {"lr": 1e-3, "initial_accumulator_value": 0.1, "eps": 1e-7},
    "Adam": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-7},
    "AdaMax": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-7},
    "FTRL": {"lr": 1e-3, "lr_power": -0.5, "lambda_1": 0.0, "lambda_2": 0.0, "beta": 0.316},
    "NAdam": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-7},
    "RMSProp": {"lr": 1e-3, "alpha": 0.9, "eps": 1e-7, "momentum": 0.0, "centered": False},
    "SGD": {"lr": 0.01, "momentum": 0.0, "nesterov": False},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_of_the_reports_has_its_lines(name):
    assert len({models.canonical_model(spec) for spec in ROWS[name]}) == len(ROWS[name]) == NETWORKS[name]


def test_no_two_of_the_varied_networks_are_one():
    for names in (PAIRS, [name for name in PANCER if name.startswith("AlexNet")]):
        assert len({models.canonical_model(ROWS[name][0]) for name in names}) == len(names)


@pytest.mark.parametrize("name", PAIRS)
def test_initialisers_are_those_of_the_row(name):
    words = {"RandomNormal": "normal", "RandomUniform": "uniform", "Zeros": "zeros", "GlorotUniform": "glorot-uniform"}
    kernel, bias = (words[part] for part in name.split(","))
    assert ROWS[name] == [f"geron-cnn(init={kernel}, bias_init={bias})"]


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("Fine tuning: VGG16, 254 ReLU neurons, softmax", ["flatten1", "dense1", "relu1", "head"]),
        ("EfficientNetv2b0", ["global_pool1", "dropout1", "dense1", "head"]),
        ("EfficientNetv2b0, augmented", ["global_pool1", "dropout1", "dense1", "relu1", "head"]),
        ("ResNet50v2, transfer learning", ["global_pool1", "dense1", "relu1", "dropout1", "head"]),
    ],
)
def test_what_a_report_put_on_a_backbone_stands_there(name, layers):
    counted = models.summary_without_weights(ROWS[name][0], (3, 32, 32), 10)
    names = [row.name.removeprefix("head.") for row in counted.rows if row.name.startswith("head.")]
    assert names == layers
    width = next(row.output for row in counted.rows if row.name == "head.dense1")
    assert width == ((254,) if "254" in name else (256,))


@pytest.mark.parametrize("name", KERAS)
def test_an_optimiser_has_kerass_numbers_and_a_constant_rate(name):
    optimizer, schedule = shlex.split(ROWS[name][0].replace(", ", ",\\ "))
    assert schedule == "schedule=constant"
    arguments = optimizers.bind(optimizer.removeprefix("optimizer=")).arguments
    assert {key: arguments[key] for key in KERAS[name]} == KERAS[name]


def test_learning_rates_of_the_convolutional_network_are_all_there():
    titles = {"sgd": "SGD with learning rates 0.001, 0.01, 0.1"}
    titles |= {name.lower(): f"{name} with these" for name in ("Adagrad", "Adam", "RMSprop")}
    for name, title in titles.items():
        bound_lines = [
            optimizers.bind(line.split("=", 1)[1].removesuffix(" schedule=constant")) for line in ROWS[title]
        ]
        assert [bound.arguments["lr"] for bound in bound_lines] == [0.001, 0.01, 0.1]
        assert {bound.name for bound in bound_lines} == {name}


EXPERIMENTS = [
    shlex.split(line)[2:] for line in TEXT.splitlines() if line.startswith("cnnlab train data=") and "schedule=" in line
]


def two_digits() -> data.Dataset:
    pixels, labels = load_digits(return_X_y=True)
    chosen = labels < 2
    images = (pixels[chosen].reshape(-1, 1, 8, 8) * 15).astype("uint8").repeat(4, 2).repeat(4, 3)
    return data.from_arrays(images, labels[chosen])


@pytest.mark.parametrize("words", [w for w in EXPERIMENTS if "imagenet" not in " ".join(w)], ids=lambda w: w[1][:30])
def test_whole_experiments_learn_on_a_few_images(words, tmp_path):
    is_binary = "objective=binary" in words
    few = {"data": two_digits() if is_binary else "digits", "subset": 250, "batch_size": 32, "epochs": 4}
    run = train(parse_pairs(words) | few, runs=tmp_path, threads=1)
    rows = csv.DictReader((run.folder / "history.csv").read_text().splitlines())
    losses = [float(row["train_loss"]) for row in rows]
    assert losses[-1] < losses[0] < 10
    # Below that of guessing.
    assert losses[-1] < 0.98 * math.log(2 if is_binary else 10)
