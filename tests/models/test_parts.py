"""The named parts of every architecture, and of networks that others write."""

from collections import OrderedDict

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab import models
from cnnlab.models.parts import Part, leaves_of, parts_of

COLOUR = (3, 64, 64)
KNOBS: dict[str, list[str]] = {"timm": ["timm(resnet10t)"], "joined": []}
SPECS = [spec for entry in models.architectures for spec in KNOBS.get(entry.name, [entry.name])]


def without_memory(spec: str, shape: tuple[int, ...] = COLOUR) -> nn.Module:
    with torch.device("meta"):
        return models.build_network(spec, shape, 10)


def check(network: nn.Module, parts: tuple[Part, ...]) -> None:
    """Holds parts to what they promise of any network."""
    names = [part.name for part in parts]
    blocks = [f"block{number}" for number in range(1, sum(name.startswith("block") for name in names) + 1)]
    assert names == [name for name in ("stem", *blocks, "top", "head") if name in names]
    assert names[-1] == "head"
    for name in [*(name for name, _ in network.named_parameters()), *leaves_of(network)]:
        assert sum(part.holds(name) for part in parts) == 1, name
    weights = dict(network.named_parameters())
    assert all(any(part.holds(name) for name in weights) for part in parts), "a part without weights"
    modules = dict(network.named_modules())
    assert all(layer in modules or layer in weights for part in parts for layer in part.layers)


@pytest.mark.parametrize("spec", SPECS)
def test_every_weight_of_every_architecture_is_in_one_part(spec: str) -> None:
    network = without_memory(spec)
    parts = parts_of(network, COLOUR)
    check(network, parts)
    assert "head" in parts[-1].layers


@pytest.mark.parametrize(
    ("spec", "blocks", "others"),
    [
        ("vgg16", 5, {"top", "head"}),
        ("vgg16(head=flatten, size=32)", 5, {"head"}),
        ("vgg-like", 4, {"top", "head"}),
        ("lenet5", 2, {"top", "head"}),
        ("resnet18", 4, {"stem", "head"}),
        ("resnet50(stem=large)", 4, {"stem", "head"}),
        ("wide-resnet", 3, {"stem", "top", "head"}),
        ("resnet50v2", 4, {"stem", "top", "head"}),
        ("efficientnet-lite0", 7, {"stem", "top", "head"}),
        ("efficientnet-lite0(dropout=0.2)", 7, {"stem", "top", "head"}),
        ("efficientnetv2-b0", 6, {"stem", "top", "head"}),
        ("squeezenet1_1", 3, {"stem", "head"}),
        ("cifar-net(block=inception)", 3, {"top", "head"}),
        ("timm(vit_tiny_patch16_224)", 12, {"stem", "top", "head"}),
        ("mlp(hidden=[8, 8, 8])", 3, {"head"}),
        ("dense(5)|relu", 1, {"head"}),
        ("flatten", 0, {"head"}),
    ],
)
def test_blocks_are_counted_as_papers_count_them(spec: str, blocks: int, others: set[str]) -> None:
    shape = (3, 224, 224) if "vit" in spec else COLOUR
    network = without_memory(spec, shape)
    names = [part.name for part in parts_of(network, shape)]
    assert sum(name.startswith("block") for name in names) == blocks
    assert {name for name in names if not name.startswith("block")} == others


def test_the_third_block_of_vgg16_is_its_third() -> None:
    found = {part.name: part.layers for part in parts_of(without_memory("vgg16"), COLOUR)}
    assert found["block3"] == ("conv5", "relu5", "conv6", "relu6", "conv7", "relu7", "pool3")
    # Dropout thins out what the next dense layer is given.
    assert found["head"] == ("dropout2", "head")


@pytest.mark.parametrize("spec", ["vgg-like", "lenet5", "resnet18", "squeezenet1_1", "efficientnet-lite0", "alexnet"])
def test_parts_do_not_depend_on_the_picture(spec: str) -> None:
    shapes = [(1, 28, 28), (3, 64, 64)]
    found = [parts_of(without_memory(spec, shape), shape) for shape in shapes]
    bare = [
        [(part.name, [layer for layer in part.layers if layer not in ("resize", "colour")]) for part in parts]
        for parts in found
    ]
    assert all(each == bare[0] for each in bare)


class Lenet(nn.Module):
    """Declares its head first, and pools and rectifies by functions."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(20, 10)
        self.first, self.second, self.third = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 8, 5), nn.Conv2d(8, 8, 1)
        self.hidden, self.drop = nn.Linear(8 * 13 * 13, 20), nn.Dropout()
        self.unused = nn.Linear(2, 2)

    def forward(self, input: Tensor) -> Tensor:
        maps = F.max_pool2d(self.first(input).relu(), 2)
        maps = F.max_pool2d(self.third(self.second(maps)).relu(), 2)
        output: Tensor = self.out(self.drop(self.hidden(maps.flatten(1)).relu()))
        return output


class Wrapped(nn.Module):
    """A network of another library, another head, and a number that belongs to neither."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.body = torchvision.models.resnet18()
        self.body.fc = nn.Identity()
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(512, 10))

    def forward(self, input: Tensor) -> Tensor:
        output: Tensor = self.classifier(self.body(input * self.scale))
        return output


class Listed(nn.Module):
    """Convolutions in a list, which is never called itself."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3 if first else 4, 4, 3, stride=2) for first in (True, False, False))
        self.fc = nn.Linear(4, 10)

    def forward(self, input: Tensor) -> Tensor:
        for conv in self.convs:
            input = conv(input).relu()
        output: Tensor = self.fc(input.mean((2, 3)))
        return output


def conv(channels: int, filters: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, filters, 3, padding=1), nn.BatchNorm2d(filters), nn.ReLU())


def sequence() -> nn.Module:
    dense = [nn.Flatten(), nn.Linear(4 * 256, 5), nn.ReLU(), nn.Linear(5, 10)]
    return nn.Sequential(conv(3, 4), nn.MaxPool2d(2), conv(4, 4), conv(4, 4), nn.MaxPool2d(2), *dense)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (
            Lenet(),
            {"block1": "first", "block2": "second third", "top": "hidden", "head": "drop unused out"},
        ),
        (
            Wrapped(),
            {
                "stem": "scale body.conv1 body.bn1 body.relu body.maxpool",
                "block1": "body.layer1",
                "block2": "body.layer2",
                "block3": "body.layer3",
                "block4": "body.layer4 body.avgpool body.fc",
                "head": "classifier",
            },
        ),
        (Listed(), {"block1": "convs.0", "block2": "convs.1", "block3": "convs.2", "head": "fc"}),
        (sequence(), {"block1": "0 1", "block2": "2 3 4 5", "top": "6 7", "head": "8"}),
        (
            nn.Sequential(OrderedDict(block1=conv(3, 4), block2=conv(4, 4), pool=nn.Flatten(), fc=nn.LazyLinear(10))),
            {"block1": "block1", "block2": "block2 pool", "head": "fc"},
        ),
        (nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 10)), {"head": "0 1"}),
    ],
    ids=["functional", "wrapped", "listed", "sequence", "named", "dense"],
)
def test_networks_of_ones_own_have_parts(network: nn.Module, expected: dict[str, str]) -> None:
    network(torch.zeros(2, *COLOUR))
    parts = parts_of(network, COLOUR)
    check(network, parts)
    assert {part.name: " ".join(part.layers) for part in parts} == expected


def test_a_network_that_is_one_layer_has_its_weights_in_the_head() -> None:
    assert parts_of(nn.Linear(64, 2), COLOUR) == (Part("head", ("weight", "bias")),)


def test_the_network_is_left_as_it_was() -> None:
    network = sequence().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    parts_of(network, COLOUR)
    assert network.training and not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
