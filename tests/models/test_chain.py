"""The chain of modules that a network is: cut anywhere, both halves give what the whole gives."""

import pytest
import torch
from torch import Tensor, nn

from cnnlab.models import build_network
from cnnlab.models.chain import chain_of
from cnnlab.models.inference import evaluating

SHAPE = (3, 32, 32)


class OneOfOnes(nn.Module):
    """Adds one between two of its layers, which therefore cannot be parted."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, input: Tensor) -> Tensor:
        output: Tensor = self.after(self.before(input) + 1)
        return output


def names(network: nn.Module) -> list[str]:
    return [link.name for link in chain_of(network, SHAPE)]


def test_nested_sequences_are_taken_apart_and_what_computes_in_between_is_not() -> None:
    network = nn.Sequential(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()), OneOfOnes(), nn.Flatten())
    assert names(network) == ["0.0", "0.1", "1", "2"]


def test_a_module_that_is_used_twice_is_parted_from_nothing() -> None:
    shared = nn.Conv2d(3, 3, 1)
    assert names(nn.Sequential(shared, nn.ReLU(), shared)) == [""]


def test_each_link_says_what_it_puts_out() -> None:
    network = build_network("conv(4)|relu|pool|dense(5)", SHAPE, 2)
    found = {link.name: link.shape for link in chain_of(network, SHAPE)}
    assert found["pool1"] == (4, 16, 16) and found["dense1"] == (5,) and found["head"] == (2,)


@pytest.mark.parametrize(
    "spec",
    ["vgg16", "squeezenet1_1", "efficientnet-lite0", "resnet50v2", "resnet18(width=0.1)", "cnn"],
)
def test_links_one_after_another_are_the_network(spec: str) -> None:
    shape = (3, 64, 64)
    network, pictures = build_network(spec, shape, 3), torch.rand(2, *shape)
    links = chain_of(network, shape)
    assert len(links) > 5
    with evaluating(network), torch.no_grad():
        value = pictures
        for link in links:
            value = link.module(value)
            assert tuple(value.shape[1:]) == link.shape
        assert torch.allclose(value, network(pictures), rtol=1e-4, atol=1e-5)


def test_the_network_is_left_as_it_was() -> None:
    network = build_network("conv(4)|bn|relu|head", SHAPE, 2).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    chain_of(network, SHAPE)
    assert network.training and not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
