"""Faults by intention: the program is made to do what it must not, and the judge has to say so."""

import os
import subprocess
import time
from collections.abc import Callable

from cnnlab.runs import RunStore

from .case import Case, Step, kind

Fault = Callable[[Case], object]


def _planted(name: str) -> Callable[[Fault], Fault]:
    """Has ``cnnlab runs list`` do something else in inputs of the kind of this name."""

    def register(fault: Fault) -> Fault:
        def patch(case: Case) -> None:
            RunStore.list = lambda self: fault(case)

        kind(name, planted=True)(lambda case: [Step(("runs", "list"), patch=patch)])
        return fault

    return register


@_planted("planted traceback")
def _traceback(case: Case) -> None:
    raise ZeroDivisionError("planted")


@_planted("planted crash")
def _crash(case: Case) -> None:
    os.abort()


@_planted("planted hang")
def _hang(case: Case) -> None:
    time.sleep(3600)


@_planted("planted memory")
def _memory(case: Case) -> None:
    # Touched, for memory that is never used costs nothing.
    taken = bytearray(3 << 29)
    for place in range(0, len(taken), 4096):
        taken[place] = 1
    time.sleep(1)


@_planted("planted write")
def _write(case: Case) -> list[object]:
    (case.outside / "new.txt").write_text("escaped")
    return []


@_planted("planted write by another program")
def _foreign_write(case: Case) -> list[object]:
    """What no hook of Python sees."""
    subprocess.run(["touch", str(case.outside / "folder" / "page.txt")], check=True)
    return []


@_planted("planted write elsewhere")
def _write_elsewhere(case: Case) -> list[object]:
    """Beyond the folders that are compared."""
    (case.home.parent / "elsewhere.txt").write_text("escaped")
    return []


@_planted("planted removal")
def _removal(case: Case) -> list[object]:
    (case.outside / "thesis.txt").unlink()
    return []


@_planted("planted code")
def _code(case: Case) -> list[object]:
    subprocess.run(["touch", str(case.canary)], check=True)
    return []


@_planted("planted silence")
def _silence(case: Case) -> None:
    raise SystemExit(3)


@_planted("planted codes for the terminal")
def _raw(case: Case) -> list[object]:
    print("\x1b[31mred")
    return []


@kind("planted loss", planted=True)
def _loss(case: Case) -> list[Step]:
    return [Step(("runs", "show", "none"), must_succeed=True)]


@_planted("planted nothing")
def _nothing(case: Case) -> list[object]:
    """The control: no fault."""
    return []
