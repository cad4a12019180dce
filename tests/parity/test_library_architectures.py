"""Networks against those of torchvision and timm, with the same weights."""

from pathlib import Path

import pytest
import timm
import torch
import torchvision.models as library
from safetensors.torch import save_file
from torch import nn

from cnnlab import models
from cnnlab.core import seeds

COLOUR = (3, 64, 64)


def outputs_of_both(ours: nn.Module, theirs: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.rand(2, *COLOUR, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return ours.eval()(images), theirs.eval()(images)


@pytest.mark.parametrize("spec", ["squeezenet1_1(head=conv)", "alexnet(dropout=0)", "timm(resnet10t)"])
def test_outputs_of_a_backbone_are_those_of_the_library(spec: str, tmp_path: Path) -> None:
    name = spec.partition("(")[0]
    with seeds.scope(2, "weights"):
        theirs = timm.create_model("resnet10t") if name == "timm" else library.get_model(name)
    path = tmp_path / "weights.safetensors"
    save_file({key: tensor.contiguous() for key, tensor in theirs.state_dict().items()}, path)
    ours = models.build_network(f"{spec.rstrip(')')}{', ' if '(' in spec else '('}weights={path})", COLOUR, 1000)
    torch.testing.assert_close(*outputs_of_both(ours, theirs), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_outputs_of_a_residual_network_of_our_layers_are_those_of_torchvision(name: str) -> None:
    with seeds.scope(2, "weights"):
        theirs = library.get_model(name)
        ours = models.build_network(f"{name}(stem=large)", COLOUR, 1000)
        # Norms that begin as the identity would hide a missing one.
        for module in theirs.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.0)
                nn.init.normal_(module.bias, std=0.1)
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.8, 1.2)
    # The tensors stand in the same order under other names.
    pairs = zip(ours.state_dict(), theirs.state_dict().values(), strict=True)
    ours.load_state_dict(dict(pairs))
    actual, expected = outputs_of_both(ours, theirs)
    torch.testing.assert_close(actual, expected, atol=1e-4 * expected.abs().max().item(), rtol=0)
    assert expected.std() > 0.01
