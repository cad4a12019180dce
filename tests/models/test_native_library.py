"""The library of kernels: compiled once, tried out, told when damaged, and done without where it cannot be had."""

import copy
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from native_results import threads
from torch import nn
from torch.nn import functional as F

from cnnlab.models.cpu_kernels import Conv2d, Sequential, build_record, native, native_kernels, why_not
from cnnlab.models.cpu_kernels import compiler as compilers

SOURCES = Path(native.__file__).parent
CAPABILITY = torch.backends.cpu.get_cpu_capability()


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process that has not looked for the library yet, and a cache without one; what it finds is forgotten."""
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(native, "_library", lru_cache(native._library.__wrapped__))


@pytest.fixture(scope="module")
def flags() -> list[str]:
    if shutil.which("cc") is None or not sys.platform.startswith("linux") or CAPABILITY not in native._FLAGS:
        pytest.skip("there is no compiler here, or nothing to compile for")
    return [*native._COMMON, *native._FLAGS[CAPABILITY]]


def built(sources: Path, to: Path, flags: list[str]) -> Path:
    subprocess.run(["cc", *flags, "-o", str(to), *sorted(map(str, sources.glob("*.c")))], check=True)
    return to


@pytest.fixture(scope="module")
def library(flags: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(SOURCES, tmp_path_factory.mktemp("native") / "library", flags)


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Compiler":
    return Compiler(tmp_path, monkeypatch)


class Compiler:
    """A command in the place of the compiler, that counts how often it is called."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.log = folder / "compiler", folder / "calls"
        monkeypatch.setenv("CC", str(self.path))

    def does(self, script: str) -> None:
        """Does this with the output's name in ``$output``; asked for its version it gives one."""
        self.path.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && echo 1.0 && exit\necho "$@" >> {self.log}\n'
            f'for word; do [ "$before" = -o ] && output=$word; before=$word; done\n{script}\n'
        )
        self.path.chmod(0o755)

    def gives(self, library: Path) -> None:
        self.does(f'cp {library} "$output"')

    @property
    def calls(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


def kept() -> list[Path]:
    """All files in the folder of compiled libraries."""
    return sorted((Path(os.environ["CNNLAB_CACHE"]) / "kernels").glob("*"))


def assert_torchs() -> None:
    """Inside the block everything is computed as without it, bit for bit."""
    torch.manual_seed(0)
    layer, maps = Conv2d(16, 16, 3), torch.randn(2, 16, 6, 6)
    group = Sequential(nn.ReLU(), nn.MaxPool2d(2))
    with native_kernels(True):
        assert not native.are_used()
        assert torch.equal(group(layer(maps)), F.max_pool2d(F.conv2d(maps, layer.weight, layer.bias).relu(), 2))


def test_it_is_compiled_once_and_kept(compiler: Compiler, library: Path) -> None:
    compiler.gives(library)
    assert why_not() is None and len(kept()) == 1
    native._library.cache_clear()
    assert why_not() is None and compiler.calls == 1
    with native_kernels(True):
        assert native.are_used()


def test_who_compiled_it_and_how_long_that_took_is_known_or_that_it_was_there(
    compiler: Compiler, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler.does(f'sleep 0.2; cp {library} "$output"')
    monkeypatch.setenv("CC", f"env {compiler.path}")
    assert why_not() is None
    made = build_record()
    assert 0.2 < made.pop("seconds") < 30
    assert made == {"compiler": f"{shutil.which('env')} {compiler.path}", "version": "1.0"}
    native._library.cache_clear()
    assert build_record() == made


def test_without_a_compiler_torchs_kernels_do_the_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    if CAPABILITY in native._FLAGS:
        assert why_not() == "there is no C compiler on the path (gcc or clang)"
    assert_torchs()


def test_a_compiler_that_fails_is_quoted(compiler: Compiler, flags: list[str]) -> None:
    compiler.does("echo In file included from a.c:1: >&2; echo 'fatal error: no space' >&2; echo more >&2; exit 1")
    assert why_not() == f"{compiler.path} failed (fatal error: no space)"
    assert_torchs()
    assert not kept() and compiler.calls == 1


def test_a_compiler_that_fails_without_a_word_is_named(compiler: Compiler, flags: list[str]) -> None:
    compiler.does("exit 3")
    assert why_not() == f"{compiler.path} failed (exit status 3)"


def test_a_compiler_that_never_ends_is_not_waited_for(
    compiler: Compiler, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilers, "_PATIENCE", 0.2)
    # Not the shell alone but what it starts, which holds its output open.
    compiler.does("sleep 30; true")
    began = time.monotonic()
    assert why_not() == f"{compiler.path} took more than 0.2 s"
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("command", ["--version", "-o"])
def test_one_that_hung_is_run_again_after_a_day_or_when_it_is_another(
    command: str, compiler: Compiler, library: Path, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilers, "_PATIENCE", 0.2)
    monkeypatch.setattr(compilers, "_SOON", 0.1)
    hangs = f'#!/bin/sh\necho "$@" >> {compiler.log}\ncase "$*" in *{command}*) sleep 30;; *) echo 1.0;; esac\n'
    compiler.path.write_text(hangs)
    compiler.path.chmod(0o755)
    first = why_not()
    calls = compiler.calls
    native._library.cache_clear()
    again = why_not()
    (note,) = kept()
    assert first == f"{compiler.path} took more than 0.2 s"
    assert again == f"{first} when last tried, which is done again after a day or once {note} is deleted"
    assert compiler.calls == calls
    two_days_ago = time.time() - 2 * 86400
    os.utime(note, (two_days_ago, two_days_ago))
    native._library.cache_clear()
    assert why_not() == first and compiler.calls == 2 * calls
    compiler.gives(library)
    native._library.cache_clear()
    assert why_not() is None


def test_the_words_after_the_compiler_are_handed_to_it(
    compiler: Compiler, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler.gives(library)
    monkeypatch.setenv("CC", f"env {compiler.path}")
    assert why_not() is None and compiler.calls == 1


def test_a_cache_that_cannot_be_written_is_a_reason(
    compiler: Compiler, library: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiler.gives(library)
    (tmp_path / "file").touch()
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "file"))
    reason = why_not()
    assert reason is not None and "could not be written: a part of the path is a file" in reason
    assert_torchs()


@pytest.mark.parametrize("damage", ["cut short", "a flipped bit", "empty"])
def test_a_damaged_library_is_compiled_anew(damage: str, compiler: Compiler, library: Path) -> None:
    compiler.gives(library)
    assert why_not() is None
    (file,) = kept()
    whole = file.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    # Not written in place: this process has it loaded.
    file.unlink()
    file.write_bytes({"cut short": whole[:middle], "a flipped bit": flipped, "empty": b""}[damage])
    native._library.cache_clear()
    assert why_not() is None and compiler.calls == 2 and kept() == [file] and file.read_bytes() == whole


def test_what_is_no_library_is_a_reason_and_is_not_kept(compiler: Compiler, flags: list[str]) -> None:
    compiler.does('echo nonsense > "$output"')
    reason = why_not()
    assert reason is not None and reason.startswith("they cannot be loaded beside this torch")
    assert not kept()


BOTH_NORMS = "normalisation, ReLU and pooling, normalisation and ReLU in bfloat16"
BFLOAT16 = "normalisation and ReLU in bfloat16, ReLU and pooling in bfloat16"
FAULTS = {
    "input transform": ("winograd.c", "= c + e;", "= c - e;", "3×3 convolutions"),
    "transform back to weights": ("winograd.c", "b + d;\n    to[2", "b - d;\n    to[2", "3×3 convolutions"),
    "patches": ("grey.c", "to[j] = line[left + j];", "to[j] = line[left];", "convolutions of grey images"),
    "moments": ("pointwise.h", "squares[j] += distance", "squares[j] += 2 * distance", BOTH_NORMS),
    "bfloat16": ("kernels.h", "<< 16);", "<< 15);", BFLOAT16),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_miscompiled_library_is_a_reason_and_is_not_kept(
    fault: str, compiler: Compiler, flags: list[str], tmp_path: Path
) -> None:
    """As if by a compiler at fault: one that was handed other sources."""
    file, right, wrong, named = FAULTS[fault]
    shutil.copytree(SOURCES, tmp_path / "sources")
    text = (tmp_path / "sources" / file).read_text()
    assert text.count(right) == 1
    (tmp_path / "sources" / file).write_text(text.replace(right, wrong))
    compiler.gives(built(tmp_path / "sources", tmp_path / "other", [*flags, "-O0", "-Wno-psabi"]))
    assert why_not() == f"as {compiler.path} compiles them they come to other results than torch ({named})"
    assert_torchs()
    assert not kept()


def test_trying_out_leaves_the_random_state_and_takes_any_settings(compiler: Compiler, library: Path) -> None:
    compiler.gives(library)
    before, dtype = torch.get_rng_state(), torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16), torch.device("meta"):
            assert why_not() is None
    finally:
        torch.set_default_dtype(dtype)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("system", "capability"), [("linux", "DEFAULT"), ("linux", "SVE256"), ("darwin", "AVX2")])
def test_another_processor_or_system_is_a_reason(system: str, capability: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    reason = why_not()
    assert reason is not None and reason.startswith(
        "they are written for Linux and x86-64 processors with AVX2, not for"
    )
    assert reason.endswith(f"({capability})")
    assert_torchs()


def test_two_that_compile_at_once_do_not_disturb_each_other(compiler: Compiler, library: Path) -> None:
    compiler.does(f'sleep 0.3; cp {library} "$output"')
    with ThreadPoolExecutor(2) as pool:
        files = [build.file for build in pool.map(native._compiled, [CAPABILITY, CAPABILITY])]
    assert compiler.calls == 2 and kept() == [files[0]] == [files[1]]
    assert why_not() is None and compiler.calls == 2


def short_version() -> dict[str, Any]:
    """How far a small network's outputs and gradients are from those in float64, and a digest of them."""
    torch.manual_seed(0)
    first = Conv2d(1, 16, 5, padding=2, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)
    second = Conv2d(16, 48, 3, padding=1, bias=False), nn.BatchNorm2d(48), nn.ReLU(), Conv2d(48, 16, 3), nn.MaxPool2d(2)
    network, images = Sequential(*first, *second), torch.randn(20, 1, 19, 18)
    with native_kernels(True):
        is_used, actual = native.are_used(), outputs_and_gradients(network, images)
    exact = outputs_and_gradients(copy.deepcopy(network).double(), images.double())
    errors = [
        float(((mine - right).abs().max() / right.abs().max()).detach())
        for mine, right in zip(actual, exact, strict=True)
    ]
    content = b"".join(each.detach().contiguous().numpy().tobytes() for each in actual)
    capability = torch.backends.cpu.get_cpu_capability()
    return {"on": capability, "used": is_used, "error": max(errors), "digest": hashlib.sha256(content).hexdigest()}


def outputs_and_gradients(network: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    outputs = network(images)
    factors = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)
    return [outputs, *torch.autograd.grad(outputs, list(network.parameters()), factors)]


def in_another_process(capability: str) -> dict[str, Any]:
    code = "import json, test_native_library as tests; print(json.dumps(tests.short_version()))"
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {"ATEN_CPU_CAPABILITY": capability.lower(), "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | environment, capture_output=True, check=True)
    return json.loads(done.stdout)


def test_another_process_comes_to_the_same_bit_for_bit(compiler: Compiler, library: Path) -> None:
    compiler.gives(library)
    with threads(1):
        here = short_version()
    assert here["used"] and here["error"] < 1e-4
    assert in_another_process(CAPABILITY) == here


@pytest.mark.skipif(CAPABILITY != "AVX512", reason="the kernels for AVX2 are those of the other tests, or do not run")
def test_the_kernels_for_avx2_pass_where_others_are_in_use(flags: list[str]) -> None:
    there = in_another_process("AVX2")
    assert there["on"] == "AVX2" and there["used"] and there["error"] < 1e-4
