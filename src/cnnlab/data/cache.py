"""Decoded pictures in the user's cache: one folder for each content and form, made whole or not at all.

A folder holds ``index.json``, and for every split ``<split>.pixels`` (raw, N×C×H×W) or ``<split>.files`` (encoded files
one after another) with tables beside it. A lock keeps two processes from making the same folder twice.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from cnnlab.core.digests import digest
from cnnlab.core.errors import DataError
from cnnlab.core.files import cache_folder, flush, make_folder, storage_errors
from cnnlab.core.messages import announcing
from cnnlab.data.file_digests import digest_files
from cnnlab.data.formats.decode import Form
from cnnlab.data.imageset import ImageSet, Numbered
from cnnlab.data.ingest import Ingested, IngestOutcome, Store
from cnnlab.data.memmap import EncodedImages, MappedImages
from cnnlab.data.reading import Content, Reading, SourceSplit
from cnnlab.data.white import White

VERSION = 4
CacheKind = Literal["raw", "encoded"]
_INDEX = "index.json"


class TooLargeError(Exception):
    """Raw pixels would take up too much of the disk."""


@dataclass(frozen=True)
class CacheEntry:
    """What the cache holds of one data set.

    :param facts: what there is to tell of its making: files skipped, notes, sizes and modes met.
    """

    parts: Mapping[str, ImageSet]
    facts: Mapping[str, Any]


def entry_folder(reading: Reading, kind: CacheKind) -> Path:
    """Where the pictures of a reading are kept; depends on the content of its files and on the form alone."""
    options = reading.options
    key = {
        "version": VERSION,
        "source": dict(reading.source.key),
        "content": digest_files(reading.source.inputs),
        "size": options.sides,
        "resize": options.resize,
        "channels": options.channels,
        "white": options.white,
        "kind": kind,
        # Left out where it is the usual one, so that what was decoded before there were others is found.
        **({} if options.resampling == "bilinear" else {"resampling": options.resampling}),
    }
    return cache_folder() / "decoded" / digest(key)[:40]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A block in which no other process makes this folder; what one that was killed left of it is removed."""
    make_folder(folder.parent)
    with storage_errors(folder):
        lock = FileLock(folder.with_suffix(".lock"))
        with announcing("waiting for another process that decodes the same pictures"):
            lock.acquire()
    try:
        for leftover in folder.parent.glob(f".{folder.name}.*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield
    finally:
        lock.release()


def clear_decoded() -> None:
    """Removes every set of decoded pictures, each when no process makes it; who reads one just now keeps it."""
    for folder in (cache_folder() / "decoded").glob("*"):
        if folder.is_dir():
            with locked(folder):
                shutil.rmtree(folder, ignore_errors=True)


def open_entry(folder: Path) -> CacheEntry | None:
    """What lies in the folder; None where nothing does, or it was damaged since."""
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        parts = {split: _open_part(folder, split, index) for split in index["parts"]}
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return None
    return CacheEntry(parts, index["facts"])


class FolderStore(Store):
    """Writes pixels, or encoded files, to a temporary folder that takes its final name once all is there.

    :param counts: how many pictures each part has at most, to see early whether they are too many.
    :param most: bytes that raw pixels may take up, or None for no limit.
    """

    def __init__(self, target: Path, kind: CacheKind, counts: Mapping[str, int], most: int | None = None) -> None:
        self._target, self._kind, self._counts, self._most = target, kind, counts, most
        make_folder(target.parent)
        with storage_errors(target):
            self.folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        self._files: dict[str, IO[bytes]] = {}
        self._lengths: dict[str, list[int]] = {}
        self._kinds: dict[str, CacheKind] = {}

    def add(self, part: str, pixels: NDArray[np.uint8], files: Sequence[bytes]) -> None:
        """Appends to the file of the part.

        :raises TooLargeError: when all pixels would be more than allowed, and there are encoded files to keep instead.
        :raises StorageError: when it cannot be written.
        """
        kind: CacheKind = "encoded" if self._kind == "encoded" and files else "raw"
        total = sum(self._counts.values()) * pixels[0].nbytes
        if kind == "raw" and files and self._most is not None and total > self._most:
            raise TooLargeError
        with storage_errors(self._target):
            if part not in self._files:
                self._kinds[part] = kind
                self._files[part] = (self.folder / _file_name(part, kind)).open("wb")
                self._lengths[part] = []
            self._files[part].write(pixels.data if kind == "raw" else b"".join(files))
        self._lengths[part] += map(len, files)

    def finish(self, content: Content, outcome: IngestOutcome, facts: Mapping[str, Any]) -> None:
        """Writes the tables and gives the folder its name.

        :raises StorageError: when it cannot be written.
        """
        with storage_errors(self._target):
            index = {
                "form": asdict(outcome.form),
                "parts": {
                    split: self._write_part(split, content.parts[split], known)
                    for split, known in outcome.parts.items()
                },
                "classes": {column: list(names) for column, names in content.classes.items()},
                "facts": dict(facts),
            }
            (self.folder / _INDEX).write_text(json.dumps(index, ensure_ascii=True), encoding="utf-8")
            for path in (*self.folder.iterdir(), self.folder):
                flush(path)
            shutil.rmtree(self._target, ignore_errors=True)
            os.replace(self.folder, self._target)
            flush(self._target.parent)

    def discard(self) -> None:
        """Removes what was written, unless it is finished."""
        for file in self._files.values():
            file.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_part(self, split: str, part: SourceSplit, known: Ingested) -> dict[str, Any]:
        self._files[split].close()
        columns = known.columns(part)
        ids = known.ids(part)
        names = None if isinstance(ids, Numbered) else list(ids)
        (self.folder / f"{split}-ids.json").write_text(json.dumps(names), encoding="ascii")
        np.save(self.folder / f"{split}-digests.npy", np.concatenate(known.digests))
        np.save(self.folder / f"{split}-moments.npy", torch.cat(known.moments).numpy())
        np.save(self.folder / f"{split}-offsets.npy", np.cumsum([0, *self._lengths[split]], dtype=np.int64))
        for place, column in enumerate(columns.values()):
            np.save(self.folder / f"{split}-column-{place}.npy", column.numpy())
        return {
            "kind": self._kinds[split],
            "count": len(known.places),
            "shape": known.shape,
            "columns": list(columns),
        }


def _open_part(folder: Path, split: str, index: Mapping[str, Any]) -> ImageSet:
    facts = index["parts"][split]
    kind, count, shape = facts["kind"], facts["count"], tuple(facts["shape"])
    targets = {
        column: torch.from_numpy(np.load(folder / f"{split}-column-{place}.npy"))
        for place, column in enumerate(facts["columns"])
    }
    classes = {column: tuple(names) for column, names in index["classes"].items()}
    ids = json.loads((folder / f"{split}-ids.json").read_text(encoding="ascii"))
    path = folder / _file_name(split, kind)
    images: ImageSet
    if kind == "raw":
        images = MappedImages(path, count, shape, targets, classes, ids)
    else:
        told = index["form"]
        form = Form(**{**told, "size": told["size"] and tuple(told["size"]), "white": White(**told["white"])})
        images = EncodedImages(path, np.load(folder / f"{split}-offsets.npy"), form, shape, targets, classes, ids)
    images.image_digests = np.load(folder / f"{split}-digests.npy")
    images.moments = torch.from_numpy(np.load(folder / f"{split}-moments.npy"))
    return images


def _file_name(split: str, kind: CacheKind) -> str:
    return f"{split}.{'pixels' if kind == 'raw' else 'files'}"
