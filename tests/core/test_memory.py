import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import cnnlab
from cnnlab.augment.cost import cost
from cnnlab.core import memory
from cnnlab.core.memory import kept_between_steps
from cnnlab.studies.execution.worker import work

HAS_GLIBC = memory._glibc() is not None
THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")
HAS_MADVISE = THP.exists() and "[madvise]" in THP.read_text()
# Six maps of 16 MiB in each of ten steps.
PAGES = 10 * 6 * 2**24 // resource.getpagesize()
COUNT = """
import ctypes, resource
# Large pages would hide what is counted here, also where the system gives them unasked: PR_SET_THP_DISABLE.
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)

import torch
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
HELD = """
import gc, torch
from cnnlab.core.memory import kept_between_steps

def held():
    # What was swapped out is held as well.
    with open("/proc/self/status") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(("VmRSS:", "VmSwap:")))

gc.disable()
with kept_between_steps():
    maps = [torch.ones(2**20) for _ in range(100)]
    print(held())
    maps.clear()
    print(held())
print(held())
"""


def counted(program: str) -> list[int]:
    """What a fresh process prints, which no test before it has left in any state."""
    environment = os.environ | {"THP_MEM_ALLOC_ENABLE": "0", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    return [int(line) for line in done.stdout.split()]


@pytest.mark.skipif(not HAS_GLIBC, reason="the allocator is not glibc's, which is the one that is set")
def test_pages_fetched_once_serve_every_step() -> None:
    (fetched_anew,) = counted(COUNT.format(block="nullcontext()"))
    if fetched_anew < 0.8 * PAGES:
        pytest.skip(f"this system counts {fetched_anew} pages fetched where memory of {PAGES} was taken anew")
    (fetched,) = counted(COUNT.format(block="kept_between_steps()"))
    # Kept memory may still grow by a map or a few, where small pieces in between have left no room large enough.
    assert fetched < fetched_anew / 3


@pytest.mark.skipif(not HAS_GLIBC, reason="the allocator is not glibc's, which is the one that is set")
def test_the_memory_goes_back_at_the_end() -> None:
    # 400 MiB, in KiB.
    most, inside, afterwards = counted(HELD)
    assert inside > most - 50 * 2**10
    assert afterwards < most - 300 * 2**10


ROOMS = ("objectives", "data", "augment", "models", "runs", "training", "evaluation", "studies", "reports")
LARGE = f"""
import importlib, os
for room in {ROOMS}:
    importlib.import_module(f"cnnlab.{{room}}")
import torch
from cnnlab.core.memory import ask_for_large_pages

# Only a process that made no tensor yet can ask: one that does not, and one that does.
for ask in (lambda: None, ask_for_large_pages):
    child = os.fork()
    if not child:
        ask()
        assert "THP_MEM_ALLOC_ENABLE" not in os.environ
        tensor = torch.ones(2**25)
        with open("/proc/self/smaps_rollup") as file:
            print(next(line.split()[1] for line in file if line.startswith("AnonHugePages:")), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not HAS_MADVISE, reason="this system gives large pages to all or to none, whoever asks")
def test_large_pages_are_asked_for_by_the_call_and_by_no_import() -> None:
    environment = {key: value for key, value in os.environ.items() if key != memory.LARGE_PAGES}
    command = [sys.executable, "-c", LARGE]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    # In KiB, of a tensor of 128 MiB.
    without, asked = map(int, done.stdout.split())
    assert without < 2**14 < 2**16 < asked


def test_what_the_user_set_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(memory.LARGE_PAGES, "0")
    memory.ask_for_large_pages()
    assert os.environ[memory.LARGE_PAGES] == "0"


class AskedError(Exception):
    """Raised in the place of asking."""


def study_of_nothing() -> cnnlab.Study:
    """A study whose data is not there."""
    return cnnlab.Study(
        {"name": "none", "question": "Why?", "base": {"data": "idx(path=nowhere)"}, "vary": {"epochs": [1, 2]}}
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda: cnnlab.train(data="nowhere"),
        lambda: cnnlab.resume("nobody"),
        lambda: cnnlab.find_lr(data="nowhere"),
        lambda: cnnlab.evaluate("nobody"),  # type: ignore[arg-type]
        lambda: cnnlab.predict("nobody", "nowhere"),  # type: ignore[arg-type]
        lambda: cost("nothing", (1, 8, 8)),
        lambda: study_of_nothing().plan(),
        lambda: study_of_nothing().run(),
        lambda: work(None, None),  # type: ignore[arg-type]
    ],
    ids=["train", "resume", "find_lr", "evaluate", "predict", "cost", "study plan", "study", "worker"],
)
def test_what_computes_asks_before_it_makes_a_tensor(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]
) -> None:
    def ask() -> None:
        raise AskedError

    monkeypatch.setattr(memory, "ask_for_large_pages", ask)
    # What a worker does to its process before.
    monkeypatch.setattr(os, "setpgid", lambda *_: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(AskedError):
        call()


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
