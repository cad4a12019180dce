"""Classifiers for these tests."""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.core import seeds
from cnnlab.models import Classifier

CLASSES = {"label": ("cat", "dog", "owl", "fox")}


def wrapped(network: nn.Module, shape: tuple[int, int, int] = (3, 12, 12), **facts: object) -> Classifier:
    """A network of one's own as a classifier of four classes, its pictures normalised."""
    channels = shape[0]
    given: dict[str, object] = {"classes": CLASSES, "objective": "classes(column=label)", "model": "module(own)"}
    return Classifier(network, shape, [0.4] * channels, [0.3] * channels, **(given | facts)).eval()  # type: ignore[arg-type]


def layered(shape: tuple[int, int, int] = (3, 12, 12), outputs: int = 4) -> nn.Sequential:
    """Three convolutions with batch normalisation, ReLU and pools, and two dense layers; random, always the same."""
    with seeds.scope(3, "layered"):
        network = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(shape[0], 8, 3, padding=1),
                bn1=nn.BatchNorm2d(8),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(8, 12, 3, padding=1),
                relu2=nn.ReLU(),
                conv3=nn.Conv2d(12, 16, 3),
                bn3=nn.BatchNorm2d(16),
                relu3=nn.ReLU(),
                pool3=nn.MaxPool2d(2),
                flatten1=nn.Flatten(),
                dense1=nn.Linear(16 * 2 * 2, 10),
                relu4=nn.ReLU(),
                head=nn.Linear(10, outputs),
            )
        )
        with torch.no_grad():
            network.head.weight.mul_(50)  # type: ignore[union-attr, operator]
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.copy_(torch.randn(module.num_features) / 5)  # type: ignore[union-attr]
                module.running_var.copy_(torch.rand(module.num_features) + 0.5)  # type: ignore[union-attr]
    return network


def pictures(count: int = 5, shape: tuple[int, int, int] = (3, 12, 12)) -> Tensor:
    """Random, always the same."""
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(11))


class Written(nn.Module):
    """Two convolutions and a dense layer, its activation given as a function."""

    def __init__(self, activation: object, twice: bool = False) -> None:
        super().__init__()
        with seeds.scope(5, "written"):
            self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
            self.head = nn.Linear(6, 4)
        self.activation = activation

    def forward(self, input: Tensor) -> Tensor:
        """N×3×H×W to N×4."""
        maps = self.activation(self.conv1(input))  # type: ignore[operator]
        maps = self.activation(self.conv2(maps))  # type: ignore[operator]
        output: Tensor = self.head(F.adaptive_avg_pool2d(maps, 1).flatten(1))
        return output
