"""What a pack holds: the names that may stand in it, and what its first file says of the others.

A pack is one tar archive in one xz stream. Its first file is ``pack.json``; the others lie in ``papers/NAME/``,
``runs/NAME/`` and ``studies/NAME/``, in the order of their names. Times, owners and rights are those of nobody, so that
the same content is the same bytes.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from cnnlab.runs import record
from cnnlab.runs.run_info import RunInfo
from cnnlab.runs.weights import WEIGHTS

FORMAT = 1
CONTENTS = "pack.json"
STUDY_FILES = ("study.yaml", "state.json", "result.json")
RESULT = "result.json"
VERDICT = "verdict.json"
PAPER_FILES = (VERDICT, "done.json", "expected.json", "runs.json")
"""What an entry of a paper stores beside what its commands wrote for themselves."""
RECORDS = (record.RECIPE, record.INFO, record.HISTORY, "ensemble.json", record.TRANSFER, "honesty.json")
"""The small files of a run that always belong to it; those of them that it has."""
EXTRAS = ("attacks", "explain")
"""Folders of a run that are packed whole where they are small."""
MOST_EXTRA = 16 << 20
MOST_FILE = 512 << 20
MOST_PACK = 64 << 30
MOST_RECORD = 64 << 20
"""Bytes of a file that is read as JSON or YAML on the way."""
_MOST_DEPTH, _LONGEST = 12, 200
_FORBIDDEN = set('/\\:*?"<>|')
_PREDICTIONS = re.compile(rf"{record.PREDICTIONS}/[^/]+\.safetensors")

Kind = Literal["papers", "runs", "studies"]
Names = Annotated[tuple[str, ...], Field(min_length=1)]


class Store(Protocol):
    """What packs need of a :class:`~cnnlab.runs.RunStore`, whose methods they are behind."""

    root: Path

    def list(self) -> Sequence[RunInfo]:
        """Every run."""

    def find(self, name: str | Path | RunInfo) -> RunInfo:
        """The run meant by a name."""

    def named(self, name: str) -> Sequence[RunInfo]:
        """The runs that this name was given to."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PackedRun(_Strict):
    """A run of a pack.

    :param digest: of its recipe, and ``started`` the moment at which it began: together they tell it from all others.
    :param files: their names, below its folder.
    """

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
    started: Annotated[str, Field(max_length=64)]
    files: Names


class PackContents(_Strict):
    """The content of ``pack.json``: each unit by the name of its folder, with its files.

    :param cnnlab: the version that wrote it.
    """

    kind: Literal["cnnlab pack"] = "cnnlab pack"
    format: int = FORMAT
    cnnlab: Annotated[str, Field(max_length=64)]
    papers: dict[str, Names] = {}
    runs: dict[str, PackedRun] = {}
    studies: dict[str, Names] = {}

    def files(self, kind: str, name: str) -> tuple[str, ...]:
        """The files of a unit; none of one that is not in it."""
        if kind == "runs":
            return self.runs[name].files if name in self.runs else ()
        return {"papers": self.papers, "studies": self.studies}[kind].get(name, ())

    @property
    def units(self) -> set[tuple[str, str]]:
        """All that it holds, by kind and name."""
        named = (("papers", [*self.papers]), ("runs", [*self.runs]), ("studies", [*self.studies]))
        return {(kind, name) for kind, names in named for name in names}


def is_plain(part: str) -> bool:
    """Whether a name is one that any system takes for a file, that is not hidden, and that leads nowhere else."""
    return (
        bool(part)
        and part.isprintable()
        and part == part.strip()
        and not part.startswith((".", "-"))
        and not part.endswith(".")
        and not set(part) & _FORBIDDEN
        and len(part.encode()) <= _LONGEST
    )


def belongs(kind: str, file: str) -> bool:
    """Whether a file of this name, below the folder of its unit, is one that packs hold."""
    parts = file.split("/")
    if len(parts) > _MOST_DEPTH or not all(map(is_plain, parts)):
        return False
    if kind == "runs":
        is_extra = parts[0] in EXTRAS and len(parts) > 1
        return file in (*RECORDS, *WEIGHTS) or is_extra or _PREDICTIONS.fullmatch(file) is not None
    return file in STUDY_FILES if kind == "studies" else kind == "papers"


def in_order(name: str) -> tuple[str, ...]:
    """What files of a pack are ordered by: their paths, folder by folder."""
    return tuple(name.split("/"))
