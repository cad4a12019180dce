"""A table or figure of a paper, and what it is at one scale."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cnnlab.core.devices import check_device
from cnnlab.core.digests import digest
from cnnlab.core.errors import RunBusyError, UsageError
from cnnlab.core.files import make_folder, storage_errors
from cnnlab.papers.expectations import expected
from cnnlab.papers.format import SCALES, EntryFile, PaperClaim, Scale, read_entry_file
from cnnlab.papers.result import EntryResult
from cnnlab.runs.record import json_value

PAPERS = "papers"
"""The folder of results within a folder of runs."""


@dataclass(frozen=True)
class Place:
    """Where an entry is run.

    :param runs: the folder of runs.
    :param data_dir: where data sets are looked for first; ``offline`` never tries the network.
    :param device: on which is computed; the best there is otherwise.
    """

    runs: Path
    data_dir: Path | None = None
    offline: bool = False
    device: str | None = None


@dataclass(frozen=True)
class Entry:
    """A table or figure of a paper, as its file has it.

    :param paper: the id of the paper; ``folder`` its folder, ``cited`` its authors.
    """

    paper: str
    name: str
    folder: Path
    cited: str

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder / f"{self.name}.yaml"

    @cached_property
    def file(self) -> EntryFile:
        """What its file says."""
        return read_entry_file(self.path)

    @property
    def full_name(self) -> str:
        """With the paper, as ``001/optimizers``."""
        return f"{self.paper}/{self.name}"

    def at(self, scale: str, place: Place, keys: Mapping[str, Any] | None = None) -> "EntryAt":
        """The entry at a scale, with ``keys`` put over that.

        :raises UsageError: for a scale or a device that there is not.
        """
        if scale not in SCALES:
            raise UsageError(f"there is no scale {scale}. The scales are {', '.join(SCALES)}.")
        further = dict(keys or {})
        # What is computed is the same on each, so that it is part of the place.
        device = further.pop("device", place.device)
        if device is not None:
            check_device(str(device), "Leave it out to take the best there is.")
            place = replace(place, device=str(device))
        return EntryAt(self, scale, place, further)


@dataclass(frozen=True)
class EntryAt:
    """An entry at one scale.

    :param further: keys put over those of the scale; what comes out is then kept apart.
    """

    entry: Entry
    scale: Scale
    place: Place
    further: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """By which its results lie under the folder of runs."""
        own = f"-{digest(dict(self.further))[:8]}" if self.further else ""
        return f"{self.entry.paper}-{self.entry.name}-{self.scale}{own}"

    @property
    def keys(self) -> dict[str, Any]:
        """All that is put over the entry's file, but the values of ``each``."""
        keys = {**self.entry.file.keys_at(self.scale), **self.further}
        return {key: value for key, value in keys.items() if key != "each"}

    @property
    def each(self) -> tuple[Any, ...] | None:
        """The values of ``each`` that the scale keeps; None for all."""
        chosen = {**self.entry.file.keys_at(self.scale), **self.further}.get("each")
        return None if chosen is None else tuple(chosen)

    @property
    def claims(self) -> tuple[PaperClaim, ...]:
        """What the paper asserts that is judged at this scale."""
        return self.entry.file.claims_at(self.scale)

    @cached_property
    def judged_by(self) -> str:
        """Digest of what a result depends on: the file but its prose, those beside it, the scale, the keys."""
        content = self.entry.file.model_dump(mode="json", exclude={"about", "place", "title"})
        bases = [path.read_text(encoding="utf-8") for path in sorted(self.entry.folder.glob("_*.yaml"))]
        return digest([content, bases, self.scale, json_value(dict(self.further))])

    @property
    def folder(self) -> Path:
        """Where its verdicts and what its commands wrote lie."""
        return self.place.runs / PAPERS / self.name

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block in which this process alone works on it; two would clear away what the other writes.

        :raises RunBusyError: when another process is at work on it.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(make_folder(self.folder) / ".lock", thread_local=False)
        try:
            with storage_errors(self.folder):
                lock.acquire(timeout=0)
        except Timeout:
            raise RunBusyError(
                f"another process is running {self.entry.full_name} at the scale {self.scale} just now. Wait until it "
                "is done, or stop it."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def outcome(self, **found: Any) -> EntryResult:
        """A result with all that is known beforehand."""
        file = self.entry.file
        return EntryResult(
            paper=self.entry.paper,
            entry=self.entry.name,
            scale=self.scale,
            place=file.place,
            title=file.title,
            deviations=file.at(file.deviations, self.scale),
            folder=str(self.folder),
            expected=expected(self.folder),
            judged_by=self.judged_by,
            **found,
        )
