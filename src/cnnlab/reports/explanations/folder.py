"""The folder that explanations or attacks lie in: a record says which files are ours, and no other file is touched."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cnnlab.core.errors import UsageError
from cnnlab.core.file_locks import only_writer
from cnnlab.core.files import read_regular, write_text
from cnnlab.core.messages import first_few

RECORD = "explanations.json"
PAGE = "explain.html"
FOLDER = "explain"
_MOST_BYTES = 1 << 22
_ENDINGS = (".png", ".svg")
_NO_FOLDERS = (".png", ".svg", ".pdf", ".html", ".htm", ".json", ".jpg", ".zip")


@dataclass(frozen=True)
class FolderKind:
    """What a folder is of.

    :param record: the name of the file that says which others are ours.
    :param made_by: the command that writes them; ``what`` they are, in the plural.
    """

    record: str
    made_by: str
    what: str


EXPLAINED = FolderKind(RECORD, "cnnlab explain", "explanations")


@dataclass(frozen=True)
class StoredFigure:
    """A figure in a folder of explanations.

    :param file: its name without suffix; it is there as PNG and as SVG.
    """

    file: str
    title: str
    caption: str


@dataclass(frozen=True)
class StoredExplanation:
    """What is on record of an explanation in a folder.

    :param model: what was explained.
    :param meanings: of the methods, by name.
    """

    key: str
    title: str
    model: str
    meanings: dict[str, str] = field(default_factory=dict)
    figures: tuple[StoredFigure, ...] = ()


class ExplanationFolder:
    """A folder with explanations, or whatever else ``kind`` says.

    :raises UsageError: for what is no folder, or one whose record of explanations is somebody else's.
    """

    def __init__(self, path: Path, kind: FolderKind = EXPLAINED) -> None:
        self.path, self.kind = path, kind
        if path.suffix.lower() in _NO_FOLDERS and not path.is_dir():
            raise UsageError(
                f"{path} names a file, and {kind.what} are several: they are written into a folder, as in --out "
                f"{path.with_suffix('') if path.stem else 'figures'}."
            )
        if os.path.lexists(path) and not path.is_dir():
            raise UsageError(f"{path} is a file, and {kind.what} are written into a folder. Name another one.")
        self.stored: dict[str, StoredExplanation] = {}
        self.own: set[str] = set()
        self._read()

    def _read(self) -> None:
        """What is on record by now."""
        record = _record(self.path, self.kind)
        if record is None and os.path.lexists(self.path / self.kind.record):
            raise UsageError(
                f"{self.path / self.kind.record} is there already, and no record of cnnlab's. Name another folder with "
                "--out."
            )
        self.stored = {one.key: one for one in stored_explanations(self.path, self.kind)}
        self.own = set((record or {}).get("files", ()))

    def check(self, names: Iterable[str]) -> None:
        """Refuses to write files of these names where others' are there.

        :raises UsageError: naming them.
        """
        taken = sorted(name for name in set(names) - self.own if os.path.lexists(self.path / name))
        if taken:
            raise UsageError(
                f"{first_few(taken)} in {self.path} is there already, and was not written by {self.kind.made_by}. "
                "Name another folder with --out, or move it away."
            )

    def check_figures(self, keys: Sequence[str]) -> None:
        """As :meth:`check`, for figures by the names of their files."""
        self.check(f"{key}{end}" for key in keys for end in _ENDINGS)

    def add(self, explanation: StoredExplanation) -> None:
        """Puts an explanation on record; further figures of the same model and kind stay."""
        names = [f"{figure.file}{end}" for figure in explanation.figures for end in _ENDINGS]
        self.write(names, explanation)

    def add_page(self, text: str) -> Path:
        """Writes the page."""
        self.check([PAGE])
        self.write([PAGE])
        write_text(self.path / PAGE, text)
        return self.path / PAGE

    def write(self, names: Iterable[str], explanation: StoredExplanation | None = None) -> None:
        """Puts files of these names on record as our own, and what they explain, beside what is there by then."""
        with only_writer(self.path / self.kind.record):
            self._read()
            self.own |= set(names)
            if explanation is not None:
                self.stored[explanation.key] = _with_earlier(explanation, self.stored.get(explanation.key))
            record = {
                "made_by": self.kind.made_by,
                "files": sorted(self.own),
                "explanations": [
                    {
                        "key": one.key,
                        "title": one.title,
                        "model": one.model,
                        "meanings": one.meanings,
                        "figures": [vars(figure) for figure in one.figures],
                    }
                    for one in self.stored.values()
                ],
            }
            write_text(self.path / self.kind.record, json.dumps(record, indent=1, ensure_ascii=True))


def _with_earlier(explanation: StoredExplanation, before: StoredExplanation | None) -> StoredExplanation:
    """With the further figures that an earlier call has made of the same model."""
    if before is None or before.model != explanation.model:
        return explanation
    figures = {figure.file: figure for figure in (*before.figures, *explanation.figures)}
    meanings = {**before.meanings, **explanation.meanings}
    return replace(explanation, figures=tuple(figures.values()), meanings=meanings)


def stored_explanations(folder: Path, kind: FolderKind = EXPLAINED) -> tuple[StoredExplanation, ...]:
    """What is on record in a folder; nothing where there is none, or none that can be read."""
    record = _record(folder, kind) or {}
    found = []
    for one in record.get("explanations", ()):
        try:
            figures = tuple(
                StoredFigure(_file(each["file"]), str(each["title"]), str(each["caption"])) for each in one["figures"]
            )
            meanings = {str(name): str(text) for name, text in one["meanings"].items()}
            key, title, model = (str(one[name]) for name in ("key", "title", "model"))
            found.append(StoredExplanation(key, title, model, meanings, figures))
        except (KeyError, TypeError, AttributeError, ValueError):
            continue
    return tuple(found)


def _file(name: Any) -> str:
    """A name of a file in the folder itself.

    :raises ValueError: for one that leads elsewhere.
    """
    if not isinstance(name, str) or not name or name != Path(name).name or name.startswith("."):
        raise ValueError(name)
    return name


def _record(folder: Path, kind: FolderKind) -> dict[str, Any] | None:
    try:
        record = json.loads(read_regular(folder / kind.record, _MOST_BYTES))
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or record.get("made_by") != kind.made_by:
        return None
    names = record.get("files")
    if not isinstance(record.get("explanations"), list) or not isinstance(names, list):
        return None
    return record if all(isinstance(name, str) for name in names) else None
