"""A paper: its folder, its entries, and what came out of them."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from cnnlab.core.displays import html_table
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.packaged import PAPER
from cnnlab.papers.carrying_out import result_of, run_entry
from cnnlab.papers.entry import Entry, EntryAt, Place
from cnnlab.papers.format import PaperFile, read_paper_file
from cnnlab.papers.result import EntryResult
from cnnlab.runs import store_at

_HERE = Path(__file__).parent


def packaged_papers() -> dict[str, Path]:
    """The folders of the papers that come with cnnlab, by id."""
    return {path.parent.name: path.parent for path in sorted(_HERE.glob(f"*/{PAPER}"))}


class Paper:
    """A paper whose tables and figures can be run again.

    :param name: the id of one that comes with cnnlab, such as ``001``, or a folder with ``paper.yaml``.
    :param runs: the folder of runs; ``CNNLAB_RUNS`` or ``runs/`` otherwise.
    :param data_dir: where data sets are looked for first; ``offline`` never tries the network.
    :raises UsageError: when there is none, or its ``paper.yaml`` cannot be read.
    """

    def __init__(
        self,
        name: str | Path,
        *,
        runs: str | Path | None = None,
        data_dir: str | Path | None = None,
        offline: bool = False,
    ) -> None:
        self.folder = _folder(name)
        self.id = self.folder.resolve().name
        self.file: PaperFile = read_paper_file(self.folder)
        self.place = Place(Path(store_at(runs).root), None if data_dir is None else Path(data_dir), offline)

    @cached_property
    def entries(self) -> Mapping[str, Entry]:
        """Its tables and figures by name, in its order."""
        return {name: Entry(self.id, name, self.folder, self.file.authors) for name in self.file.entries}

    def entry(self, name: str) -> Entry:
        """One of its tables or figures.

        :raises UsageError: when it has none of that name.
        """
        if name not in self.entries:
            if "/" not in name and (self.folder / f"{name}.yaml").is_file() and not name.startswith("_"):
                raise UsageError(
                    f"{self.folder / name}.yaml is no entry of the paper {self.id} until entries of "
                    f"{self.folder / PAPER} names it: add {name} there."
                )
            raise UsageError(f"the paper {self.id} has no entry {name!r}. {suggestion(name, self.entries)}")
        return self.entries[name]

    def at(self, name: str, scale: str = "laptop", keys: Mapping[str, Any] | None = None) -> EntryAt:
        """An entry at a scale."""
        return self.entry(name).at(scale, self.place, keys)

    def run(self, name: str, scale: str = "laptop", *, workers: int | None = None, **keys: Any) -> EntryResult:
        """Runs what an entry lacks at a scale and says what came out.

        :param workers: trainings at once; by default as many as a few timed steps show to be best.
        :param keys: put over the entry, such as ``data`` or ``repeats``; what comes out is then kept apart. ``device``
            says where it is computed, and keeps nothing apart.
        """
        return run_entry(self.at(name, scale, keys), workers)

    def result(self, name: str, scale: str = "laptop", **keys: Any) -> EntryResult:
        """What came out of an entry so far."""
        return result_of(self.at(name, scale, keys))

    def results(self, scale: str = "laptop") -> Iterator[EntryResult]:
        """What came out of each entry so far, in order."""
        return (self.result(name, scale) for name in self.entries)

    def __repr__(self) -> str:
        return f"Paper({self.id}: {self.file.title}, {len(self.entries)} entries)"

    def _repr_html_(self) -> str:
        rows = [(name, entry.file.place, entry.file.title) for name, entry in self.entries.items()]
        return html_table(["entry", "place", "what"], rows)


def read_name(name: str) -> tuple[str, str | None]:
    """A paper and perhaps one of its entries: ``001``, ``001/optimizers``, ``my-paper``, ``my-paper/rates``.

    A folder is taken as a paper before its last part is taken as an entry.
    """
    text = name.rstrip("/")
    if text in packaged_papers() or (Path(text) / PAPER).is_file() or "/" not in text:
        return text, None
    paper, _, entry = text.rpartition("/")
    return paper, entry.removesuffix(".yaml")


def _folder(name: str | Path) -> Path:
    known = packaged_papers()
    if str(name) in known:
        return known[str(name)]
    folder = Path(name)
    if (folder / PAPER).is_file():
        return folder
    if folder.is_dir():
        raise UsageError(
            f"{folder} holds no {PAPER}, so it is no paper. `cnnlab paper new {folder}` makes a folder to fill in."
        )
    raise UsageError(f"there is no paper {name}, among those of cnnlab nor as a folder. {suggestion(str(name), known)}")
