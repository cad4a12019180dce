"""The C of this folder as a library: compiled on the machine where it runs, once, and kept in the user's cache.

Torch's own kernels do the same work wherever there is no compiler, an unknown processor or another system.
"""

import ctypes
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

import torch

from cnnlab.core.digests import digest
from cnnlab.core.errors import StorageError
from cnnlab.core.files import cache_folder, replacing

_FLAGS = {"AVX2": ("-mavx2", "-mfma"), "AVX512": ("-mavx512f", "-mfma", "-mprefer-vector-width=512")}
# Products with sums may be fused and nothing else is rearranged: results do not depend on the compiler's whims.
_COMMON = ("-O3", "-std=c11", "-ffp-contract=fast", "-shared", "-fPIC")
_PATIENCE = 60
_are_used = ContextVar("cnnlab_native_kernels", default=False)

# What each function takes: an address, a long, or an int.
_SIGNATURES = {
    "winograd_weights": "aalli",
    "winograd_forward": "aaaaaaaali",
    "winograd_weight_gradient": "aaaaaaaali",
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


class NativeError(Exception):
    """Why there are no kernels of our own here; the text is a part of a sentence."""


@contextmanager
def native_kernels(are_used: bool) -> Iterator[None]:
    """A block in which convolutions and what stands between them may be computed by the kernels of this folder."""
    token = _are_used.set(are_used)
    try:
        yield
    finally:
        _are_used.reset(token)


def are_used() -> bool:
    """Whether this is such a block, and the network is not being compiled by torch."""
    return not torch.compiler.is_compiling() and _are_used.get()


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
    found = _library(torch.backends.cpu.get_cpu_capability())
    if isinstance(found, NativeError):
        raise found
    return found


@lru_cache
def _library(capability: str) -> ctypes.CDLL | NativeError:
    try:
        return _load(_compiled(capability))
    except NativeError as error:
        return error


def _compiled(capability: str) -> Path:
    """The file of the library; made where it is missing."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64" or capability not in _FLAGS:
        raise NativeError(
            f"they are written for Linux and processors with AVX2, not for {platform.platform(terse=True)}"
        )
    sources = sorted(Path(__file__).parent.glob("*.[ch]"))
    compiler = _compiler()
    flags = [*_COMMON, *_FLAGS[capability]]
    key = digest([[path.read_text() for path in sources], flags, _output([compiler, "--version"])])
    file = cache_folder() / "kernels" / f"{key[:16]}.so"
    if not file.exists():
        try:
            with replacing(file) as temporary:
                code = [str(path) for path in sources if path.suffix == ".c"]
                _output([compiler, *flags, "-o", str(temporary), *code])
        except StorageError as error:
            raise NativeError(str(error).rstrip(".")) from error
    return file


def _compiler() -> str:
    named = os.environ.get("CC", "").split()
    for name in (*named[:1], "cc", "gcc", "clang"):
        path = shutil.which(name)
        if path is not None:
            return path
    raise NativeError("there is no C compiler on the path (gcc or clang)")


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise NativeError(f"{command[0]} failed ({said[0] if said else error})") from error
    return done.stdout


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
