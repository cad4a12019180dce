"""Inputs by the thousand, run over and judged, counted by kind."""

import gc
import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cnnlab.cli.app import command_tree
from cnnlab.core.files import cache_folder

from . import kinds as _registers_the_kinds  # noqa: F401
from . import planted as _registers_the_faults  # noqa: F401
from .case import KINDS, PLANTED, Case, Step, make
from .judge import VERDICTS, guarded, snapshot, verdicts
from .process import Bounds, Outcome, Process, call, run_alone
from .samples import Samples, interrupt_in_step, make_samples

_PAUSE = 0.004


@dataclass
class Count:
    """Of one kind: how many inputs, what became of them, and what they took."""

    inputs: int = 0
    refused: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    longest: float = 0.0
    memory: int = 0

    def add(self, outcomes: Sequence[Outcome], found: Sequence[str]) -> None:
        """One input more."""
        self.inputs += 1
        self.refused += any(outcome.code for outcome in outcomes)
        self.faults.update(found)
        self.seconds += sum(outcome.seconds for outcome in outcomes)
        self.longest = max(self.longest, *(outcome.seconds for outcome in outcomes))
        self.memory = max(self.memory, *(outcome.memory for outcome in outcomes))

    def to_dict(self) -> dict[str, object]:
        """As plain JSON."""
        numbers = {"inputs": self.inputs, "refused": self.refused, **{name: self.faults[name] for name in VERDICTS}}
        return numbers | {
            "seconds": round(self.seconds, 3),
            "longest_seconds": round(self.longest, 3),
            "most_memory_mib": round(self.memory / 2**20),
        }


@dataclass(frozen=True)
class Finding:
    """An input that the program did not meet as it should."""

    number: int
    kind: str
    words: tuple[tuple[str, ...], ...]
    faults: dict[str, str]

    def to_dict(self) -> dict[str, object]:
        """As plain JSON."""
        commands = [" ".join(words)[:1000] for words in self.words]
        return {"number": self.number, "kind": self.kind, "commands": commands, "faults": self.faults}


@dataclass
class Campaign:
    """What came of all inputs."""

    counts: dict[str, Count] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def prepare(home: Path, names: Sequence[str]) -> Samples:
    """The valid files that inputs of these kinds start from, and all modules loaded that commands over them import."""
    for name in ("CNNLAB_DATA", "CNNLAB_RUNS"):
        os.environ.pop(name, None)
    compiled = cache_folder() / "kernels"
    os.environ |= {"CNNLAB_CACHE": str(home / "samples" / "cache"), "MPLCONFIGDIR": str(home / "matplotlib")}
    kernels, modules = home / "samples" / "cache" / "kernels", home / "modules.txt"
    if compiled.is_dir():
        shutil.copytree(compiled, kernels)
    kernels.mkdir(parents=True, exist_ok=True)
    if PLANTED.keys() >= set(names):
        # Faults that are planted lie in the program, whatever it is given.
        return Samples(home / "photos", home / "runs", home / "none", home / "none", kernels, {})

    def run(words: list[str], folder: Path, stop_in: int | None) -> None:
        def work() -> None:
            if stop_in is not None:
                interrupt_in_step(stop_in)
            code = call(tuple(words))
            assert code == (130 if stop_in is not None else 0), (words, code)
            with modules.open("a") as file:
                file.writelines(f"{name}\n" for name in sys.modules)

        run_alone(work, folder)
        # At once, so that the next command need not import them again.
        for name in dict.fromkeys(modules.read_text().splitlines()):
            with suppress(Exception):
                importlib.import_module(name)
        modules.unlink()

    samples = make_samples(home / "samples", kernels, run)
    trial = home / "trial"
    trial.mkdir()
    shutil.copytree(samples.runs, trial / "runs")
    shutil.copytree(samples.photos, trial / "photos")
    for name, content in samples.files.items():
        (trial / name).write_bytes(content)
    for line in ("report base other", "predict base photos -q", "evaluate base data=data.npz -q", "study report small"):
        run(line.split(), trial, None)
    for name in ("data.h5", "photos.zip", "table.csv"):
        run(["data", "check", name, "-q"], trial, None)
    # Put together once, and not in each process that is forked.
    command_tree()
    gc.collect()
    gc.freeze()
    return samples


def plan(numbers: Iterable[int], names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Numbers and kinds of the inputs of a campaign: every kind as often as every other."""
    return ((number, names[number % len(names)]) for number in numbers)


class _Running:
    """An input at work: its steps one after the other, or beside one another."""

    def __init__(self, case: Case, steps: Sequence[Step], bounds: Bounds) -> None:
        self.case, self.steps, self.outcomes = case, list(steps), list[Outcome]()
        self.before = snapshot(guarded(case))
        self._bounds, self._left, self._working = bounds, list(steps), list[Process]()
        self._disk = case.work / "disk"
        self._is_mounted = False

    def advance(self) -> bool:
        """Whether all is done; starts what can be started, and sees what has ended."""
        for process in list(self._working):
            outcome = process.poll()
            if outcome is not None:
                self._working.remove(process)
                self.outcomes.append(outcome)
        while self._left and (not self._working or not self._left[0].waits):
            step = self._left.pop(0)
            if step.disk_size is not None:
                self._resize_disk(step.disk_size)
            self._working.append(Process(self.case, step, self._bounds))
        return not self._working

    def close(self) -> None:
        """Takes the disk away."""
        if self._is_mounted:
            subprocess.run(["umount", "-l", str(self._disk)], check=False)

    def _resize_disk(self, size: int) -> None:
        self._disk.mkdir(exist_ok=True)
        options = f"{'remount,' if self._is_mounted else ''}size={size}"
        with suppress(OSError):
            command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self._disk)]
            done = subprocess.run(command, capture_output=True, check=False)
            self._is_mounted = self._is_mounted or done.returncode == 0


def run(
    inputs: Iterator[tuple[int, str]],
    seed: int,
    home: Path,
    samples: Samples,
    *,
    jobs: int = 1,
    bounds: Bounds,
    keep: Path | None = None,
) -> Campaign:
    """Runs a campaign.

    :param home: an empty folder for everything that is written.
    :param jobs: how many inputs are at work at once.
    :param keep: where inputs with faults are left, each made anew in a folder with what was run over it and said of it.
    """
    campaign, working = Campaign(), list[_Running]()
    is_last = False
    while working or not is_last:
        while len(working) < jobs and not is_last:
            following = next(inputs, None)
            if following is None:
                is_last = True
                break
            number, kind = following
            case, steps = make(number, seed, kind, home / f"{number:06}", samples)
            working.append(_Running(case, steps, bounds))
        for running in list(working):
            if running.advance():
                working.remove(running)
                _judge(running, campaign, seed, samples, keep)
        time.sleep(_PAUSE)
    return campaign


def _judge(running: _Running, campaign: Campaign, seed: int, samples: Samples, keep: Path | None) -> None:
    case = running.case
    found = verdicts(case, running.outcomes, running.before)
    running.close()
    campaign.counts.setdefault(case.kind, Count()).add(running.outcomes, list(found))
    if found:
        words = tuple(step.words for step in running.steps)
        finding = Finding(case.number, case.kind, words, found)
        campaign.findings.append(finding)
        if keep is not None:
            _keep(keep, finding, running, seed, samples)
    _remove(case.home)


def _keep(folder: Path, finding: Finding, running: _Running, seed: int, samples: Samples) -> None:
    """The input as it was before anything was run, and what was said."""
    home = folder / f"{finding.number:06}-{finding.kind.replace(' ', '-')}"
    _remove(home)
    make(finding.number, seed, finding.kind, home, samples)
    about = {**finding.to_dict(), "seed": seed, "words": [list(words) for words in finding.words]}
    (home / "finding.json").write_text(json.dumps(about, indent=1) + "\n")
    said = [f"exit {outcome.code}\n{outcome.output}\n{outcome.errors}\n" for outcome in running.outcomes]
    (home / "said.txt").write_text("\n".join(said), errors="replace")


def _remove(folder: Path) -> None:
    for path, folders, _ in os.walk(folder):
        for name in folders:
            with suppress(OSError):
                if not os.path.islink(os.path.join(path, name)):
                    os.chmod(os.path.join(path, name), 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def table(counts: dict[str, Count]) -> str:
    """Counts by kind as a table in Markdown."""
    titles = ["kind", "inputs", "refused", *VERDICTS, "longest, s", "most memory, MiB"]
    lines = [f"| {' | '.join(titles)} |", f"| --- |{' ---: |' * (len(titles) - 1)}"]
    total = Count()
    for name in sorted(counts):
        lines.append(_row(name, counts[name]))
        total.inputs += counts[name].inputs
        total.refused += counts[name].refused
        total.faults += counts[name].faults
        total.longest = max(total.longest, counts[name].longest)
        total.memory = max(total.memory, counts[name].memory)
    return "\n".join([*lines, _row("**all**", total)]) + "\n"


def _row(name: str, count: Count) -> str:
    cells = [name, count.inputs, count.refused, *(count.faults[verdict] for verdict in VERDICTS)]
    return f"| {' | '.join(map(str, cells))} | {count.longest:.1f} | {count.memory / 2**20:,.0f} |"


def all_kinds() -> list[str]:
    """Every kind by name, in order."""
    return sorted(KINDS)
