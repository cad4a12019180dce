"""Writing a pack: finished runs, studies and results of papers in one file that another store takes in.

Of a run it holds ``recipe.yaml``, ``run.json``, ``history.csv``, stored predictions, what an ensemble or a transfer is
made of, and what tests of maps came to; ``explain/`` and ``attacks/`` each whole where it has 16 MiB at most. Weights
are in it where they are asked for, snapshots never. What of them stays behind is noted in ``run.json``, by digest, so
that studies and ensembles know their members. Of results of papers it holds the verdicts, what commands answered, and
the pictures that reports show. Never in it are checkpoints, the log of steps, locks, figures that can be drawn again,
and pages of studies.
"""

import json
import lzma
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

from cnnlab.core.errors import DataError, RunNotFoundError, UsageError, suggestion
from cnnlab.core.files import open_regular, read_regular, reading_errors, replacing
from cnnlab.core.messages import first_few, track
from cnnlab.core.number_text import counted, in_units
from cnnlab.core.version import __version__
from cnnlab.runs import record
from cnnlab.runs.pack_format import (
    CONTENTS,
    EXTRAS,
    MOST_EXTRA,
    MOST_FILE,
    MOST_RECORD,
    PAPER_FILES,
    RECORDS,
    RESULT,
    STUDY_FILES,
    VERDICT,
    PackContents,
    PackedRun,
    Store,
    belongs,
    in_order,
    is_plain,
)
from cnnlab.runs.run_info import RunInfo
from cnnlab.runs.weights import WEIGHTS, facts_of_weights

_CHUNK = 1 << 20
_PRESET = 6
_PLACES = re.compile(r"(?<![\w.:/\\])/(?:[\w.@+~-]+/)+([\w.@+~-]+)|(?<!\w)[A-Za-z]:\\+(?:[\w.@+~ -]+\\+)+([\w.@+~-]+)")
_LEAST_PARTS = 2
"""More than these are the place of a file, and no text that begins with a slash."""


@dataclass(frozen=True)
class Packed:
    """What an export wrote.

    :param size: of the file, in bytes.
    :param runs: the names of those that are in it, as are ``studies`` and ``papers``.
    :param left_out: what is not in it though it was named, in sentences.
    """

    path: Path
    size: int
    runs: tuple[str, ...]
    studies: tuple[str, ...]
    papers: tuple[str, ...]
    left_out: tuple[str, ...]


def export(
    store: Store,
    out: Path,
    names: Sequence[str | Path | RunInfo],
    *,
    studies: Sequence[str],
    papers: Sequence[str],
    weights: bool,
    predictions: bool,
    public: bool,
) -> Packed:
    """Writes a pack; the parameters are those of :meth:`cnnlab.runs.RunStore.export`."""
    chosen = _Chosen(store)
    if names or studies or papers:
        chosen.add_papers(papers)
        chosen.add_studies(studies)
        for name in names:
            chosen.add_named(name)
    else:
        chosen.runs |= {run.name: run for run in chosen.finished.values()}
    chosen.add_needed()
    if not chosen.runs and not chosen.studies and not chosen.papers:
        raise UsageError(f"there is nothing to export under {store.root}: no run of it is finished.")
    members = _Members(store.root, weights=weights, predictions=predictions, public=public)
    contents = PackContents(
        cnnlab=__version__,
        papers={name: members.of_paper(name) for name in sorted(chosen.papers)},
        runs={name: members.of_run(chosen.runs[name]) for name in sorted(chosen.runs)},
        studies={name: members.of_study(name) for name in sorted(chosen.studies)},
    )
    _write(out, store.root, contents, with_weights=weights, public=public)
    left_out = (*chosen.left_out, *members.left_out)
    runs, among, results = tuple(contents.runs), tuple(contents.studies), tuple(contents.papers)
    return Packed(out, out.stat().st_size, runs, among, results, left_out)


class _Chosen:
    """What is to be packed, by name."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.finished: dict[str, RunInfo] = {run.name: run for run in store.list() if run.status == "finished"}
        self.runs: dict[str, RunInfo] = {}
        self.studies: set[str] = set()
        self.papers: set[str] = set()
        self.left_out: list[str] = []

    def add_named(self, name: str | Path | RunInfo) -> None:
        """A run by its name.

        :raises UsageError: for one that is not finished, or lies elsewhere.
        """
        folder = self.store.find(name).folder
        if folder.name not in self.finished or folder.parent.resolve() != self.store.root.resolve():
            raise UsageError(
                f"{folder} is no finished run of {self.store.root}, and only these are packed. Let it finish: cnnlab "
                f"resume {folder.name}"
            )
        self.runs[folder.name] = self.finished[folder.name]

    def add_papers(self, patterns: Iterable[str]) -> None:
        """Results of papers with the studies that they name, the one that trained for their commands, and transfers."""
        for name in self._matching(record.PAPERS, patterns, "results of a paper"):
            self.papers.add(name)
            verdict = _object(self.store.root / record.PAPERS / name / VERDICT)
            named = verdict.get("studies") if isinstance(verdict.get("studies"), list) else []
            there = {study: (self.store.root / record.STUDIES / study).is_dir() for study in map(str, named or ())}
            gone = [study for study, is_there in there.items() if not is_there]
            if gone:
                self.left_out.append(f"Of {name} the studies {first_few(gone)} are not there any more.")
            of_its_own = [name] if (self.store.root / record.STUDIES / name).is_dir() else []
            self._add_studies([*of_its_own, *(study for study, is_there in there.items() if is_there)])
            # A transfer of an entry bears the name of that.
            of_its_name = (run.name for run in self.store.named(name))
            self.runs |= {run: self.finished[run] for run in of_its_name if run in self.finished}

    def add_studies(self, patterns: Iterable[str]) -> None:
        """Studies with the runs that their results name."""
        self._add_studies(self._matching(record.STUDIES, patterns, "study"))

    def _add_studies(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self.studies:
                continue
            self.studies.add(name)
            named = set(_runs_named(_object(self.store.root / record.STUDIES / name / RESULT)))
            self.runs |= {run: self.finished[run] for run in named if run in self.finished}
            gone = sorted(named - self.finished.keys())
            if gone:
                are = "are" if len(gone) > 1 else "is"
                self.left_out.append(f"Of the study {name} {first_few(gone)} {are} not finished, or gone.")

    def add_needed(self) -> None:
        """The members of ensembles, without which these cannot predict."""
        waiting = list(self.runs.values())
        while waiting:
            run = waiting.pop()
            for name in run.needs:
                if name in self.finished and name not in self.runs:
                    self.runs[name] = self.finished[name]
                    waiting.append(self.finished[name])
                elif name not in self.finished:
                    self.left_out.append(f"{run.name} needs its member {name}, which is not there.")

    def _matching(self, where: str, patterns: Iterable[str], what: str) -> list[str]:
        folders = (self.store.root / where).glob("[!.]*")
        there = sorted(path.name for path in folders if path.is_dir() and not path.is_symlink())
        found: dict[str, None] = {}
        for pattern in patterns:
            matching = [name for name in there if name == pattern or fnmatchcase(name, pattern)]
            if not matching:
                raise UsageError(
                    f"there is no {what} {pattern!r} under {self.store.root / where}. {suggestion(pattern, there)}"
                )
            found |= dict.fromkeys(matching)
        return list(found)


def _object(path: Path) -> Mapping[str, Any]:
    """A JSON object; empty where the file is not there.

    :raises DataError: where it is damaged.
    """
    try:
        content = json.loads(read_regular(path, MOST_RECORD))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read ({str(error)[:120]}), so it is not packed.") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} is damaged: it holds no keys by name.")
    return content


def _runs_named(content: Any) -> Iterator[str]:
    """The runs that the result of a study names: of its trials, wherever they stand."""
    if isinstance(content, dict):
        if isinstance(content.get("run"), str):
            yield content["run"]
        content = list(content.values())
    if isinstance(content, list):
        for each in content:
            yield from _runs_named(each)


class _Members:
    """The files of what is packed, below the folder of each."""

    def __init__(self, root: Path, *, weights: bool, predictions: bool, public: bool) -> None:
        self.root, self.weights, self.predictions, self.public = root, weights, predictions, public
        self.left_out: list[str] = []

    def of_run(self, run: RunInfo) -> PackedRun:
        """Its record, and what of predictions, weights and extras is asked for and there."""
        names = [name for name in RECORDS if (run.folder / name).is_file()]
        if self.predictions:
            stored = (run.folder / record.PREDICTIONS).glob("[!.]*.safetensors")
            names += [f"{record.PREDICTIONS}/{path.name}" for path in stored]
        if self.weights:
            names += [name for name in WEIGHTS if (run.folder / name).is_file()]
            if run.came_without_weights:
                self.left_out.append(f"The weights of {run.name} are not here, for it was imported without.")
        for extra in () if self.public else EXTRAS:
            names += self._extra(run, extra)
        if record.RECIPE not in names:
            raise DataError(f"{run.folder} is damaged: it holds no {record.RECIPE}. Put the file back from a copy.")
        return PackedRun(digest=run.digest, started=run.started, files=self._checked("runs", run.folder, names))

    def _extra(self, run: RunInfo, extra: str) -> list[str]:
        names = _files_below(run.folder, run.folder / extra)
        size = sum((run.folder / name).stat().st_size for name in names)
        if size > MOST_EXTRA:
            self.left_out.append(f"{extra}/ of {run.name} is not in it, for it has {in_units(size)}.")
            return []
        return names

    def of_study(self, name: str) -> tuple[str, ...]:
        """The study, its state and its result."""
        folder = self.root / record.STUDIES / name
        return self._checked("studies", folder, [file for file in STUDY_FILES if (folder / file).is_file()])

    def of_paper(self, name: str) -> tuple[str, ...]:
        """Its records, and the pictures that the report shows."""
        folder = self.root / record.PAPERS / name
        verdict = _object(folder / VERDICT)
        shown = set(_texts(verdict, "pictures"))
        if self.public:
            shown -= set(_texts(verdict, "private"))
        names = _files_below(folder, folder)
        wanted = [name for name in names if name in shown or name.rpartition("/")[2] in PAPER_FILES]
        return self._checked("papers", folder, wanted)

    def _checked(self, kind: str, folder: Path, names: Sequence[str]) -> tuple[str, ...]:
        odd = [name for name in names if not belongs(kind, name)] + [folder.name] * (not is_plain(folder.name))
        if odd:
            raise UsageError(
                f"{folder} cannot be packed: {first_few(odd)} is no name that every system takes for a file. Rename it."
            )
        if not names:
            raise UsageError(f"{folder} holds nothing that is packed.")
        return tuple(sorted(names, key=in_order))


def _texts(content: Mapping[str, Any], key: str) -> Iterator[str]:
    found = content.get(key)
    yield from map(str, found if isinstance(found, list) else ())


def _files_below(base: Path, folder: Path) -> list[str]:
    """Files that are not hidden, relative to ``base``; links are no files of it."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    names = (path.relative_to(base).as_posix() for path in paths)
    return [name for name in names if not any(part.startswith(".") for part in name.split("/"))]


def _write(out: Path, root: Path, contents: PackContents, *, with_weights: bool, public: bool) -> None:
    named = [(kind, name, file) for kind, name in contents.units for file in contents.files(kind, name)]
    named.sort(key=lambda each: in_order("/".join(each)))
    places = {"runs": root, "studies": root / record.STUDIES, "papers": root / record.PAPERS}
    description = f"packing {counted(len(contents.runs), 'run')}"
    with replacing(out) as temporary, lzma.open(temporary, "wb", preset=_PRESET) as packed:
        _add(packed, CONTENTS, contents.model_dump_json(indent=1).encode() + b"\n")
        for kind, name, file in track(named, description, len(named)):
            path = places[kind] / name / file
            is_info = (kind, file) == ("runs", record.INFO)
            if (is_info and not with_weights) or (public and file.endswith(".json")):
                content = _info(path.parent, with_weights) if is_info else _object(path)
                content = _without_places(content) if public else content
                _add(packed, f"{kind}/{name}/{file}", record.info_bytes(content))
            else:
                _add_file(packed, f"{kind}/{name}/{file}", path)
        # Two blocks of zeros end an archive.
        packed.write(bytes(2 * tarfile.BLOCKSIZE))


def _info(folder: Path, with_weights: bool) -> dict[str, Any]:
    """``run.json``, in which the weights that stay behind are noted."""
    info = record.read_info(folder)
    with reading_errors():
        facts = None if with_weights else facts_of_weights(folder)
    return info if facts is None else {**info, "weights_left_out": facts}


def _without_places(value: Any) -> Any:
    """A JSON value in which the places of files on this machine are cut down to the names of the files."""
    if isinstance(value, Mapping):
        return {key: _without_places(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_places(inner) for inner in value]
    if not isinstance(value, str):
        return value
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind(value)
        if path.is_absolute() and len(path.parts) > _LEAST_PARTS and "\n" not in value:
            return path.name
    # What a command printed has them amid other words.
    return _PLACES.sub(lambda found: found[1] or found[2], value)


def _add(packed: IO[bytes], name: str, content: bytes) -> None:
    packed.write(_header(name, len(content)) + content + _padding(len(content)))


def _add_file(packed: IO[bytes], name: str, path: Path) -> None:
    """A file as it is when it is opened; files of runs are replaced whole, and never written to."""
    try:
        with reading_errors():
            file = open_regular(path)
    except DataError as error:
        raise RunNotFoundError(f"{error} It may have been deleted just now; export again.") from error
    with file:
        size = file.seek(0, 2)
        file.seek(0)
        if size > MOST_FILE:
            raise UsageError(
                f"{path} has {in_units(size)}, and files of a pack {in_units(MOST_FILE)} at most. "
                "Leave --weights out, or copy the folder by itself."
            )
        packed.write(_header(name, size))
        left = size
        while left:
            with reading_errors():
                piece = file.read(min(left, _CHUNK))
            if not piece:
                raise DataError(f"{path} became shorter while it was read. Export again.")
            packed.write(piece)
            left -= len(piece)
        packed.write(_padding(size))


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
