import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from comparing import runs_in, weights
from torch import Tensor

from cnnlab.core.errors import CnnlabWarning
from cnnlab.runs import Run
from cnnlab.training import Interrupted, resume
from cnnlab.training.step import Stepper

Trained = Callable[..., Run]
Cut = Callable[..., tuple[Run, Interrupted]]


def short_of_memory(monkeypatch: pytest.MonkeyPatch, most: int, error: Callable[[], Exception]) -> list[int]:
    """Lets a forward pass of more than ``most`` pictures fail; the sizes of those that are let through."""
    sizes: list[int] = []
    forward = Stepper._forward

    def cramped(self: Stepper, images: Tensor, *rest: Any) -> Any:
        if len(images) > most:
            raise error()
        sizes.append(len(images))
        return forward(self, images, *rest)

    monkeypatch.setattr(Stepper, "_forward", cramped)
    return sizes


ERRORS: list[Callable[[], Exception]] = [
    lambda: torch.OutOfMemoryError("CUDA out of memory."),
    lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    MemoryError,
]


@pytest.mark.parametrize("error", ERRORS)
def test_a_batch_too_large_for_memory_is_split_and_the_run_goes_on(
    error: Callable[[], Exception], small_run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = small_run(runs=tmp_path / "whole")
    sizes = short_of_memory(monkeypatch, 8, error)
    with pytest.warns(CnnlabWarning, match="memory ran out") as caught:
        run = small_run()
    assert [str(w.message) for w in caught][-1].startswith("memory ran out; each batch is now computed in 8 parts")
    assert not any("not identical" in str(w.message) for w in caught)
    # Halved until they fit: forty, twenty, ten, five.
    assert sizes == [5] * 48
    assert run.info["execution"]["parts"] == 8
    assert any("8 parts" in text for text in run.info["warnings"])
    for name, value in weights(whole).items():
        torch.testing.assert_close(weights(run)[name], value, rtol=1e-4, atol=1e-6)
    assert run.history["train_loss"].to_list() == pytest.approx(whole.history["train_loss"].to_list(), rel=1e-5)


@pytest.mark.parametrize("model", ["conv(4)|bn|relu|flatten", "flatten|dropout(0.1)"])
def test_parts_that_change_the_result_are_warned_of(
    model: str, small_run: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory(monkeypatch, 20, torch.OutOfMemoryError)
    with pytest.warns(CnnlabWarning, match="not identical"):
        small_run(model=model)


def test_parts_are_kept_when_a_run_goes_on(
    small_run: Trained, interrupted: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = short_of_memory(monkeypatch, 20, torch.OutOfMemoryError)
    with pytest.warns(CnnlabWarning, match="2 parts"):
        cut, _ = interrupted(after=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resume(cut)
    assert set(sizes) == {20}


def test_memory_that_does_not_do_for_one_image_ends_the_run(
    small_run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory(monkeypatch, 0, lambda: torch.OutOfMemoryError("nothing left"))
    with pytest.raises(torch.OutOfMemoryError, match="nothing left"), pytest.warns(CnnlabWarning):
        small_run()
    (run,) = runs_in(tmp_path / "runs")
    assert run.status == "failed"
    assert run.info["execution"]["parts"] <= 64


def test_another_error_is_not_taken_for_one_of_memory(small_run: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    short_of_memory(monkeypatch, 20, lambda: RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        small_run()
