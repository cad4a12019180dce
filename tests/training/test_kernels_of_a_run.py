"""Whether a training is computed by kernels of our own: chosen at its start, on record, kept when it goes on."""

import logging
import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from cnnlab import evaluate
from cnnlab.core.errors import CnnlabWarning, UsageError
from cnnlab.models import why_no_native_kernels
from cnnlab.models.cpu_kernels import modules, native
from cnnlab.runs import Run
from cnnlab.training import execution
from cnnlab.training.execution import Execution, execution_for

Trained = Callable[..., Run]
REASON = "there is no C compiler on the path (gcc or clang)"
needs_kernels = pytest.mark.skipif(why_no_native_kernels() is not None, reason=str(why_no_native_kernels()))
WIDE = {"model": "conv(16)|bn|relu|conv(16)|relu|pool|flatten", "precision": "float32"}


def kernels_of(asked: str, device: str = "cpu") -> str:
    return execution_for(device=device, precision="float32", threads=1, workers=1, compile=False, kernels=asked).kernels


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "why_no_native_kernels", lambda: REASON)


@needs_kernels
def test_own_kernels_are_taken_where_they_can_be_had_and_torchs_where_these_are_asked_for() -> None:
    assert [kernels_of(asked) for asked in ("auto", "native", "torch")] == ["native", "native", "torch"]


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_torchs_are_taken_and_own_ones_refused_with_the_reason() -> None:
    assert [kernels_of(asked) for asked in ("auto", "torch")] == ["torch", "torch"]
    with pytest.raises(UsageError, match="no C compiler on the path"):
        kernels_of("native")


def test_another_device_has_kernels_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "check_device", lambda *given: None)
    assert kernels_of("auto", "cuda") == "torch"
    with pytest.raises(UsageError, match="the device is cuda"):
        kernels_of("native", "cuda")


def test_a_network_that_torch_compiles_is_computed_by_what_torch_makes() -> None:
    assert execution_for(device="cpu", precision="float32", threads=1, workers=1, compile=True).kernels == "torch"


@pytest.mark.usefixtures("no_compiler")
def test_a_run_goes_on_by_torchs_kernels_where_its_own_are_gone_and_says_so() -> None:
    with pytest.warns(CnnlabWarning, match="no C compiler on the path"):
        assert Execution.from_dict({"kernels": "native"}).kernels == "torch"


def test_a_record_from_before_there_were_any_is_one_of_torchs() -> None:
    assert Execution.from_dict({"device": "cpu", "precision": "float32"}).kernels == "torch"


@needs_kernels
def test_a_run_is_trained_and_evaluated_by_the_kernels_on_its_record(
    small_run: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, ...]] = []
    real = modules.convolve

    def counted(input: Tensor, *given: Any) -> Tensor:
        calls.append(tuple(input.shape))
        return real(input, *given)

    monkeypatch.setattr(modules, "convolve", counted)
    run = small_run(**WIDE)
    assert run.info["execution"]["kernels"] == "native"
    assert {shape[1] for shape in calls} == {1, 16}
    calls.clear()
    assert evaluate(run, split="test").scores["accuracy"] == run.test.accuracy
    assert calls
    calls.clear()
    other = small_run(**WIDE, kernels="torch", seed=1)
    assert other.info["execution"]["kernels"] == "torch" and not calls


@needs_kernels
def test_a_run_records_by_whom_its_kernels_were_compiled_and_the_first_how_long_that_took(
    small_run: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cnnlab")
    slow, compiler = tmp_path / "slow-compiler", shutil.which("cc") or shutil.which("gcc")
    slow.write_text(f'#!/bin/sh\n[ "$1" = --version ] || sleep 1.2\nexec {compiler} "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("CC", str(slow))
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "empty-cache"))
    builds = []
    for seed in (0, 1):
        # As in a process of its own.
        monkeypatch.setattr(native, "_library", lru_cache(native._library.__wrapped__))
        builds.append(small_run(**WIDE, seed=seed).info["kernels_build"])
    seconds = builds[0].pop("seconds")
    # From an empty cache: a compiler without its rest takes a second or two on a machine that has nothing else to do.
    assert 1.2 < seconds < 60
    assert builds[0] == builds[1] and builds[0]["compiler"] == str(slow) and builds[0]["version"]
    told = [
        line.partition(" ")[0] for line in caplog.messages if line.startswith(("compiling kernels", "computing in"))
    ]
    assert told == ["compiling", "computing", "computing"]


def test_a_run_by_torchs_kernels_records_no_compiler(small_run: Trained) -> None:
    assert "kernels_build" not in small_run(kernels="torch").info


@needs_kernels
def test_a_run_by_own_kernels_resumes_bit_for_bit(small_run: Trained, interrupted: Any, tmp_path: Path) -> None:
    whole = small_run(**WIDE, threads=2, runs=tmp_path / "whole")
    stopped, _ = interrupted(after=3, **WIDE, threads=2)
    assert stopped.status != "finished"
    resumed = small_run(**WIDE, threads=2)
    assert resumed.folder == stopped.folder
    assert _weights(resumed) == _weights(whole)


def _weights(run: Run) -> bytes:
    return (run.folder / "model.safetensors").read_bytes()
