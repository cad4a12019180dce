"""``head=``: dense layers, or any, of one's own on the features of a network of another library."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cnnlab import models
from cnnlab.core import seeds
from cnnlab.core.errors import SpecError

COLOUR = (3, 64, 64)
# Maps that leave the networks at 64×64, by the strides of their papers: an eighth of a quarter, and so on.
FEATURES = {
    "alexnet": (256, 1, 1),
    "vgg16": (512, 2, 2),
    "vgg19": (512, 2, 2),
    "squeezenet1_1": (512, 3, 3),
    "resnet50v2": (2048, 2, 2),
    "efficientnetv2-b0": (1280, 2, 2),
    "timm(resnet10t)": (512, 2, 2),
}


def with_head(spec: str, head: str) -> str:
    opening = f"{spec[:-1]}, " if spec.endswith(")") else f"{spec}("
    return f'{opening}head="{head}")'


def on_nothing(spec: str, outputs: int = 10, shape: tuple[int, ...] = COLOUR) -> nn.Module:
    with torch.device("meta"):
        return models.build_network(spec, shape, outputs)


def made(spec: str, outputs: int = 10, seed: int = 0) -> nn.Module:
    with seeds.scope(seed, "init"):
        return models.build_network(spec, COLOUR, outputs)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("spec", FEATURES)
def test_layers_get_the_feature_map_flattened_or_pooled(spec: str) -> None:
    channels, height, width = FEATURES[spec]
    flat, pooled = (on_nothing(with_head(spec, head)).head for head in ("dense(7)|relu", "global_pool|dense(7)|relu"))
    assert flat.dense1.in_features == channels * height * width
    assert pooled.dense1.in_features == channels
    assert [name for name, _ in flat.named_children()] == ["flatten1", "dense1", "relu1", "head"]


@pytest.mark.parametrize("spec", FEATURES)
def test_the_dense_ending_of_the_network_is_left_out(spec: str) -> None:
    network = on_nothing(with_head(spec, "global_pool|dense(7)|relu"))
    dense = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    assert dense == ["head.dense1", "head.head"]


def test_vgg16_without_its_top_counts_as_in_keras() -> None:
    # keras.applications.VGG16(include_top=False) has 14,714,688; Flatten, Dense(254) and Dense(9) come to it.
    assert count(on_nothing('vgg16(head="dense(254)|relu")', 9)) == 14_714_688 + (2048 + 1) * 254 + (254 + 1) * 9


def test_layers_are_completed_in_the_canonical_form() -> None:
    short, long = 'vgg16(head="dense(254)|relu")', 'vgg16(head="dense(units=254, bias=true)|relu|head")'
    assert (
        models.canonical_model(short)
        == models.canonical_model(long)
        == models.canonical_model(models.canonical_model(short))
    )
    assert "units=254" in models.canonical_model(short)
    for nothing in ("vgg16(head=none)", 'vgg16(head="")'):
        assert models.canonical_model(nothing) == models.canonical_model("vgg16")
        assert count(on_nothing(nothing)) == count(on_nothing("vgg16"))
    assert models.canonical_model("squeezenet1_1(head=none)") == models.canonical_model("squeezenet1_1(head=dense)")
    assert count(on_nothing("squeezenet1_1(head=none)")) == count(on_nothing("squeezenet1_1"))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ('vgg16(head="dense(254)|rleu")', r"no layer called 'rleu'. Did you mean relu.*«dense\(254\)\|▸rleu»"),
        ('vgg16(head="alexnet")', "alexnet is a whole network"),
        ("vgg16(head=conv)", "layer conv needs filters"),
    ],
)
def test_what_is_no_layer_is_refused_before_anything_is_built(spec: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        models.canonical_model(spec)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ('vgg16(head="pool|pool")', r"vgg16 for pictures of 3×64×64: head.pool2 gets 512×1×1: .* does not fit"),
        ('vgg16(head="head|relu")', "the head can stand only once, at the end"),
        ('timm(vit_tiny_patch16_224, head="global_pool")', r"head.global_pool1 gets 192: .* needs a feature map"),
        ('alexnet(head="dense(9)", dropout=0.3)', r"dropout=0.3 is that of its own dense ending.*dropout\(0.3\)"),
    ],
)
def test_a_layer_that_cannot_be_is_named(spec: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        on_nothing(spec)


def test_transformers_hand_over_their_vector() -> None:
    network = on_nothing('timm(vit_tiny_patch16_224, head="dense(7)|relu")')
    assert network.head.dense1.in_features == 192


def test_heads_of_a_clock_stand_on_a_backbone() -> None:
    network = on_nothing('alexnet(head="dense(8)|relu|heads([12, 1], [\\"\\", \\"dense(3)\\"])")', 13)
    assert network.head.out_features == 13


class TestWeights:
    @pytest.mark.parametrize("name", ["alexnet", "squeezenet1_1", "timm(resnet10t)"])
    def test_a_file_of_the_library_gives_the_base_and_its_ending_is_left_aside(
        self, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        import timm
        import torchvision.models as library

        caplog.set_level("INFO", "cnnlab")
        with seeds.scope(1, "weights"):
            theirs = timm.create_model("resnet10t") if "timm" in name else library.get_model(name)
        path = tmp_path / "theirs.safetensors"
        save_file({key: tensor.contiguous() for key, tensor in theirs.state_dict().items()}, path)
        spec = with_head(name, "dense(7)|relu")
        network = made(f"{spec[:-1]}, weights={path})")
        assert "Its head, for 1000 outputs, was left out; a new one for 10 is drawn" in caplog.text
        body = theirs if "timm" in name else theirs.features
        own = [tensor for key, tensor in network.state_dict().items() if not key.startswith("head.")]
        for ours, original in zip(own, body.state_dict().values(), strict=False):
            assert torch.equal(ours, original)
        assert torch.equal(network.head.dense1.weight, made(spec).head.dense1.weight)

    def test_a_run_of_the_whole_network_gives_its_base(self, tmp_path: Path) -> None:
        before = made("alexnet", 4, seed=1)
        path = stored(tmp_path / "model.safetensors", before, "alexnet", 4)
        network = made(f'alexnet(head="dense(7)|relu", weights={path})', 4)
        assert torch.equal(network.conv5.weight, before.conv5.weight)
        assert not hasattr(network, "dense1") and network.head.dense1.out_features == 7

    def test_the_same_layers_go_on_from_a_run_and_others_are_drawn(self, tmp_path: Path) -> None:
        spec = 'alexnet(head="dense(7)|relu")'
        before = made(spec, 4, seed=1)
        path = stored(tmp_path / "model.safetensors", before, spec, 4)
        again = made(f'alexnet(head="dense(7)|relu", weights={path})', 4)
        for name, tensor in before.state_dict().items():
            assert torch.equal(again.state_dict()[name], tensor)
        other = made(f'alexnet(head="dense(9)|relu", weights={path})', 4)
        assert torch.equal(other.conv5.weight, before.conv5.weight) and other.head.dense1.out_features == 9

    def test_a_classifier_is_rebuilt_from_its_file(self, tmp_path: Path) -> None:
        spec = 'timm(resnet10t, head="global_pool|dropout(0.5)|dense(7)|relu")'
        before = made(spec, 4)
        path = stored(tmp_path / "model.safetensors", before, spec, 4)
        images = torch.rand(2, *COLOUR)
        with torch.no_grad():
            assert torch.allclose(models.load_classifier(path).network(images), before.eval()(images), atol=1e-5)

    def test_a_run_is_used_with_the_head_that_it_was_trained_with(self, tmp_path: Path) -> None:
        spec = 'squeezenet1_1(head="global_pool|dense(7)|relu")'
        path = stored(tmp_path / "model.safetensors", made(spec, 4, seed=1), spec, 4)
        assert models.pretrained(spec, path, shape=COLOUR).outputs == 4


def stored(path: Path, network: nn.Module, spec: str, outputs: int) -> Path:
    names = {"label": [f"class {number}" for number in range(outputs)]}
    classifier = models.Classifier(
        network, COLOUR, [0.5] * 3, [0.2] * 3, names, "classes", models.canonical_model(spec)
    )
    models.save_classifier(path, classifier)
    return path
