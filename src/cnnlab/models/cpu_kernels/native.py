"""The C of this folder as a library: compiled on the machine where it runs, once, and kept in the user's cache.

Torch's own kernels do the same work wherever there is no compiler, an unknown processor or another system. A library is
tried out against them before it is kept, and ends in a digest of itself, by which a damaged file is told and made anew.
"""

import ctypes
import hashlib
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from cnnlab.core.digests import digest
from cnnlab.core.errors import StorageError
from cnnlab.core.files import cache_folder, replacing
from cnnlab.models.cpu_kernels.compiler import (
    NativeError,
    compiler_file,
    find_compiler,
    remembered_failure,
    run_compiler,
)

_FLAGS = {"AVX2": ("-mavx2", "-mfma"), "AVX512": ("-mavx512f", "-mfma", "-mprefer-vector-width=512")}
# A product and the sum that it goes into may be fused; sums are taken in the order written, whatever the compiler.
_COMMON = ("-O3", "-std=c11", "-ffp-contract=fast", "-shared", "-fPIC")
_are_used = ContextVar("cnnlab_native_kernels", default=False)
_on_trial: ContextVar[ctypes.CDLL | None] = ContextVar("cnnlab_kernels_on_trial", default=None)

# What each function takes: an address, a long, or an int.
_SIGNATURES = {
    "winograd_weights": "aalli",
    "winograd_forward": "aaaaaaaali",
    "winograd_weight_gradient": "aaaaaaaalii",
    "grey_forward": "aaaaaaaaii",
    "grey_weight_gradient": "aaaaaaaii",
} | {
    f"{name}{ending}": kinds
    for ending in ("", "_bfloat16")
    for name, kinds in {
        "pointwise_forward": "aaaaaaiii",
        "channel_moments": "aaalli",
        "pointwise_gradient_sums": "aaaaaaaaiii",
        "pointwise_backward": "aaaaaaaaaaiii",
    }.items()
}
_KINDS = {"a": ctypes.c_void_p, "l": ctypes.c_long, "i": ctypes.c_int}
_self_checks: list[Callable[[], list[str]]] = []


def self_check(function: Callable[[], list[str]]) -> Callable[[], list[str]]:
    """A decorator: freshly compiled kernels are kept where the function names none that computes otherwise than torch.

    It computes by the modules that import this one.
    """
    _self_checks.append(function)
    return function


@dataclass(frozen=True)
class Build:
    """A compiled library.

    :param compiler: its command, with the words that ``CC`` has after it; ``version`` is what it calls itself.
    :param seconds: that this process took to compile the library and to try it out; None where it was in the cache.
    """

    file: Path
    compiler: str
    version: str
    seconds: float | None = None


@contextmanager
def native_kernels(are_used: bool) -> Iterator[None]:
    """A block in which convolutions and what stands between them may be computed by the kernels of this folder.

    Where :func:`why_not` has a reason they are computed by torch's, as they are without the block.
    """
    token = _are_used.set(are_used and why_not() is None)
    try:
        yield
    finally:
        _are_used.reset(token)


def are_used() -> bool:
    """Whether this is such a block, and neither ``torch.compile`` nor a transform of ``torch.func`` is at work."""
    return not torch.compiler.is_compiling() and _are_used.get() and not torch._C._are_functorch_transforms_active()


def why_not() -> str | None:
    """What keeps this machine from having the kernels, or None where it has them; compiles them where need be."""
    try:
        library()
    except NativeError as error:
        return str(error)
    return None


def library() -> ctypes.CDLL:
    """The kernels, compiled for what torch says the processor can do.

    :raises NativeError: where they cannot be had.
    """
    on_trial = _on_trial.get()
    if on_trial is not None:
        return on_trial
    return _found()[0]


def build_record() -> dict[str, Any]:
    """``{compiler, version, seconds}`` of the kernels as ``run.json`` holds them; see :class:`Build`.

    :raises NativeError: where they cannot be had.
    """
    build = _found()[1]
    took = {} if build.seconds is None else {"seconds": build.seconds}
    return {"compiler": build.compiler, "version": build.version, **took}


def _found() -> tuple[ctypes.CDLL, Build]:
    found = _library(torch.backends.cpu.get_cpu_capability())
    if isinstance(found, NativeError):
        raise found
    return found


@lru_cache
def _library(capability: str) -> tuple[ctypes.CDLL, Build] | NativeError:
    try:
        build = _compiled(capability)
        return _load(build.file), build
    except NativeError as error:
        return error


def _compiled(capability: str) -> Build:
    """The library, from the cache or newly made."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64" or capability not in _FLAGS:
        here = f"{platform.system()} on {platform.machine()} ({capability})"
        raise NativeError(f"they are written for Linux and x86-64 processors with AVX2, not for {here}")
    sources = sorted(Path(__file__).parent.glob("*.[ch]"))
    compiler = find_compiler()
    flags = [*_COMMON, *_FLAGS[capability]]
    made_of = [[path.read_text("utf-8") for path in sources], compiler[1:], flags]
    folder = cache_folder() / "kernels"
    try:
        with remembered_failure(folder / f"{digest([made_of, compiler_file(compiler)])[:16]}.failed"):
            version = run_compiler([*compiler, "--version"])
            file = folder / f"{digest([*made_of, version])[:16]}.so"
            began = time.perf_counter()
            is_there = _is_whole(file)
            if not is_there:
                _make(file, [*compiler, *flags], [str(path) for path in sources if path.suffix == ".c"])
    except (OSError, StorageError) as error:
        raise NativeError(str(error).rstrip(".")) from error
    seconds = None if is_there else time.perf_counter() - began
    return Build(file, " ".join(compiler), version.partition("\n")[0], seconds)


def _make(file: Path, compiler: list[str], sources: list[str]) -> None:
    with replacing(file) as temporary:
        run_compiler([*compiler, "-o", str(temporary), *sources])
        temporary.write_bytes(_sealed(temporary.read_bytes()))
        _try_out(temporary, compiler[0])


def _try_out(file: Path, compiler: str) -> None:
    token = _on_trial.set(_load(file))
    try:
        wrong = [name for check in _self_checks for name in check()]
    finally:
        _on_trial.reset(token)
    if wrong:
        raise NativeError(f"as {compiler} compiles them they come to other results than torch ({', '.join(wrong)})")


def _sealed(library: bytes) -> bytes:
    """The library and its digest; what follows the last section of a library is not looked at when it is loaded."""
    return library + hashlib.sha256(library).digest()


def _is_whole(file: Path) -> bool:
    # To load a file that was cut off may end the process, so that it is read before.
    content = file.read_bytes() if file.exists() else b""
    return content == _sealed(content[: -hashlib.sha256().digest_size])


def _load(file: Path) -> ctypes.CDLL:
    try:
        loaded = ctypes.CDLL(str(file))
    except OSError as error:
        # Of a torch that brings another kind of threads along.
        raise NativeError(f"they cannot be loaded beside this torch ({error})") from error
    for name, kinds in _SIGNATURES.items():
        function = getattr(loaded, name)
        function.argtypes, function.restype = [_KINDS[kind] for kind in kinds], None
    return loaded
