"""``cnnlab augment``."""

import re

import pytest
import torch

from cnnlab.augment.preview import preview
from cnnlab.core import seeds
from cnnlab.data import load_data
from cnnlab.reports.figures.augmentation import draw_preview
from cnnlab.reports.figures.style import save_figure


def test_preview_draws_a_grid_of_images_of_the_training_split(document, tmp_path, assert_same_image):
    written = document(
        "augment", "preview", "data=digits", "augment=flip|rotate(10)", "--out", "grid.png", "--count", "3"
    )
    assert written["rows"] == ["original", "flip, p = 0.5", "rotate(10)", "all together"]
    assert written["images"] == 3
    train = load_data("digits").train
    order = torch.randperm(len(train), generator=seeds.generator(0, "preview"))
    expected = draw_preview(preview("flip|rotate(10)", train.batch(order[:3])[0], seed=0))
    assert_same_image(tmp_path / "grid.png", save_figure(expected, tmp_path / "expected.png"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["augment=flip"], "data="),
        (["data=digits"], "augment="),
        (["data=digits", "augment=flip", "model=mlp"], "takes no model"),
        (["data=digits", "augment=shift(3)"], "from 0 to 1"),
        (["data=digits", "augment=hue"], "grey"),
        (["data=digits", "augment=flip", "seed=x"], "whole number"),
        (["data=digits", "augment=flip", "--out", "grid.xyz"], "grid.xyz"),
    ],
)
def test_preview_refuses_what_it_cannot_mean(cnnlab, tmp_path, words, expected):
    result = cnnlab("augment", "preview", *words, exit_code=2)
    assert expected in result.stderr
    assert not list(tmp_path.glob("*.png"))


def test_cost_of_each_operation_and_of_all(cnnlab, document):
    written = document("augment", "cost", "flip|rotate(10)", "--shape", "1x8x8", "--batch", "16", "--repeats", "1")
    assert [row["operation"] for row in written["operations"]] == ["flip", "rotate", "all together"]
    assert written["shape"] == [1, 8, 8] and written["operations"][0]["share"] is None
    assert "all together" in cnnlab("augment", "cost", "flip", "--shape", "1x8x8", "--repeats", "1").stdout


def test_cost_beside_the_training_step_of_a_recipe(cnnlab, document):
    words = ["flip|erase", "data=digits", "model=mlp(hidden=[8])", "batch_size=32", "precision=float32"]
    written = document("augment", "cost", *words, "--repeats", "2")
    assert written["shape"] == [1, 8, 8] and written["batch"] == 32
    assert 0 < written["operations"][-1]["share"] < 1
    assert written["execution"]["precision"] == "float32"
    assert written["precision_choice"] == {"precision": "float32", "why": "asked for", "seconds": 0.0}
    shown = cnnlab("augment", "cost", *words, "threads=1", "--repeats", "1")
    assert "× that without" in shown.stdout
    assert re.search(r"computing in float32 on 1 thread.*\(asked for\)", shown.stderr)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rotate(-1)"], "from 0 to 180"),
        (["flip", "--shape", "32"], "3x32x32"),
        (["hue", "--shape", "1x8x8"], "grey"),
        (["flip", "data=nowhere"], "nowhere"),
        (["flip", "--device", "abacus"], "abacus"),
    ],
)
def test_cost_refuses_what_it_cannot_mean(cnnlab, words, expected):
    assert expected in cnnlab("augment", "cost", *words, exit_code=2).stderr


def test_operations_are_listed_and_shown(cnnlab, document):
    names = [entry["name"] for entry in document("augment", "list")]
    assert {"flip", "erase", "mixup", "trivial"} <= set(names)
    assert "rotate" in cnnlab("augment", "list").stdout
    shown = cnnlab("augment", "list", "rotate").stdout
    assert "degrees" in shown and "from 0 to 180" in shown and "Source" in shown
    assert "rotate" in cnnlab("augment", "list", "rotat", exit_code=2).stderr
