"""Which network is meant, and what of it features are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import squeezenet1_1

from cnnlab.core import seeds
from cnnlab.core.errors import ModelFileError, SpecError, UsageError
from cnnlab.data import load_data
from cnnlab.models import StartingWeights, save_classifier
from cnnlab.objectives import Classes
from cnnlab.transfer.backbones import read_backbones
from cnnlab.transfer.extractor import Extractor, FeatureLayer
from cnnlab.transfer.number_format import NumberFormat, deviation_of
from cnnlab.transfer.pictures import read_pictures
from cnnlab.transfer.request import TransferRequest

OBJECTIVE = Classes("label", ("one", "other"))


def _extractor(spec: str, layer: str, side: int = 64) -> Extractor:
    facts = {"classes": {"label": ("one", "other")}}
    return read_backbones([spec])[0].up_to(FeatureLayer.read(layer), (3, side, side), OBJECTIVE, facts)


def _pixels(side: int = 64) -> torch.Tensor:
    return torch.randint(0, 256, (3, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_pooled_is_the_mean_of_the_last_map_of_the_original(backbone: str) -> None:
    with seeds.scope(1, "weights"):
        original = squeezenet1_1().eval()
    pixels = _pixels()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        seen = (pixels / 255 - mean[:, None, None]) / std[:, None, None]
        wanted = original.features(seen).mean((2, 3))
    found = _extractor(backbone, "pooled")(pixels)
    assert found.shape == (3, 512) and torch.allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_layer_by_its_name_is_averaged_over_its_places_or_kept_whole(backbone: str) -> None:
    pooled, flat = (_extractor(backbone, layer)(_pixels()) for layer in ("fire2", "flat(fire2)"))
    assert pooled.shape == (3, 128) and flat.shape == (3, 128 * 15 * 15)
    assert torch.allclose(flat.reshape(3, 128, -1).mean(2), pooled, atol=1e-5)


def test_a_head_that_is_drawn_anew_makes_features_of_chance_and_is_refused() -> None:
    facts = {"classes": {"label": ("one", "other")}}
    (backbone,) = read_backbones(["efficientnet-lite0"])
    with pytest.raises(UsageError, match="the head of efficientnet-lite0 is drawn anew"):
        backbone.up_to(FeatureLayer.read("head"), (3, 64, 64), OBJECTIVE, facts)


def test_efficientnet_gives_1280_numbers_folded_as_unfolded() -> None:
    extractor = _extractor("efficientnet-lite0", "pooled")
    found = extractor(_pixels())
    assert found.shape == (3, 1280)
    assert deviation_of(extractor.folded(_pixels()), found) < 1e-4


def test_the_digest_knows_weights_layer_and_size(backbone: str) -> None:
    digests = {
        _extractor(backbone, "pooled").digest,
        _extractor(backbone, "fire2").digest,
        _extractor(backbone, "flat(fire2)").digest,
        _extractor(backbone, "pooled", side=96).digest,
    }
    assert len(digests) == 4 and _extractor(backbone, "pooled").digest in digests


def test_a_bare_name_means_imagenets_weights_and_the_size_they_were_trained_on() -> None:
    (found,) = read_backbones(["efficientnet-lite0"])
    assert found.weights.named == "imagenet" and found.side == 224
    assert read_backbones(["efficientnet-lite0(size=96)"])[0].side == 96


def test_weights_of_a_run_mean_the_size_that_it_was_trained_on(backbone: str, weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_classifier(path, _extractor(backbone, "pooled", side=48).classifier)
    of_run = StartingWeights("run:first", path, "")
    for spec, side in ((backbone, 48), (f"squeezenet1_1(weights={weights}, size=96)", 96)):
        assert replace(read_backbones([spec])[0], weights=of_run).side == side


@pytest.mark.parametrize("resampling", ["bilinear", "bicubic"])
def test_weights_of_a_run_mean_the_resampling_that_it_was_trained_with(
    resampling: Any, backbone: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    classifier = _extractor(backbone, "pooled", side=48).classifier
    classifier.resampling = resampling
    save_classifier(path, classifier)
    (own,) = read_backbones([backbone])
    of_run = replace(own, weights=StartingWeights("run:first", path, ""))
    assert (own.resampling, of_run.resampling) == ("bicubic", resampling)
    for given, wanted in (("digits", resampling), ("digits(resampling=bicubic)", "bicubic")):
        request = TransferRequest.read({"data": given, "backbones": backbone})
        pictures = read_pictures(request, of_run, None, True)
        said = load_data(f"digits(size=48, resampling={wanted})")
        assert pictures.dataset.digest == said.digest and pictures.classifier_facts["resampling"] == wanted


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("vgg-like", "vgg-like has no weights of its own, .* efficientnet-lite2, efficientnetv2-b0, resnet50v2, sq"),
        ("joined(weights=run:both)", "joined is several networks side by side"),
        ("run:first", "Name it too, as in backbones='efficientnet-lite0(weights=run:first"),
        ("efficientnet-lite0(weights=none)", "efficientnet-lite0 without weights makes features of chance"),
        ('efficientnet-lite0(head="dense(4)")', "head= says nothing here"),
        ("efficientnet-lite9", "Did you mean efficientnet-lite2"),
    ],
)
def test_what_is_no_backbone_is_refused(spec: str, told: str) -> None:
    with pytest.raises(SpecError, match=told.replace("(", r"\(")):
        read_backbones([spec])


def test_weights_of_another_architecture_are_refused(weights: Path) -> None:
    (found,) = read_backbones([f"alexnet(weights={weights})"])
    with pytest.raises(ModelFileError, match="are not those of alexnet"):
        found.check([FeatureLayer("pooled")])


def test_a_layer_that_is_not_there_is_refused_with_those_alike(backbone: str) -> None:
    with pytest.raises(UsageError, match=r"squeezenet1_1 has no layer 'fire22'. Did you mean fire2"):
        read_backbones([backbone])[0].check([FeatureLayer("fire22")])


def test_a_part_is_no_layer_and_those_in_it_are_named() -> None:
    (found,) = read_backbones(["efficientnet-lite0"])
    told = r"block7 is a part of efficientnet-lite0, .* Take one of those in it, as in layer=body\.blocks\.6:"
    with pytest.raises(UsageError, match=told):
        found.check([FeatureLayer("block7")])


def test_one_backbone_twice_is_refused(backbone: str) -> None:
    with pytest.raises(UsageError, match="twice"):
        read_backbones([backbone, backbone])


def test_a_deviation_is_in_proportion_to_the_features() -> None:
    exact = torch.tensor([[3.0, 4.0], [0.0, 10.0]])
    assert deviation_of(exact + torch.tensor([[0.0, 0.5], [0.0, 0.0]]), exact) == pytest.approx(0.1)
    assert deviation_of(exact * float("nan"), exact) == float("inf")
    assert str(NumberFormat()) == "float32" and str(NumberFormat(kernels="native")) == "float32, native kernels"
