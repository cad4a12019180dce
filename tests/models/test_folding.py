"""Batch normalisation worked into convolutions: the same numbers from fewer layers."""

import pytest
import torch
from torch import nn

from cnnlab import models
from cnnlab.core import seeds


def _unlike_new(network: nn.Module) -> nn.Module:
    """Running statistics and scales as of a network that was trained."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                    assert tensor is not None
                    tensor.copy_(torch.rand_like(tensor) + 0.5)
    return network.eval()


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ("conv(4)|bn|relu|conv(4, bias=false)|bn|pool|dense(3)", 2),
        ("efficientnet-lite0", 49),
        ("resnet18(width=0.25)", 20),
    ],
)
def test_a_folded_network_computes_the_same(spec: str, count: int) -> None:
    with seeds.scope(0, "init"):
        network = _unlike_new(models.build_network(spec, (3, 64, 64), 5))
        pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before = network(pixels)
        assert models.fold_batch_norms(network, (3, 64, 64)) == count
        after = network(pixels)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert torch.allclose(before, after, rtol=1e-3, atol=1e-3 * float(before.abs().max()))


def test_a_layer_that_is_wanted_by_itself_keeps_what_it_puts_out() -> None:
    network = _unlike_new(models.build_network("conv(4)|bn|relu|dense(3)", (3, 8, 8), 2))
    pixels = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        before = network.get_submodule("conv1")(pixels)
        assert models.fold_batch_norms(network, (3, 8, 8), spare="conv1") == 0
        assert torch.equal(network.get_submodule("conv1")(pixels), before)


class Shared(nn.Module):
    """A convolution whose outputs are normalised, and used as they are too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.plain = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        found = self.conv(input)
        result: torch.Tensor = self.bn(found) + self.plain(found)
        return result


def test_a_convolution_that_others_use_too_is_left_alone() -> None:
    assert models.fold_batch_norms(_unlike_new(Shared()), (3, 8, 8)) == 0


def test_a_normalisation_after_an_addition_is_left_alone() -> None:
    network = _unlike_new(models.build_network("conv(3, padding=same)|relu|bn|dense(3)", (3, 8, 8), 2))
    assert models.fold_batch_norms(network, (3, 8, 8)) == 0
