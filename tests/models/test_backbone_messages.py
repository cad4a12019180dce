"""What a person is told of pictures that are too small, files that are not there, and names of another library."""

from pathlib import Path

import pytest
import torch

from cnnlab import models
from cnnlab.core.errors import ModelFileError, SpecError, UsageError
from cnnlab.models.pretrained_weights import starting_weights

# As the smallest pictures that leave at least one place: torch refuses one pixel less.
SMALLEST = {"alexnet": 63, "vgg16": 32, "vgg19": 32, "squeezenet1_1": 17, "timm(convnext_atto)": 32}


def on_nothing(spec: str, size: int) -> torch.nn.Module:
    opening = f"{spec[:-1]}, " if spec.endswith(")") else f"{spec}("
    with torch.device("meta"):
        return models.build_network(f"{opening}size={size})", (3, 32, 32), 10)


@pytest.mark.parametrize("spec", SMALLEST)
def test_images_that_are_too_small_are_refused_with_the_smallest_side(spec: str) -> None:
    side = SMALLEST[spec]
    on_nothing(spec, side)
    for size in (1, side // 2, side - 1):
        with pytest.raises(SpecError) as caught:
            on_nothing(spec, size)
        for words in ("for pictures of 3×32×32", f"pictures of {size}×{size}", f"write size={side} or more", "native"):
            assert words in str(caught.value)


def test_a_network_of_certain_sizes_only_is_told_its_own() -> None:
    with pytest.raises(SpecError, match=r"do not fit it; write size=native for 546×546"):
        on_nothing("timm(deepseek_vit_412m)", 64)


def test_a_network_that_gives_several_maps_hands_over_its_vector() -> None:
    with torch.device("meta"):
        network = models.build_network('timm(efficientvim_m1, head="dense(8)|relu")', (3, 64, 64), 10)
    assert "flatten1" not in dict(network.head.named_children())


@pytest.mark.parametrize("spec", ["resnet50v2", "efficientnetv2-b0"])
def test_networks_that_pad_take_any_size(spec: str) -> None:
    assert on_nothing(spec, 1).head.out_features == 10


def test_images_are_too_small_with_weights_to_fill_too() -> None:
    with pytest.raises(SpecError, match="write size=17 or more"):
        models.build_network("squeezenet1_1(size=8)", (3, 32, 32), 10)


def test_the_network_is_left_as_it_was_by_the_trial() -> None:
    network = models.build_network("timm(resnet10t)", (3, 64, 64), 10)
    assert all(module.training for module in network.modules())
    assert not any(tensor.is_meta for tensor in network.state_dict().values())
    assert {int(value) for name, value in network.state_dict().items() if name.endswith("batches_tracked")} == {0}


def test_a_summary_asks_for_the_file_of_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no model file .*zzz.safetensors. Check the path.*weights=imagenet"):
        models.summary_without_weights(f"resnet50v2(weights={tmp_path / 'zzz.safetensors'})", (3, 64, 64), 10)
    (tmp_path / "weights.pth").write_bytes(b"PK\x03\x04 and more")
    with pytest.raises(ModelFileError, match="is a pickle"):
        models.summary_without_weights(f"resnet50v2(weights={tmp_path / 'weights.pth'})", (3, 64, 64), 10)
    assert models.summary_without_weights("resnet50v2(weights=imagenet)", (3, 64, 64), 10).rows


def test_a_training_is_told_what_else_weights_may_be() -> None:
    with pytest.raises(ModelFileError, match=r"no model file imagnet. Check the path.*weights=imagenet.*run:NAME"):
        starting_weights("alexnet(weights=imagnet)")


def test_weights_that_are_missing_are_called_as_they_were_asked_for() -> None:
    with pytest.raises(UsageError, match=r"weights of resnet50v2 \(resnetv2_50 of timm\) are not on this machine"):
        starting_weights("resnet50v2(weights=imagenet)", offline=True)


def test_a_name_of_timm_is_advised_in_its_place() -> None:
    with pytest.raises(SpecError, match=r"no architecture or layer called 'resnet18d', .*Write timm\(resnet18d\)"):
        models.canonical_model("resnet18d")
    with pytest.raises(SpecError, match=r"'resnet18x'. Did you mean resnet18"):
        models.canonical_model("resnet18x")
