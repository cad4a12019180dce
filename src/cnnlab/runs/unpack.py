"""Taking a pack in: each run, study and paper of it whole or not at all, and never over what is there."""

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from shutil import rmtree
from typing import Any

from cnnlab.core.digests import file_digest
from cnnlab.core.errors import CnnlabError, DataError, RunBusyError
from cnnlab.core.files import flush, make_folder, storage_errors
from cnnlab.core.messages import track
from cnnlab.runs import record
from cnnlab.runs.lock import is_locked, who
from cnnlab.runs.pack_format import RESULT, VERDICT, Store
from cnnlab.runs.pack_reader import Member, PackReader
from cnnlab.runs.run_info import RunInfo
from cnnlab.runs.trash import PURGED
from cnnlab.runs.writer import RunWriter, folder_name, make_whole

_Changed = Callable[[bytes], bytes]


@dataclass
class Imported:
    """What became of a pack. Names are those of folders in this store.

    :param runs: those that are new here; ``studies`` and ``papers`` likewise, and those that were replaced.
    :param there: runs that were here already, be it from another training of the same recipe.
    :param renamed: of the runs that have another name in the pack, for it was taken here: that name, by theirs.
    :param weights_added: runs that were here without weights, and have got them.
    :param kept: studies and papers that were here already and stay as they are, such as ``studies/depth``.
    """

    runs: list[str] = field(default_factory=list)
    studies: list[str] = field(default_factory=list)
    papers: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    weights_added: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    @property
    def is_new(self) -> bool:
        """Whether anything came of it."""
        return bool(self.runs or self.studies or self.papers or self.weights_added)


def import_pack(store: Store, path: Path, *, replace: bool) -> Imported:
    """Takes a pack in; the parameters are those of :meth:`cnnlab.runs.RunStore.import_pack`."""
    with PackReader(path) as pack:
        importing = _Import(store, pack, replace)
        seen = set()
        units = groupby(pack.members(), key=lambda member: (member.kind, member.unit))
        try:
            for (kind, name), members in track(units, "importing", len(pack.contents.units)):
                seen.add((kind, name))
                if kind == "runs":
                    importing.take_run(name, members)
                else:
                    importing.take_folder(kind, name, members)
        except RecursionError as error:
            raise pack.refused("a record in it is nested too deeply") from error
        missing = sorted(pack.contents.units - seen)
        if missing:
            raise pack.refused(f"it lacks {'/'.join(missing[0])}")
        return importing.found


class _Import:
    """A pack on its way into a store."""

    def __init__(self, store: Store, pack: PackReader, replace: bool) -> None:
        self.store, self.pack, self.replace = store, pack, replace
        self.found = Imported()
        self._names: dict[str, str] = {}
        """The runs of the pack, by the names that they have there: those that they have here."""
        finished = [run for run in store.list() if run.status == "finished"]
        self._same: dict[tuple[str, str], RunInfo] = {(run.digest, run.started): run for run in finished}
        packed = {(run.digest, run.started) for run in pack.contents.runs.values()}
        # Repeats of one recipe that come together are no copies of one another.
        self._others = {run.digest: run for run in finished if (run.digest, run.started) not in packed}

    def take_run(self, name: str, members: Iterator[Member]) -> None:
        """A run, unless it is there; weights where it is there without."""
        facts = self.pack.contents.runs[name]
        same = self._same.get((facts.digest, facts.started))
        there = same or self._others.get(facts.digest)
        if there is None:
            self._names[name] = self._new_run(name, members)
            return
        self._names[name] = there.name
        if same is not None and same.weights_left_out.keys() & set(facts.files):
            self._add_weights(same, members)
            self.found.weights_added.append(same.name)
        else:
            self.found.there.append(there.name)

    def _new_run(self, name: str, members: Iterator[Member]) -> str:
        facts = self.pack.contents.runs[name]
        place = self.store.root / name
        if not os.path.lexists(place):
            here, repeat = name, None
        else:
            here, repeat = self._free_name(name)

        def fill(folder: Path) -> None:
            self._write("runs", name, members, folder)
            info = self._checked(name, folder)
            if repeat is not None:
                record.write_info(folder, {**info, "name": here, "repeat": repeat})
                flush(folder)

        make_whole(self.store.root / here, fill).release()
        flush(self.store.root)
        self.found.runs.append(here)
        if repeat is not None:
            self.found.renamed[here] = name
        self._same[facts.digest, facts.started] = self.store.find(here)
        return here

    def _free_name(self, name: str) -> tuple[str, int]:
        """The name of the next repeat that no folder has."""
        digest, repeat = self.pack.contents.runs[name].digest, 2
        given = re.sub(rf"-{digest[:8]}(-\d+)?$", "", name)
        while os.path.lexists(self.store.root / folder_name(given, digest, repeat)):
            repeat += 1
        return folder_name(given, digest, repeat), repeat

    def _checked(self, name: str, folder: Path) -> dict[str, Any]:
        """What ``run.json`` says of a run that is about to appear.

        :raises DataError: where its records are none, or not those that the pack announced.
        """
        facts, shown = self.pack.contents.runs[name], f"runs/{name}"
        try:
            info = record.read_info(folder)
            record.read_recipe(folder)
        except CnnlabError as error:
            # The folder has a hidden name that says nothing to a person.
            reason = str(error).replace(str(folder), shown)
            raise DataError(f"{self.pack.path} cannot be taken in: {reason}") from error
        if record.RECIPE not in facts.files or info.get("status") != "finished":
            raise self.pack.refused(f"{shown} is no finished run")
        if (info.get("digest"), str(info.get("started") or "")) != (facts.digest, facts.started):
            raise self.pack.refused(f"{shown}/{record.INFO} is not that of the run that it names")
        return info

    def _add_weights(self, run: RunInfo, members: Iterator[Member]) -> None:
        """The files of weights that a run lacks, each the one that stayed behind by its digest."""
        wanted = run.weights_left_out
        with RunWriter.open(run.folder) as writer:
            for member in members:
                if member.file not in wanted:
                    continue
                temporary = run.folder / f".{member.file}-{secrets.token_hex(4)}.part"
                try:
                    _write_file(temporary, member.chunks())
                    if file_digest(temporary) != wanted[member.file]:
                        raise self.pack.refused(f"{member.file} of {member.unit} is not that of {run.name}")
                    with storage_errors(run.folder / member.file):
                        os.replace(temporary, run.folder / member.file)
                        flush(run.folder)
                finally:
                    temporary.unlink(missing_ok=True)
            if not run.weights_left_out:
                writer.update(weights_left_out=None)

    def take_folder(self, kind: str, name: str, members: Iterator[Member]) -> None:
        """A study or the results of a paper, unless it is there and is not to be replaced."""
        place, changes = self.store.root / kind / name, {RESULT: self._result, VERDICT: self._verdict}
        is_there = os.path.lexists(place)
        if is_there and not self.replace:
            self.found.kept.append(f"{kind}/{name}")
            return
        if is_there and is_locked(place):
            raise RunBusyError(f"{place} cannot be replaced while {who(place)} works on it. Import again afterwards.")
        aside = self.store.root / f"{PURGED}{secrets.token_hex(4)}"
        changed = {file: _of_folder(change, place) for file, change in changes.items()}
        try:
            make_whole(
                place,
                lambda folder: self._write(kind, name, members, folder, changed),
                store=self.store.root,
                aside=aside if is_there else None,
            ).release()
        except BaseException:
            if aside.exists() and not place.exists():
                aside.rename(place)
            raise
        flush(place.parent)
        rmtree(aside, ignore_errors=True)
        (self.found.studies if kind == "studies" else self.found.papers).append(name)

    def _write(
        self,
        kind: str,
        name: str,
        members: Iterator[Member],
        folder: Path,
        changed: Mapping[str, _Changed] | None = None,
    ) -> None:
        """The files of a unit, all that ``pack.json`` names of it.

        :param changed: what becomes of the content of some, by their names.
        """
        written, folders = set(), {folder}
        for member in members:
            path = folder / member.file
            make_folder(path.parent)
            folders.add(path.parent)
            change = (changed or {}).get(member.file)
            if os.path.lexists(path):
                # Names that differ in their capitals are one on some systems.
                raise self.pack.refused(f"{kind}/{name}/{member.file} is there twice")
            _write_file(path, member.chunks() if change is None else iter([change(member.content())]))
            written.add(member.file)
        missing = sorted(set(self.pack.contents.files(kind, name)) - written)
        if missing:
            raise self.pack.refused(f"{kind}/{name} lacks {missing[0]}")
        for each in folders:
            flush(each)

    def _result(self, content: bytes, folder: Path) -> bytes:
        """The result of a study as it is here: where it lies, and what its runs are called."""
        result = self._record(content, f"studies/{folder.name}/{RESULT}")
        renamed = {name: here for name, here in self._names.items() if name != here}
        placed = {**_with_names(result, renamed), "folder": str(folder), "runs": str(self.store.root)}
        return _json(placed, 1)

    def _verdict(self, content: bytes, folder: Path) -> bytes:
        verdict = {**self._record(content, f"papers/{folder.name}/{VERDICT}"), "folder": str(folder)}
        return _json(verdict, 2)

    def _record(self, content: bytes, shown: str) -> dict[str, Any]:
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self.pack.refused(f"{shown} is damaged") from error
        if not isinstance(found, dict):
            raise self.pack.refused(f"{shown} is damaged")
        return found


def _of_folder(change: Callable[[bytes, Path], bytes], folder: Path) -> _Changed:
    return lambda content: change(content, folder)


def _with_names(value: Any, names: Mapping[str, str]) -> Any:
    """A document in which runs have other names, wherever it names one under ``run``."""
    if isinstance(value, dict):
        return {
            key: names.get(each, each) if key == "run" and isinstance(each, str) else _with_names(each, names)
            for key, each in value.items()
        }
    return [_with_names(each, names) for each in value] if isinstance(value, list) else value


def _json(content: Mapping[str, Any], indent: int) -> bytes:
    return f"{json.dumps(content, indent=indent, ensure_ascii=False)}\n".encode(errors="backslashreplace")


def _write_file(path: Path, chunks: Iterator[bytes]) -> None:
    """A file that was not there, flushed to the disk."""
    with storage_errors(path):
        with open(path, "xb") as file:
            for piece in chunks:
                file.write(piece)
        flush(path)
