"""Fixtures for tests of the kernels of our own."""

from collections.abc import Iterator
from typing import Any

import pytest
from native_results import threads
from torch import Tensor

from cnnlab.models.cpu_kernels import convolutions, modules, pointwise, why_not


@pytest.fixture(scope="module")
def native_here() -> Iterator[None]:
    """Skips tests where the kernels cannot be had; there is one thread, and no map is too small for them."""
    with pytest.MonkeyPatch.context() as patch, threads(1):
        reason = why_not()
        if reason is not None:
            pytest.skip(reason)
        patch.setattr(convolutions, "_are_enough", lambda outputs: True)
        patch.setattr(pointwise, "_LEAST_VALUES", 0)
        yield


@pytest.fixture
def convolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A word for each convolution that our kernels computed: ``grey`` or ``wide``."""
    seen: list[str] = []
    real = modules.convolve

    def counted(input: Tensor, weight: Tensor, *rest: Any) -> Tensor:
        seen.append("grey" if weight.shape[1] == 1 else "wide")
        return real(input, weight, *rest)

    monkeypatch.setattr(modules, "convolve", counted)
    return seen


@pytest.fixture
def grouped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules of each group that our kernels computed in one pass."""
    seen: list[str] = []
    real = pointwise.Group.__call__

    def counted(group: pointwise.Group, input: Tensor) -> Tensor:
        seen.append(" ".join(type(module).__name__ for module in group.modules))
        return real(group, input)

    monkeypatch.setattr(pointwise.Group, "__call__", counted)
    return seen
