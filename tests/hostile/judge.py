"""What is said of an input after the program has met it."""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from .case import Case
from .process import Outcome

VERDICTS = ("traceback", "hang", "memory", "outside", "code", "lost", "unclear")
"""In the order of the table.

``traceback``: an error that is not a sentence, or a crash. ``hang``: beyond the bound of time. ``memory``: beyond that
of memory. ``outside``: something outside its folder was written or changed. ``code``: the input's own code was run.
``lost``: work did not go on after an interruption. ``unclear``: an exit without a word, or codes for the terminal.
"""
_CODES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_TRACEBACKS = ("Traceback (most recent call last)", "fault in cnnlab itself", "Fatal Python error")
_LONGEST_WORD = 260


def snapshot(paths: Iterable[Path]) -> dict[str, str]:
    """What lies under the paths: for every entry its kind and content, links not followed."""
    found = {}
    for root in paths:
        for folder, folders, files in os.walk(root):
            for name in (*folders, *files):
                path = os.path.join(folder, name)
                found[path] = _content(path)
        found[str(root)] = _content(str(root)) if os.path.lexists(root) else "not there"
    return found


def _content(path: str) -> str:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return f"link {os.readlink(path)}"
    if not stat.S_ISREG(status.st_mode):
        return f"{stat.S_IFMT(status.st_mode)}"
    with open(path, "rb") as file:
        return f"{status.st_mtime_ns} {hashlib.sha256(file.read()).hexdigest()}"


def guarded(case: Case) -> list[Path]:
    """Where nothing may change."""
    return [case.outside, case.home / "home", *case.guarded]


def verdicts(case: Case, outcomes: Sequence[Outcome], before: dict[str, str]) -> dict[str, str]:
    """The faults that there were, each with what shows it; none of a program that did what it should."""
    found: dict[str, str] = {}
    for outcome in outcomes:
        for name, why in _of_one(outcome):
            found.setdefault(name, why)
    after = snapshot(guarded(case))
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if os.path.lexists(case.canary):
        found["code"] = "the canary is there"
    elif changed:
        found.setdefault("outside", f"changed: {', '.join(changed)[:300]}")
    return found


def _of_one(outcome: Outcome) -> Iterable[tuple[str, str]]:
    if outcome.stopped == "memory":
        yield "memory", f"{outcome.memory / 2**20:,.0f} MiB"
    elif outcome.stopped == "time":
        yield "hang", f"over {outcome.seconds:.0f} s"
    elif _is_traceback(outcome):
        lines = outcome.errors.strip().splitlines()
        told = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Interrupt|Warning)?\b(:|$)", line)]
        yield (
            "traceback",
            next((line for line in reversed(told) if not line.startswith("cnnlab:")), f"exit {outcome.code}")[:300],
        )
    elif outcome.step.must_succeed and outcome.code:
        yield "lost", f"exit {outcome.code}: {outcome.errors.strip()[-300:]}"
    elif outcome.step.signal is None and _is_unclear(outcome):
        yield "unclear", f"exit {outcome.code}: {outcome.errors.strip()[-300:]!a}"
    if outcome.writes:
        yield "outside", ", ".join(outcome.writes)[:300]


def _is_traceback(outcome: Outcome) -> bool:
    if any(mark in text for mark in _TRACEBACKS for text in (outcome.errors, outcome.output)):
        return True
    return outcome.code == 99 or (outcome.code < 0 and -outcome.code != outcome.step.signal)


def _is_unclear(outcome: Outcome) -> bool:
    sentences = [line for line in outcome.errors.splitlines() if line.startswith("cnnlab: ")]
    is_silent = outcome.code != 0 and not sentences and not outcome.output.strip()
    is_long = any(len(word) > _LONGEST_WORD for line in sentences for word in line.split())
    return is_silent or is_long or bool(_CODES.search(outcome.output + outcome.errors))
