"""Pictures of any size are brought to that of the backbone, as a transfer does by itself; a size that is said stays."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
from safetensors.torch import save_file

from cnnlab.data import parse_data
from cnnlab.runs import Run
from cnnlab.training import Recipe
from cnnlab.training.short_recipe import given, shortened

Trained = Callable[..., Run]
LITE = "efficientnet-lite0(weights=imagenet)"


def data_of(data: str, model: str, **keys: object) -> dict[str, object]:
    arguments = Recipe.read(data=data, model=model, **keys).data.parsed.arguments
    return {key: arguments[key] for key in ("size", "resampling", "resize")}


@pytest.mark.parametrize(
    ("data", "model", "size", "resampling"),
    [
        ("photos.zip", LITE, 224, "bicubic"),
        ("folder(path=photos, resampling=bilinear)", LITE, 224, "bilinear"),
        ("csv(path=photos.csv)", "efficientnet-lite2(weights=imagenet)", 260, "bicubic"),
        ("photos.zip", "efficientnet-lite0(weights=imagenet, size=96)", 96, "bicubic"),
        ("photos.zip", "timm(test_vit, weights=some.safetensors)", 160, "bicubic"),
        ("photos.zip(size=96)", LITE, 96, "bilinear"),
        ("photos.zip(size=none)", LITE, None, "bilinear"),
        ("cifar10", LITE, None, "bilinear"),
        ("photos.zip", "efficientnet-lite0", None, "bilinear"),
        ("photos.zip", "efficientnet-lite0(weights=run:first)", None, "bilinear"),
        ("photos.zip", "vgg-like", None, "bilinear"),
    ],
)
def test_files_of_any_size_are_brought_to_that_of_published_weights(
    data: str, model: str, size: int | None, resampling: str
) -> None:
    assert data_of(data, model) == {"size": size, "resampling": resampling, "resize": "squash"}


def test_it_is_on_record_as_any_default_and_a_key_takes_its_place() -> None:
    recipe = Recipe.read(data="photos.zip", model=LITE)
    assert parse_data(recipe.to_dict()["data"]).short.kwargs == {
        "path": "photos.zip",
        "size": 224,
        "resampling": "bicubic",
    }
    assert data_of("photos.zip", LITE, **{"data.size": 64})["size"] == 64


@pytest.mark.parametrize("data", ["photos.zip", "photos.zip(size=none)", "photos.zip(size=32)"])
def test_what_is_on_record_reads_back_as_the_same_in_short_and_in_full(data: str) -> None:
    stored = Recipe.read(data=data, model=LITE).to_dict()
    assert Recipe.read(stored).to_dict() == Recipe.read(shortened(stored)).to_dict() == stored
    assert Recipe.read(given(stored)).to_dict() == stored


def test_pictures_of_another_size_than_the_weights_are_told_of_with_the_words_to_add(
    small_run: Trained, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(
        {name: tensor.contiguous() for name, tensor in timm.create_model("test_resnet").state_dict().items()}, path
    )
    caplog.set_level(logging.INFO, "cnnlab")
    small_run(model=f"timm(test_resnet, weights={path})", train="head", epochs=1)
    told = "test_resnet sees pictures of 64×64, and its weights were trained on 160×160. data.size=160 data.resampling="
    assert told in caplog.text
    caplog.clear()
    small_run(model=f"timm(test_resnet, weights={path}, size=32)", train="head", epochs=1)
    assert "its weights were trained on" not in caplog.text
