import os
import resource
import subprocess
import sys

import pytest
import torch

from cnnlab.core import memory
from cnnlab.core.memory import kept_between_steps

HAS_GLIBC = memory._glibc() is not None
COUNT = """
import ctypes, resource, torch
from contextlib import nullcontext
from cnnlab.core.memory import kept_between_steps

# As glibc starts, before it adjusts itself to what a process does, which differs from time to time.
ctypes.CDLL(None).mallopt(-3, 128 * 1024)

def faults(steps):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(steps):
        maps = [torch.ones(2**22) for _ in range(6)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with {block}:
    faults(10)
    print(faults(10))
"""


def faults(block: str) -> int:
    # Large pages would hide what is counted here.
    environment = os.environ | {"THP_MEM_ALLOC_ENABLE": "0", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", COUNT.format(block=block)], capture_output=True, text=True, env=environment, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not HAS_GLIBC, reason="the allocator is not glibc's, which is the one that is set")
def test_pages_fetched_once_serve_every_step() -> None:
    # Six maps of 16 MiB are 24,576 pages a step. Kept memory may still grow by a map or a few, where small pieces
    # in between have left no room that is large enough.
    fetched_anew = faults("nullcontext()")
    assert fetched_anew > 10 * 20_000
    assert faults("kept_between_steps()") < fetched_anew / 3


@pytest.mark.skipif(not HAS_GLIBC, reason="the allocator is not glibc's, which is the one that is set")
def test_the_memory_goes_back_at_the_end() -> None:
    def held() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    with kept_between_steps():
        maps = [torch.ones(2**20) for _ in range(100)]
        most = held()
        maps.clear()
        assert held() > most - 50 * 2**20
    assert held() < most - 300 * 2**20


def test_nothing_is_left_in_the_environment() -> None:
    assert "THP_MEM_ALLOC_ENABLE" not in os.environ


def test_other_allocators_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/usr/lib/libjemalloc.so.2")
    assert memory._glibc() is None
    with kept_between_steps():
        pass


def test_an_error_inside_gives_the_memory_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    class Library:
        mallopt = staticmethod(lambda parameter, value: calls.append((parameter, value)))
        malloc_trim = staticmethod(lambda pad: calls.append("trim"))

    monkeypatch.setattr(memory, "_glibc", Library)
    with pytest.raises(ZeroDivisionError), kept_between_steps():
        raise ZeroDivisionError
    assert calls[-1] == "trim" and (memory._MMAP_MAX, 65536) in calls
