"""How a process takes memory: on large pages, kept from one step to the next, and when it looks for what is not used.

The system's allocator would give it back after each step and fetch it anew.
"""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# The parameters of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_KEEPING = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0}
# Where glibc's own adjustment ends in a process that handles large pieces; it is off once a value was set.
_AFTERWARDS = {_TRIM_THRESHOLD: 64 * 2**20, _MMAP_THRESHOLD: 32 * 2**20, _MMAP_MAX: 65536}

LARGE_PAGES = "THP_MEM_ALLOC_ENABLE"
"""The variable that torch reads when a process first takes memory by it, and never again."""


def ask_for_large_pages() -> None:
    """Has torch put large tensors on large pages, which saves most of the clearing; what the user set is left alone.

    Later than a process's first tensor it is in vain: whatever trains or evaluates calls this before all else.
    """
    if LARGE_PAGES in os.environ:
        return
    import torch

    os.environ[LARGE_PAGES] = "1"
    torch.empty(1)
    del os.environ[LARGE_PAGES]


@contextmanager
def kept_between_steps() -> Iterator[None]:
    """A block in which freed memory stays with the process; it goes back to the system at the end.

    A step allocates and frees the same feature maps as the last. glibc returns such large pieces at once, and every
    page is then fetched and cleared again: up to a tenth of a step. Does nothing where there is no glibc.
    """
    library = _glibc()
    if library is None:
        yield
        return
    _set(library, _KEEPING)
    try:
        yield
    finally:
        _set(library, _AFTERWARDS)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    # Musl has no mallopt, and other allocators that are loaded in its place keep memory by themselves.
    is_usual = hasattr(library, "gnu_get_libc_version") and "malloc" not in os.environ.get("LD_PRELOAD", "")
    return library if is_usual and hasattr(library, "mallopt") else None


def _set(library: ctypes.CDLL, values: dict[int, int]) -> None:
    for parameter, value in values.items():
        library.mallopt(parameter, value)


@contextmanager
def without_collection() -> Iterator[None]:
    """A block in which Python does not look for cycles.

    Where thousands of records are made that all stay, it would look through all of them again and again.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
