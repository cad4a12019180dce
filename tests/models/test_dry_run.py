"""Shapes without memory are those that torch comes to with numbers."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cnnlab.models.dry_run import ShapesOnly, summary_without_weights
from cnnlab.models.networks import parse_model
from cnnlab.models.summaries import summary

Make = Callable[[Tensor], Tensor]
IMAGES = (2, 6, 11, 14)


def _weight(*shape: int, like: Tensor) -> Tensor:
    return torch.zeros(shape, device=like.device)


KNOWN: dict[str, Make] = {
    "conv": lambda x: F.conv2d(x, _weight(5, 6, 3, 2, like=x)),
    "conv, strided and padded": lambda x: F.conv2d(x, _weight(5, 6, 3, 3, like=x), None, 2, (1, 0)),
    "conv, dilated in groups": lambda x: F.conv2d(x, _weight(4, 3, 3, 3, like=x), None, 1, 2, 2, 2),
    "conv, same": lambda x: F.conv2d(x, _weight(5, 6, 3, 3, like=x), padding="same"),
    "max pool": lambda x: F.max_pool2d(x, 2),
    "max pool, overlapping": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max pool, up": lambda x: F.max_pool2d(x, (2, 3), ceil_mode=True),
    "torch's max pool": lambda x: torch.max_pool2d(x, 3, 2, 1, 1, True),
    "adaptive": lambda x: F.adaptive_avg_pool2d(x, (3, 1)),
    "adaptive, one side kept": lambda x: F.adaptive_avg_pool2d(x, (None, 2)),
    "resized": lambda x: F.interpolate(x, (7, 9), mode="bilinear", antialias=True),
    "dense": lambda x: F.linear(x, _weight(9, 14, like=x)),
    "sum": lambda x: x + x,
    "sum of other shapes": lambda x: x + x[:, :1, :1],
    "product, one side repeated": lambda x: x * x[:, :, :1, :1],
    "joined": lambda x: torch.cat([x, x[:, :2]], 1),
    "joined at the end": lambda x: torch.cat([x, x], -1),
    "mean": lambda x: x.mean((2, 3)),
    "mean, axes kept": lambda x: x.mean(-1, keepdim=True),
    "mean of all": lambda x: x.mean(),
    "batch norm": lambda x: F.batch_norm(x, _weight(6, like=x), _weight(6, like=x)),
    "relu": lambda x: F.relu(x),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_shape_is_that_of_the_numbers(name: str) -> None:
    with torch.device("meta"), ShapesOnly():
        shape = KNOWN[name](torch.empty(IMAGES)).shape
    assert shape == KNOWN[name](torch.zeros(IMAGES)).shape


@pytest.mark.parametrize(
    "misfit",
    [
        lambda x: F.conv2d(x, _weight(5, 7, 3, 3, like=x)),
        lambda x: F.conv2d(x, _weight(5, 6, 15, 15, like=x)),
        lambda x: F.max_pool2d(x, 20),
        lambda x: torch.cat([x, x[:, :2]], 2),
        lambda x: x + x[:, :2],
        lambda x: F.linear(x, _weight(9, 13, like=x)),
    ],
)
def test_what_does_not_fit_is_left_to_torch_to_refuse(misfit: Make) -> None:
    with torch.device("meta"), ShapesOnly(), pytest.raises(RuntimeError):
        misfit(torch.empty(IMAGES))


@pytest.mark.parametrize("model", ["vgg-like", "resnet", "convnet", "squeezenet1_1", "conv(8)|batch_norm|relu|pool"])
def test_a_network_without_weights_is_summed_up_as_one_with_weights(model: str) -> None:
    built = parse_model(model).build((3, 40, 40), 10)
    assert summary_without_weights(model, (3, 40, 40), 10) == summary(built, (3, 40, 40))
