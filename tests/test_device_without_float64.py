"""A device without float64, such as Apple's mps: nothing that a training step computes there is in it.

``meta`` tensors, which have shapes and no content, stand for those of the device that is not here.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cnnlab.augment import augmentations, pipeline
from cnnlab.core import devices
from cnnlab.objectives import build_objective

COLUMNS = {"hour": tuple(map(str, range(12))), "minute": tuple(map(str, range(60))), "age": None, "label": ("a", "b")}
COUNT = 6
# Operations that draw on the device itself, which meta cannot.
DRAWN_THERE = {"erase", "gaussian_noise", "salt_and_pepper"}


class WithoutFloat64(TorchDispatchMode):
    """Refuses float64 on the device, as mps does."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor) and value.is_meta and value.dtype == torch.float64:
                raise TypeError(f"{function} gives float64, which the device does not know")
        return result


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(devices, "_WITHOUT_FLOAT64", frozenset({"meta"}))
    with WithoutFloat64():
        yield


def test_the_device_refuses_float64() -> None:
    with pytest.raises(TypeError, match="does not know"):
        torch.zeros(2, device="meta").double()
    assert torch.zeros(2).double().dtype == torch.float64


@pytest.mark.parametrize(
    "spec",
    [
        "classes(column=label)",
        "binary(column=label)",
        "scalar(column=[hour, minute])",
        "scalar(column=age, range=[0, 100])",
        "circular(column=[hour, minute], period=720)",
        "bins(column=[hour, minute], range=[0, 720], count=10)",
        "bins(column=age, range=[0, 100], count=10, spread=5)",
        "multi-head(a=classes(column=label), b=circular(column=hour, period=12))",
    ],
)
def test_targets_and_losses(spec: str) -> None:
    objective = build_objective(spec, COLUMNS)
    columns = {name: torch.zeros(COUNT, dtype=torch.int64) for name in ("hour", "minute", "label")}
    targets = {name: rows.to("meta") for name, rows in {**columns, "age": torch.zeros(COUNT)}.items()}
    encoded = objective.encode(targets)
    outputs = torch.zeros(COUNT, objective.outputs, device="meta", requires_grad=True)
    objective.loss(outputs, encoded).mean().backward()
    objective.tally(outputs.detach(), encoded)
    assert outputs.grad is not None and all(rows.dtype == torch.float32 for rows in encoded.values())


@pytest.mark.parametrize("name", sorted({entry.name for entry in augmentations} - DRAWN_THERE))
def test_augmentation(name: str) -> None:
    images = torch.zeros(COUNT, 3, 16, 16, dtype=torch.uint8, device="meta")
    targets = {"label": torch.zeros(COUNT, 2, device="meta")}
    changed, _ = pipeline(name)(images, targets, seed=0, epoch=0, step=0, ids=torch.arange(COUNT))
    assert changed.shape == images.shape
