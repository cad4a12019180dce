"""One hostile input: the files that it is made of, and the command lines that are run over them."""

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

from .samples import Samples

CANARY = "code-was-run"
"""The file in the folder outside that code of an input would leave."""


@dataclass(frozen=True)
class Step:
    """A command line of cnnlab, and what happens to it on its way.

    :param signal: what it is sent, so many seconds ``after`` it began.
    :param file_size: bytes that a file may have while it works.
    :param disk_size: bytes of the disk at ``disk``, which is put there at the first step that names one; what lies on
        it stays. Where none may be mounted it is a folder.
    :param is_root: whether it keeps the rights of root, where the campaign has them.
    :param waits: whether it begins after the step before has ended, and not beside it.
    :param must_succeed: whether exit code 0 is the only right one.
    :param patch: what is done to the program before it is run, for faults by intention.
    :param python: what is called in Python in place of a command line; ``words`` say what it is then.
    """

    words: tuple[str, ...]
    signal: Signals | None = None
    after: float = 0.0
    file_size: int | None = None
    disk_size: int | None = None
    is_root: bool = True
    waits: bool = True
    must_succeed: bool = False
    patch: "Callable[[Case], None] | None" = None
    python: "Callable[[Case], object] | None" = None


@dataclass
class Case:
    """An input being made.

    :param home: the folder of all that belongs to it; ``work`` below it is where the program is run.
    :param random: what it is drawn by.
    :param samples: valid files to start from.
    :param guarded: paths that must stay as they are, besides all outside ``work``.
    """

    number: int
    kind: str
    home: Path
    random: random.Random
    samples: Samples
    guarded: list[Path] = field(default_factory=list)

    @property
    def work(self) -> Path:
        """The folder in which the program is run, and in which alone it may write."""
        return self.home / "work"

    @property
    def outside(self) -> Path:
        """A folder that an input may try to reach."""
        return self.home / "outside"

    @property
    def canary(self) -> Path:
        """What code that was run would have written."""
        return self.outside / CANARY

    def write(self, name: str | bytes, content: bytes) -> Path:
        """A file in the folder of work, with its parents."""
        path = self.work / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def place(self, name: str) -> Path:
        """A path in the folder of work, its parents made."""
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def runs(self, *names: str) -> Path:
        """The runs of these names, all if none is given, as ``runs/`` in the folder of work."""
        for name in names or [path.name for path in self.samples.runs.iterdir()]:
            source = self.samples.runs / name
            if source.is_dir():
                shutil.copytree(source, self.work / "runs" / name, dirs_exist_ok=True)
        return self.work / "runs"

    def photos(self, name: str = "photos") -> Path:
        """A folder of small pictures in classes."""
        return Path(shutil.copytree(self.samples.photos, self.work / name))


Maker = Callable[[Case], list[Step]]
KINDS: dict[str, Maker] = {}
"""Every kind of input by its name."""
PLANTED: dict[str, Maker] = {}
"""Kinds that are faults by intention, to try the judge by."""


def kind(name: str, *, planted: bool = False) -> Callable[[Maker], Maker]:
    """Registers what makes inputs of a kind."""

    def register(maker: Maker) -> Maker:
        (PLANTED if planted else KINDS)[name] = maker
        return maker

    return register


def make(number: int, seed: int, name: str, home: Path, samples: Samples) -> tuple[Case, list[Step]]:
    """The input of this number and kind in a campaign of this seed, made in the folder ``home``."""
    case = Case(number, name, home, random.Random(f"{seed}/{number}/{name}"), samples)
    for folder in (case.work, case.outside, home / "home", case.work / "tmp", case.work / "cache"):
        folder.mkdir(parents=True)
    (case.outside / "thesis.txt").write_text("three years of work\n")
    (case.outside / "folder").mkdir()
    (case.outside / "folder" / "page.txt").write_text("a page\n")
    # Kernels are compiled once for all.
    (case.work / "cache" / "kernels").symlink_to(samples.kernels)
    maker = KINDS.get(name) or PLANTED[name]
    return case, maker(case)
