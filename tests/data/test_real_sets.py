"""The real sets at hand; skipped where ``CNNLAB_DATA`` names no folder of them."""

from pathlib import Path

import pytest
import torch

from cnnlab import data

pytestmark = pytest.mark.usefixtures("data_dir")


def test_fashion_mnist() -> None:
    dataset = data.load_data("fashion-mnist", offline=True)
    assert {name: len(part) for name, part in dataset.parts()} == {"train": 55_000, "validation": 5_000, "test": 10_000}
    assert dataset.train.targets["label"].bincount().tolist() == [5_500] * 10
    assert dataset.classes["label"][9] == "Ankle boot"
    # The mean and deviation that are published for the train images (60,000) are 0.2860 and 0.3530.
    mean, deviation = data.statistics(dataset.train)
    assert mean[0] == pytest.approx(0.2860, abs=5e-4) and deviation[0] == pytest.approx(0.3530, abs=5e-4)
    assert dataset.source["verified"] and "MIT" in dataset.source["licence"]


def test_fashion_mnist_by_its_path_is_the_same(data_dir: Path) -> None:
    by_path = data.load_data(data_dir / "fashion-mnist", validation=0).test
    by_name = data.load_data("fashion-mnist", offline=True, validation=0).test
    assert torch.equal(by_path.pixels(), by_name.pixels())


@pytest.mark.slow(5)
def test_cats_and_dogs() -> None:
    dataset = data.load_data("cats-vs-dogs(size=32)", offline=True)
    assert {name: len(part) for name, part in dataset.parts()} == {"train": 2_880, "validation": 320, "test": 800}
    assert dataset.classes == {"label": ("cat", "dog")} and dataset.shape == (3, 32, 32)
    assert dataset.test.targets["label"].bincount().tolist() == [400, 400]
    assert dataset.train.ids[0].startswith("cat/cat.0")
