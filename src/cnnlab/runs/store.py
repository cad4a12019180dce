"""The runs under one folder: found, listed, filtered, compared, deleted and restored."""

import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.core.dataframes import any_text
from cnnlab.core.displays import html_table
from cnnlab.core.errors import RunBusyError, RunNotFoundError, UsageError, suggestion
from cnnlab.core.hooks import opener
from cnnlab.core.sinks import for_html
from cnnlab.runs import record
from cnnlab.runs.comparison import RunComparison, side_by_side
from cnnlab.runs.filter_language import chosen, read_filter
from cnnlab.runs.index import Index, IndexEntry
from cnnlab.runs.keys import MISSING, lookup
from cnnlab.runs.lock import RunLock, is_locked, who
from cnnlab.runs.run import Run
from cnnlab.runs.run_info import RunInfo
from cnnlab.runs.trash import PURGED, Trash
from cnnlab.runs.writer import CREATING, ending

if TYPE_CHECKING:
    import pandas as pd

    from cnnlab.runs.pack import Packed
    from cnnlab.runs.unpack import Imported

_HEXADECIMAL = re.compile(r"[0-9a-f]+")
_ENDING = re.compile(r"-[0-9a-f]{8}(-\d+)?$")
# A run being made takes its lock within the first instants.
_YOUNG_SECONDS = 60.0
_SHOWN = 10
_WHOLE_DIGEST = 64
_DISPLAYED = 20
"""Runs that a notebook shows."""
_TIMES = ("started", "updated", "finished")


class RunSummary(RunInfo):
    """What the index knows of one run: its facts at the time of the listing.

    ``status`` is ``damaged`` for a run whose record cannot be read; ``info["reason"]`` says why.
    """

    def __init__(self, folder: Path, entry: IndexEntry, is_running: bool, study: str | None = None) -> None:
        self.folder = folder
        self._entry, self._is_running, self._study = entry, is_running, study

    @property
    def info(self) -> dict[str, Any]:
        """The content of ``run.json``."""
        fault = self._entry.fault_of_recipe
        return self._entry.info | ({"status": "damaged", "reason": fault} if fault else {})

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe; empty where it cannot be read."""
        return {} if self._entry.fault_of_recipe else self._entry.recipe or {}

    @property
    def is_running(self) -> bool:
        """Whether a process was at work on it when it was listed."""
        return self._is_running

    @property
    def study(self) -> str | None:
        """The study that trained it: the one of its store whose name was given to it; None where there is none."""
        return self._study

    @property
    def run(self) -> Run:
        """The run itself."""
        return Run(self.folder)

    def __repr__(self) -> str:
        return f"RunSummary({self.name}: {self.state})"


@opener("run")
def open_run(name: str | Path, *, runs: Path | str | None = None, **unused: Any) -> Run:
    """The run that ``name`` means in the folder of runs; ``CNNLAB_RUNS`` or ``runs/`` otherwise."""
    return store_at(runs).find(name)


def store_at(root: Path | str | None = None) -> "RunStore":
    """The store in this folder, in ``CNNLAB_RUNS``, or in ``runs/``."""
    return RunStore(root or os.environ.get("CNNLAB_RUNS") or "runs")


def compare(*names: "str | Path | RunInfo", runs: Path | str | None = None) -> RunComparison:
    """Runs side by side: what differs between their recipes, and what came out.

    :param names: runs, or anything that :meth:`RunStore.find` takes.
    :param runs: the folder of runs; ``CNNLAB_RUNS`` or ``runs/`` otherwise.
    :raises UsageError: when fewer than two are named.
    """
    given = names[0] if len(names) == 1 and isinstance(names[0], list | tuple) else names
    return store_at(runs).compare(given)


class RunStore:
    """The runs that lie directly under ``root``; a root that does not exist holds none.

    An index file in the root saves reading every run at each listing. It can be deleted at any time, and is done
    without where it cannot be written.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._index, self._trash = Index(self.root), Trash(self.root)
        self._is_clean = False

    def list(self) -> Sequence[RunSummary]:
        """Every run, the one started last first."""
        if not self._is_clean:
            self.clean()
        studies = {path.name for path in (self.root / record.STUDIES).glob("*")}
        return [self._summary(entry, studies) for entry in self._index.entries(recipes=True)]

    def find(self, name: str | Path | RunInfo) -> Run:
        """The run meant by ``name``.

        That is its folder, its name, the name given to it if no other has that, a prefix of its digest that no other
        has, or ``last``. A whole digest that several repeats share means the first of them that is finished.

        :raises RunNotFoundError: when none answers to it, naming the closest, or several, naming them.
        """
        if isinstance(name, RunInfo):
            return name if isinstance(name, Run) else Run(name.folder)
        return Run(self._meant_by(name))

    def _meant_by(self, name: str | Path) -> Path:
        """The folder of the run that :meth:`find` gives, of which nothing is read."""
        for folder in (self.root / name, Path(name)):
            if str(name) and record.is_run(folder):
                return folder
        entries = self._index.entries()
        if str(name) == "last" and entries:
            return self.root / entries[0].folder
        candidates = _candidates(str(name), entries)
        if len(candidates) == 1:
            return self.root / candidates[0]
        raise RunNotFoundError(self._not_found(str(name), candidates, entries))

    def by_digest(self, digest: str) -> Sequence[Run]:
        """The runs of one recipe, by repeat."""
        entries = [entry for entry in self._index.entries() if entry.info.get("digest") == digest]
        entries.sort(key=lambda entry: (entry.info.get("repeat") or 1, entry.order))
        return [Run(self.root / entry.folder) for entry in entries]

    def filter(self, *conditions: str, **keys: Any) -> Sequence[RunSummary]:
        """The runs that fit all of these conditions and have all of these values, the one started last first.

        ``filter("model~vgg", "test_accuracy>=90%", epochs=15)``

        :param conditions: in the words of :mod:`cnnlab.runs.filter_language`; what fits is ordered by
            :func:`~cnnlab.runs.filter_language.sort_runs`.
        :param keys: values of the recipe as they are, by dotted key: ``**{"augment[0].p": 0.5}`` looks into spec
            strings too.
        :raises UsageError: when no run has such a key.
        """
        summaries = chosen(self.list(), read_filter(conditions))
        values_of_runs = [{key: lookup(summary.recipe, key) for key in keys} for summary in summaries]
        for key in keys:
            if summaries and all(values[key] is MISSING for values in values_of_runs):
                known = {name for summary in summaries for name in record.flattened(summary.recipe)}
                raise UsageError(f"no run under {self.root} has {key!r} in its recipe. {suggestion(key, known)}")
        return [summary for summary, values in zip(summaries, values_of_runs, strict=True) if values == keys]

    def _repr_html_(self) -> str:
        summaries = self.list()
        rows = [
            (s.name, s.state, _of(s.recipe, "data"), _of(s.recipe, "model"), s.epochs_done, _judged(s), s.started[:16])
            for s in summaries[:_DISPLAYED]
        ]
        columns = ("run", "state", "data", "model", "epochs", "test", "started")
        more = len(summaries) - len(rows)
        head = f"<p>{len(summaries):,} run{'s'[: len(summaries) != 1]} in {for_html(str(self.root))}</p>"
        return head + html_table(columns, rows) + (f"<p>… and {more:,} more</p>" if more else "")

    @any_text
    def frame(self) -> "pd.DataFrame":
        """A row a run, the one started last first, by folder name.

        Columns: the plain fields of ``run.json``, times as timestamps; ``is_running``; ``recipe.KEY``; and the
        scores, as ``test.accuracy``.
        """
        import pandas as pd

        summaries = self.list()
        frame = pd.DataFrame([_columns(summary) for summary in summaries], index=[s.name for s in summaries])
        for name in _TIMES:
            if name in frame:
                frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601", errors="coerce")
        return frame.rename_axis("folder")

    def compare(self, names: Sequence[str | Path | RunInfo]) -> RunComparison:
        """Runs side by side: what differs between their recipes, and what came out.

        :raises UsageError: when fewer than two are named.
        :raises RunNotFoundError: as :meth:`find` does.
        """
        if isinstance(names, str) or len(names) < 2:
            raise UsageError("a comparison takes at least two runs.")
        return side_by_side([self.find(name) for name in names])

    def folder_of(self, name: str | Path | RunInfo) -> Path:
        """The folder of the one run of this store that ``name`` means, which may be damaged.

        :param name: as for :meth:`find`, but only one run may answer to it.
        :raises RunNotFoundError: as :meth:`find` does; for a digest that several repeats share; and for a folder that
            does not lie directly in the store or holds no run.
        """
        if isinstance(name, RunInfo):
            return self._own(name.folder)
        direct = self.root / name
        if direct.parent == self.root and record.is_run(direct):
            return self._own(direct)
        repeats = [run.name for run in self.by_digest(str(name))]
        if len(repeats) > 1:
            raise RunNotFoundError(self._not_found(str(name), repeats, []))
        return self._own(self._meant_by(name))

    def needed_by(self, folder: Path) -> Sequence[str]:
        """The ensembles of this store that cannot predict without the run of this folder, by name."""
        entries = self._index.entries()
        needs = {entry.folder: (entry.info.get("ensemble") or {}).get("needs") or () for entry in entries}
        return sorted(name for name, needed in needs.items() if folder.name in needed and name != folder.name)

    def matching(self, pattern: str) -> Sequence[Run]:
        """The runs whose folder, or the name given to them, matches a pattern as a shell has them, by their names."""
        entries = [entry for entry in self._index.entries() if entry.info.get("status") != "damaged"]
        names = [e.folder for e in entries if any(fnmatchcase(name, pattern) for name in (e.folder, _given_name(e)))]
        return [Run(self.root / name) for name in sorted(names)]

    def named(self, name: str) -> Sequence[Run]:
        """The runs that this name was given to, whose folders tell them apart by what stands behind it."""
        return [Run(self.root / folder) for folder in sorted(_named(name, self._index.entries()))]

    def delete(self, name: str | Path | RunInfo, *, even_if_needed: bool = False) -> Path:
        """Moves a run and all that belongs to it to the trash of the store, and says where it lies there.

        Until :meth:`purge` it can be had back by :meth:`restore`. A link to a run is moved itself; what it leads to is
        left alone.

        :param name: as for :meth:`folder_of`.
        :param even_if_needed: also a member of an ensemble, which then cannot predict until that is restored.
        :raises RunNotFoundError: as :meth:`folder_of` does.
        :raises UsageError: for a member of an ensemble, naming the ensemble.
        :raises RunBusyError: while a process is at work on it.
        :raises StorageError: when the folder may not be changed; the run is then whole.
        """
        folder = self.folder_of(name)
        ensembles = () if even_if_needed else self.needed_by(folder)
        if ensembles:
            raise UsageError(
                f"{folder.name} is a member of {', '.join(ensembles)}, which cannot predict without it. Delete that "
                "first, or say that it is to go all the same: even_if_needed=True, or --even-if-needed."
            )
        lock = RunLock(folder)
        try:
            if folder.is_symlink() and is_locked(folder):
                raise RunBusyError
            if folder.is_symlink():
                return self._trash.put(folder)
            lock.acquire()
            return lock.carry(lambda: self._trash.put(folder))
        except RunBusyError:
            raise RunBusyError(
                f"the run {folder.name} cannot be deleted while {who(folder)} works on it. Stop that process first."
            ) from None
        finally:
            lock.release()

    def deleted(self) -> Sequence[Path]:
        """Where the deleted runs lie that were not purged, the one deleted last first."""
        return self._trash.entries()

    def restore(self, name: str) -> Path:
        """Brings a deleted run back, and says where it is: of several by one name, the one deleted last.

        :param name: of its folder.
        :raises RunNotFoundError: when none of that name was deleted since the last purge.
        :raises UsageError: when another run has taken its place.
        """
        return self._trash.restore(name)

    def purge(self) -> Sequence[Path]:
        """Removes the deleted runs for good, and says where they were."""
        return self._trash.purge()

    def export(
        self,
        out: Path | str,
        *names: str | Path | RunInfo,
        studies: Sequence[str] = (),
        papers: Sequence[str] = (),
        weights: bool = False,
        predictions: bool = True,
        public: bool = False,
    ) -> "Packed":
        """Packs finished runs into one file, ``out``, that another store takes in by :meth:`import_pack`.

        Of a run that is its record, its stored predictions, and what explanations and attacks beside it come to where
        they are small (16 MiB each of ``explain/`` and ``attacks/``). The same content gives the same bytes.

        :param out: such as ``depth.tar.xz``; replaced whole.
        :param names: runs, or anything that :meth:`find` takes; all that are finished where nothing is named at all.
            Of ensembles their members go with them.
        :param studies: names or patterns such as ``depth-*``, with the runs of which their results are made.
        :param papers: folders of results of papers, or patterns such as ``001-*``, with their studies and runs.
        :param weights: also what classifiers are opened from, without snapshots.
        :param predictions: ``False`` leaves them out, and with them intervals over pictures and tests that pair them.
        :param public: leaves out what is not for others: what may show pictures of the data (explanations and attacks
            beside runs, and of papers what an entry keeps private), and where files lie on this machine.
        :raises RunNotFoundError: as :meth:`find` does.
        :raises UsageError: for a run that is not finished, a study that is not there, or where there is nothing.
        :raises StorageError: when the file cannot be written; what stood there stays.
        """
        from cnnlab.runs.pack import export

        asked = {"weights": weights, "predictions": predictions, "public": public}
        return export(self, Path(out), names, studies=studies, papers=papers, **asked)

    def import_pack(self, file: Path | str, *, replace: bool = False) -> "Imported":
        """Takes in what :meth:`export` packed: each run, study and paper whole or not at all.

        A run that is here already, finished and by its digest, is left alone; where it came without weights and the
        file has them, they are added. A run whose name another one has gets that of a repeat. After an interruption the
        same call goes on.

        :param replace: whether studies and results of papers that are here are replaced; they stay otherwise.
        :raises DataError: for what is no such file, or is damaged, saying what is wrong with it.
        :raises StorageError: when a folder cannot be written.
        """
        from cnnlab.runs.unpack import import_pack

        return import_pack(self, Path(file), replace=replace)

    def clean(self) -> None:
        """Removes what purges and creations that were killed have left under hidden names."""
        self._is_clean = True
        for folder in self.root.glob(".*-*"):
            if folder.name.startswith(PURGED) or (folder.name.startswith(CREATING) and _is_abandoned(folder)):
                shutil.rmtree(folder, ignore_errors=True)

    def __len__(self) -> int:
        return len(self._index.entries())

    def __repr__(self) -> str:
        return f"RunStore({str(self.root)!r})"

    def _summary(self, entry: IndexEntry, studies: set[str]) -> RunSummary:
        folder, name = self.root / entry.folder, _given_name(entry)
        return RunSummary(folder, entry, is_locked(folder), name if name in studies else None)

    def _own(self, folder: Path) -> Path:
        """``folder``, if it is one of this store's runs: what merely holds a ``run.json`` is somebody's own."""
        if folder.name in ("", "..") or folder.parent.resolve() != self.root.resolve():
            raise RunNotFoundError(f"{folder} does not lie directly in {self.root}, so it is no run of that store.")
        if not record.holds_a_run(folder):
            raise RunNotFoundError(
                f"{folder} holds a {record.INFO} and nothing else of a run, so it is left alone. If it is to go, "
                "remove it yourself."
            )
        return folder

    def _not_found(self, name: str, candidates: Sequence[str], entries: Sequence[IndexEntry]) -> str:
        if candidates:
            shown = ", ".join(sorted(candidates)[:_SHOWN]) + (", …" if len(candidates) > _SHOWN else "")
            return f"{len(candidates)} runs under {self.root} answer to {name!r}: {shown}. Name one by its folder."
        if not entries:
            return f"there are no runs under {self.root}. Train one, or name another folder with --runs."
        known = {name for entry in entries for name in (entry.folder, _given_name(entry))}
        return f"there is no run {name!r} under {self.root}. {suggestion(name, known)}"


def _candidates(name: str, entries: Sequence[IndexEntry]) -> Sequence[str]:
    """The folders of the runs that ``name`` could mean."""
    # A damaged run keeps nobody from finding another.
    named = _named(name, entries) or [entry.folder for entry in entries if _given_name(entry) == name]
    if named or not _HEXADECIMAL.fullmatch(name):
        return named
    matching = [entry for entry in entries if str(entry.info.get("digest") or "").startswith(name)]
    if len(name) == _WHOLE_DIGEST:
        matching.sort(key=lambda entry: (entry.info.get("status") != "finished", entry.info.get("repeat") or 1))
        matching = matching[:1]
    return [entry.folder for entry in matching]


def _named(name: str, entries: Sequence[IndexEntry]) -> Sequence[str]:
    """The folders of the runs that this name was given to, but for damaged ones."""
    return [e.folder for e in entries if _given_name(e) == name and e.info.get("status") != "damaged"]


def _given_name(entry: IndexEntry) -> str:
    """The name that was given to a run, without what was put behind it."""
    if not entry.info.get("digest"):
        # Of a damaged run only its folder tells.
        return _ENDING.sub("", entry.folder)
    return entry.folder.removesuffix(ending(str(entry.info["digest"]), int(entry.info.get("repeat") or 1)))


def _is_abandoned(folder: Path) -> bool:
    with suppress(OSError):
        return not is_locked(folder) and time.time() - folder.stat().st_mtime > _YOUNG_SECONDS
    return False


def _columns(summary: RunSummary) -> dict[str, Any]:
    info = {key: value for key, value in summary.info.items() if key not in ("format", "name")}
    selected = {f"selected.{key}": value for key, value in (info.pop("selected", None) or {}).items()}
    scores = record.flattened(info.pop("scores", None) or {})
    recipe = {f"recipe.{key}": value for key, value in record.flattened(summary.recipe).items()}
    fields = {key: value for key, value in info.items() if not isinstance(value, dict | list)}
    return {**fields, "is_running": summary.is_running, **selected, **recipe, **scores}


def _of(recipe: Mapping[str, Any], key: str) -> str:
    """The name that a spec begins with."""
    return str(recipe.get(key) or "").partition("(")[0]


def _judged(run: RunInfo) -> str:
    """The score on test by which its weights were chosen, or else the first."""
    scores = run.test
    inner = str((run.info.get("selected") or {}).get("metric") or "").partition("_")[2]
    name = inner if inner in scores else next(iter(scores), None)
    return "" if name is None else f"{name.replace('_', ' ')} {scores[name]:.4f}"
