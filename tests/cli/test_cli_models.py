"""``cnnlab models``."""

import importlib
import re

import pytest

from cnnlab import train
from cnnlab.models import summary_without_weights
from cnnlab.reports import draw_network

CONVNET = {
    "conv1": (576, 64, 3 * 3 * 64 * 28 * 28, [64, 28, 28]),
    "conv2": (73_728, 128, 3 * 3 * 64 * 128 * 14 * 14, [128, 14, 14]),
    "conv3": (294_912, 256, 3 * 3 * 128 * 256 * 7 * 7, [256, 7, 7]),
    "conv4": (589_824, 256, 3 * 3 * 256 * 256 * 7 * 7, [256, 7, 7]),
    "dense1": (4_194_304, 1024, 4096 * 1024, [1024]),
    "dense2": (1_048_576, 1024, 1024 * 1024, [1024]),
    "head": (10_240, 10, 1024 * 10, [10]),
}
"""Weights, biases, multiply-adds and output of each layer that has any; the weights are those of the report."""


def test_convnet_is_shown_as_in_its_report(document):
    shown = document("models", "show", "convnet", "--input", "1x28x28")
    rows = {row["name"]: row for row in shown["layers"]}
    figures = {
        name: (row["weights"], row["biases"], row["multiply_adds"], row["output"])
        for name, row in rows.items()
        if row["weights"]
    }
    assert figures == CONVNET
    # 3, then with a pool of 2 before each: 4 + 2·2, 10 + 2·4 twice; a dense layer sees all.
    assert [rows[f"conv{n}"]["receptive_field"] for n in (1, 2, 3, 4)] == [[3, 3], [8, 8], [18, 18], [26, 26]]
    assert shown["totals"]["weights"] == sum(values[0] for values in CONVNET.values())
    assert shown["totals"]["multiply_adds"] == sum(values[2] for values in CONVNET.values())
    assert shown["outputs"] == 10 and shown["model"].startswith("convnet(")


def test_table_tells_every_layer_and_the_totals(cnnlab):
    text = cnnlab("models", "show", "convnet", "--input", "1x28x28").stdout
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert lines["layer"] == ["layer", "kind", "output", "kernel", "weights", "biases", "multiply-adds", "sees"]
    assert lines["conv3"] == ["conv3", "Conv2d", "256×7×7", "3×3", "294,912", "256", "14,450,688", "18×18"]
    assert "6,214,922 (6,212,160 weights, 2,762 biases)" in text


def test_shape_and_outputs_come_from_the_data(document):
    shown = document("models", "show", "conv(4, stride=2)|relu", "data=digits")
    assert shown["shape"] == [1, 8, 8] and shown["outputs"] == 10
    assert shown["layers"][0]["output"] == [4, 4, 4]
    shown = document(
        "models", "show", "model=cnn(filters=[4])", "data=clocks(n=12, size=24)", "objective=classes(hour)"
    )
    assert shown["shape"] == [3, 24, 24] and shown["layers"][-1]["output"] == [12]


def test_named_data_set_need_not_be_there(document, monkeypatch):
    monkeypatch.delenv("CNNLAB_DATA", raising=False)
    shown = document("models", "show", "lenet5", "data=fashion-mnist", "--offline")
    assert shown["shape"] == [1, 28, 28] and shown["totals"]["parameters"] == 61_706


def test_number_of_classes_widens_the_head(document):
    assert document("models", "show", "mlp", "--input", "3x4x4", "--classes", "7")["layers"][-1]["output"] == [7]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "name a model"),
        (["convnet"], "--input 1x28x28"),
        (["convnet", "--input", "28x28"], "channels, height and width"),
        (["convnet", "--input", "1x0x28"], "channels, height and width"),
        (["convnet", "--input", "1x28x28", "data=digits"], "twice"),
        (["convnet", "mlp", "--input", "1x28x28"], "one model at a time"),
        (["convnet", "--input", "1x28x28", "epochs=3"], "without epochs"),
        (["convnet", "--input", "1x28x28", "objective=classes"], "data=NAME"),
        (["convnte", "--input", "1x28x28"], "Did you mean convnet"),
        (["conv(8)|pool(9)", "--input", "1x8x8"], "pool1 gets 8×8×8"),
        (["vgg-like", "--input", "1x8x8"], "pool4"),
    ],
)
def test_show_refuses_what_it_cannot_mean(cnnlab, words, expected):
    result = cnnlab("models", "show", *words, exit_code=2)
    said = [line for line in result.stderr.splitlines() if not line.endswith("…")]  # a slow machine tells what it does
    assert len(said) == 1 and expected in said[0] and not result.stdout


def test_architectures_layers_and_initialisers_are_listed(cnnlab, document):
    listed = document("models", "list")
    names = {kind: {entry["name"] for entry in entries} for kind, entries in listed.items()}
    assert {"vgg-like", "convnet", "geron-cnn"} <= names["architectures"]
    assert {"conv", "inception", "residual", "selu"} <= names["layers"]
    assert {"he-normal", "dirac"} <= names["initialisers"]
    text = cnnlab("models", "list").stdout
    assert all(name in text for kind in names.values() for name in kind)


def test_one_of_them_is_shown_with_what_it_takes(cnnlab, document):
    text = cnnlab("models", "list", "conv").stdout
    assert "dilation" in text and "(needed)" in text
    assert {argument["argument"] for argument in document("models", "list", "truncated-normal")["arguments"]} == {
        *("std", "mean")
    }
    assert "Did you mean conv" in cnnlab("models", "list", "convo", exit_code=2).stderr


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_model_is_drawn(document, tmp_path, kind):
    written = document("models", "draw", "convnet", "--input", "1x28x28", "--out", f"net.{kind}")
    assert written["shape"] == [1, 28, 28]
    expected = draw_network(summary_without_weights("convnet", (1, 28, 28), 10), tmp_path / f"expected.{kind}")
    drawn, right = (re.sub(rb'(id="|#)\w+', rb"\1", path.read_bytes()) for path in (tmp_path / f"net.{kind}", expected))
    assert drawn == right


def test_a_model_is_drawn_for_the_images_of_a_data_set(cnnlab, tmp_path, assert_same_image):
    text = cnnlab("models", "draw", "lenet5", "data=fashion-mnist").stdout
    assert "network.png" in text and "1×28×28" in text
    expected = draw_network(summary_without_weights("lenet5", (1, 28, 28), 10), tmp_path / "expected.png")
    assert_same_image(tmp_path / "network.png", expected)


def test_what_cannot_be_drawn_leaves_no_file(cnnlab, tmp_path):
    assert "net.doc" in cnnlab("models", "draw", "mlp", "--input", "1x8x8", "--out", "net.doc", exit_code=2).stderr
    assert "--input" in cnnlab("models", "draw", "mlp", exit_code=2).stderr
    assert not list(tmp_path.iterdir())


def test_parts_are_listed_in_order_with_their_layers_and_weights(cnnlab, document):
    shown = document("models", "parts", "convnet", "--input", "1x28x28")
    assert shown["model"].startswith("convnet(")
    assert [(row["name"], row["weights"]) for row in shown["parts"]] == [
        ("block1", 576 + 64),
        ("block2", 73_728 + 128),
        ("block3", 294_912 + 256 + 589_824 + 256),
        ("top", 4_194_304 + 1024 + 1_048_576 + 1024),
        ("head", 10_240 + 10),
    ]
    assert shown["parts"][0]["layers"] == ["conv1", "relu1", "pool1"]
    # The size of pictures may be left out, for it changes none of them.
    lines = [line.split() for line in cnnlab("models", "parts", "convnet").stdout.splitlines()]
    assert lines[0] == ["part", "weights", "layers"]
    assert [line[0] for line in lines if line[2:3] and line[0] != "part"] == [
        "block1",
        "block2",
        "block3",
        "top",
        "head",
    ]
    assert document("models", "parts", "mlp", "data=digits")["parts"][0]["weights"] == 64 * 512 + 512


def test_parts_of_what_a_run_trained_are_listed(cnnlab, document):
    model = "conv(4)|relu|pool|dense(8)|relu"
    cnnlab("train", "data=digits", f"model={model}", "epochs=1", "subset=60", "threads=1", "name=own")
    expected = document("models", "parts", model, "data=digits")["parts"]
    for name in ("run:own", "own", "last"):
        shown = document("models", "parts", name)
        assert shown["parts"] == expected and shown["model"].startswith("conv(filters=4")
    totals = document("models", "show", "run:own")["totals"]
    assert totals["weights"] + totals["biases"] == sum(part["weights"] for part in expected)
    for words, told in (
        (("run:own", "--input", "1x8x8"), "is a stored network, for pictures of 1×8×8 and with 10 outputs"),
        (("run:nothing",), "no run"),
        (("convnt",), "Did you mean convnet"),
    ):
        assert told in " ".join(cnnlab("models", "parts", *words, exit_code=2).stderr.split())


def test_parts_of_a_network_of_ones_own_are_listed_by_its_run(document, tmp_path, monkeypatch):
    (tmp_path / "nets.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 10))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    net = importlib.import_module("nets").Net
    train(data="digits", model=net, epochs=1, subset=60, threads=1, name="own", runs=tmp_path / "elsewhere")
    shown = document("models", "parts", "run:own", "--runs", tmp_path / "elsewhere")["parts"]
    assert [(part["name"], part["layers"], part["weights"]) for part in shown] == [
        ("block1", ["0", "1", "2", "3"], 40),
        ("head", ["4"], 370),
    ]
