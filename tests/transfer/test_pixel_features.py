"""Transfers without a network: classifiers of scikit-learn on the pixels themselves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import Normalizer

import cnnlab
from cnnlab import evaluation
from cnnlab.core.errors import CnnlabError, SpecError, UsageError
from cnnlab.core.feature_cache import cached_features
from cnnlab.reports.contents.transfers import features_table, methods
from cnnlab.transfer.backbones import read_backbones
from cnnlab.transfer.extraction import FeatureSource
from cnnlab.transfer.extractor import POOLED, FeatureLayer
from cnnlab.transfer.pictures import read_pictures
from cnnlab.transfer.request import TransferRequest
from cnnlab.transfer.result import TransferResult


def _made(runs: Path, data: Any = "digits", **keys: Any) -> TransferResult:
    usual = {"backbones": "pixels", "classifiers": "knn(n_neighbors=1)", "subset": 100, "runs": runs}
    result: TransferResult = cnnlab.transfer(data, **{**usual, **keys})
    return result


def _features(data: Any, spec: str = "pixels") -> tuple[Any, Any]:
    backbone = read_backbones([spec])[0]
    request = TransferRequest.read({"data": data, "backbones": spec, "validation": 5, "test": 5})
    pictures = read_pictures(request, backbone, None, True)
    extractor = backbone.up_to(
        FeatureLayer(POOLED), pictures.dataset.shape, pictures.objective, pictures.classifier_facts
    )
    return FeatureSource("pixels", extractor).of(pictures.dataset.train), pictures


@pytest.mark.parametrize("channels", [1, 3])
def test_features_are_the_pixels_from_0_to_1_and_grey_stays_grey(channels: int) -> None:
    x = np.random.default_rng(0).integers(0, 256, (40, 9, 7, channels), dtype=np.uint8)
    found, pictures = _features((x, np.arange(40) % 2))
    pixels = pictures.dataset.train.batch(range(30))[0]
    assert found.shape == (30, channels * 63) and found.dtype == np.float32
    assert np.array_equal(found.reshape(30, channels, 9, 7), pixels.numpy() / np.float32(255))
    assert {tuple(picture) for picture in pixels.flatten(1).tolist()} <= {
        tuple(picture) for picture in x.transpose(0, 3, 1, 2).reshape(40, -1).tolist()
    }


def test_what_neighbours_reach_is_what_scikit_learn_reaches(tmp_path: Path) -> None:
    made = _made(tmp_path)
    dataset = cnnlab.load_data("digits", subset=100)
    parts = dict(dataset.parts())
    x, y = {}, {}
    for name, images in parts.items():
        x[name] = images.batch(range(len(images)))[0].flatten(1).numpy() / 255
        y[name] = images.targets["label"].numpy()
    assert x["train"].shape[1] == load_digits().data.shape[1] == 64
    scale = Normalizer()
    oracle = KNeighborsClassifier(1).fit(scale.transform(x["train"]), y["train"])
    assert made.run.test.accuracy == pytest.approx(oracle.score(scale.transform(x["test"]), y["test"]))


def test_it_is_stored_predicted_with_evaluated_and_told_like_any_transfer(tmp_path: Path) -> None:
    made = _made(tmp_path, name="px")
    assert str(made.best) == "knn(n_neighbors=1) on pixels" and "knn(n_neighbors=1) on pixels" in str(made.run)
    assert made.run.recipe["backbones"] == "pixels" and made.run.recipe["data"] == "digits"
    found = evaluation.evaluate(made.run)
    assert found.scores["accuracy"] == made.run.test.accuracy
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8), dtype=np.uint8)
    assert len(cnnlab.predict(made.run, images)) == 2
    Image.fromarray(images[0]).resize((30, 20)).save(tmp_path / "other.png")
    assert len(made.predict(tmp_path / "other.png")) == 1
    assert "its pixels themselves" in methods(made) and "pretrained" not in methods(made)
    assert features_table(made.run, made).rows[0][0] == "pixels" and json.dumps(made.to_dict())
    assert _made(tmp_path).run == made.run and _made(tmp_path, backbones="pixels(size=9)").run != made.run


def test_nothing_is_kept_of_pixels_and_no_format_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "cache"))
    made = _made(tmp_path / "runs", precision="bfloat16", subset=None, classifiers="gaussian-nb")
    (column,) = made.record.columns
    assert (column.precision, column.kernels, column.weights, column.named, column.layer) == (
        "float32",
        "torch",
        None,
        None,
        "",
    )
    assert not cached_features() and not list((tmp_path / "cache").glob("precision/*"))


def test_they_are_a_column_beside_networks_each_with_its_own_size(tmp_path: Path, backbone: str) -> None:
    backbones = f"pixels, pixels(size=12), {backbone.replace(')', ', size=64)')}"
    made = _made(tmp_path, backbones=backbones, validation=20, test=20, subset=40)
    shapes = {column.label: column.shape for column in made.record.columns}
    assert shapes == {"pixels": (1, 8, 8), "pixels(size=12)": (1, 12, 12), "squeezenet1_1": (1, 64, 64)}
    assert list(made.table.columns) == list(shapes) and made.table.notna().all(axis=None)
    assert "(squeezenet1_1)" in methods(made) and "its pixels themselves" in methods(made)


def test_pictures_of_any_size_are_brought_to_the_size_that_is_said(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(12):
            picture = random.integers(0, 256, (20 + number, 30, 3), dtype=np.uint8)
            Image.fromarray(picture).save(tmp_path / "photos" / label / f"{number}.png")
    found, pictures = _features(str(tmp_path / "photos"), "pixels(size=10)")
    assert found.shape[1] == 300 and "resampling=bicubic" in pictures.spec
    with pytest.raises(CnnlabError, match="size"):
        _features(str(tmp_path / "photos"))


def test_draws_and_searches_go_with_pixels(tmp_path: Path) -> None:
    made = _made(tmp_path, augment="shift(0.1)", views=2, search="knn(n_neighbors=[1, 3])", cv=2)
    assert made.record.views == 2 and len(made.searched) == 2


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"layer": "flatten1"}, "pixels pass no network and have no layers, and layer= names flatten1"),
        ({"layer": "pooled, conv1"}, "layer= names pooled, conv1. Leave layer out"),
        ({"backbones": "pixels, pixels"}, "backbones names pixels twice"),
        ({"backbones": "pixels(size=0)"}, "size of backbone pixels takes a whole number from 1 to 8,192 or none"),
        ({"backbones": "pixels(weights=imagenet)"}, "backbone pixels has no argument 'weights'"),
        (
            {"data": "digits(size=16)", "backbones": "pixels(size=8)"},
            "takes pictures of 8×8, and those of the data are 16×16",
        ),
        ({"backbones": "cnn"}, "Take one of pixels, "),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(keys: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises((UsageError, SpecError), match=told):
        _made(tmp_path / "runs", **keys)
    assert not (tmp_path / "runs").exists()


def test_the_stored_classifier_takes_what_it_was_fitted_to(tmp_path: Path) -> None:
    made = _made(tmp_path)
    model = made.classifier()
    train = dict(cnnlab.load_data("digits", subset=100).parts())["train"]
    pixels = train.batch(range(20))[0]
    # One neighbour finds each training picture itself.
    assert torch.equal(model(pixels).argmax(1), train.targets["label"][:20])
