"""Raw outputs of the pictures predicted so far, in a hidden folder beside the file that they are for.

A part holds a stretch of the pictures, and says by a digest of what it was made: it counts as long as the model and
just these pictures are as they were.
"""

import glob
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from cnnlab.core.digests import canonical_json
from cnnlab.core.errors import ModelFileError
from cnnlab.core.files import clear_leftovers, file_stamp, make_folder, replacing
from cnnlab.core.tensor_files import KEY, read_header, refusing
from cnnlab.data import ImageFile

_KIND, _FORMAT, _SUFFIX = "outputs of some pictures", 1, ".safetensors"


class _Header(BaseModel):
    kind: str
    format: int
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    digest: str
    unreadable: list[str]


@dataclass(frozen=True)
class Part:
    """A stretch of the pictures.

    :param unreadable: those that could not be read, each with the reason.
    """

    path: Path
    start: int
    end: int
    unreadable: tuple[str, ...]

    def load(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The raw outputs, n×K, and the places of their pictures among all."""
        from safetensors import safe_open

        with refusing(self.path, "outputs of pictures", "Remove it."), safe_open(str(self.path), "numpy") as file:
            return file.get_tensor("outputs"), file.get_tensor("places")


class StoredParts:
    """The parts there are, from the first picture on without a gap; more are added behind.

    :param out: the file that they are for, and ``key`` the digest of the model and of how it is run.
    :param images: all pictures.
    """

    def __init__(self, out: Path, key: str, images: Sequence[ImageFile]) -> None:
        self._out, self._images = out, images
        self.folder = out.with_name(f"{_prefix(out)}{key[:16]}")
        self._whole: str | None = None
        self.parts: list[Part] = []
        while (part := self._read(self.end)) is not None:
            self.parts.append(part)

    @property
    def end(self) -> int:
        """The place of the first picture that is in no part."""
        return self.parts[-1].end if self.parts else 0

    @property
    def unreadable(self) -> tuple[str, ...]:
        """All that could not be read, in order."""
        return tuple(text for part in self.parts for text in part.unreadable)

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)

    def add(
        self, outputs: NDArray[np.float32], places: Sequence[int], end: int, unreadable: Sequence[str], *, by_all: bool
    ) -> None:
        """Writes the next part, whole or not at all.

        :param by_all: whether what was said of its pictures depends on all others too.
        """
        from safetensors.numpy import save

        header = {
            "kind": _KIND,
            "format": _FORMAT,
            "start": self.end,
            "end": end,
            "digest": self._digest(self.end, end, by_all=by_all),
            "unreadable": list(unreadable),
        }
        path = make_folder(self.folder) / f"{self.end:012d}{_SUFFIX}"
        content = save({"outputs": outputs, "places": np.array(places, np.int64)}, {KEY: canonical_json(header)})
        with replacing(path) as temporary:
            temporary.write_bytes(content)
        self.parts.append(Part(path, self.end, end, tuple(unreadable)))

    def remove(self) -> None:
        """Removes all parts for the file, also those of other models and settings, which it no longer waits for."""
        for folder in self._out.parent.glob(f"{glob.escape(_prefix(self._out))}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def clear_leftovers(self) -> None:
        """Removes what a killed process was writing."""
        if self.folder.is_dir():
            clear_leftovers(self.folder)

    def _read(self, start: int) -> Part | None:
        """The part that begins at a place; None where there is none that still counts."""
        from safetensors import safe_open

        path = self.folder / f"{start:012d}{_SUFFIX}"
        if not path.is_file():
            return None
        try:
            with refusing(path, "outputs of pictures"), safe_open(str(path), "numpy") as file:
                header = read_header(file.metadata(), path, _KIND, _FORMAT, _Header)
                outputs, places = (file.get_slice(name).get_shape() for name in ("outputs", "places"))
        except ModelFileError:
            return None
        end = header["end"]
        counts = start == header["start"] < end <= len(self._images) and outputs[0] == places[0]
        if not counts or outputs[0] + len(header["unreadable"]) != end - start:
            return None
        is_same = any(header["digest"] == self._digest(start, end, by_all=by_all) for by_all in (False, True))
        return Part(path, start, end, tuple(header["unreadable"])) if is_same else None

    def _digest(self, start: int, end: int, *, by_all: bool) -> str:
        own = digest_of(self._images, start, end)
        if not by_all:
            return own
        self._whole = self._whole or digest_of(self._images)
        return f"{own} {self._whole}"


def digest_of(images: Sequence[ImageFile], start: int = 0, end: int | None = None) -> str:
    """SHA-256 of names, sizes and times of pictures; of those in an archive, of the archive's."""
    hashed, file, stamp = hashlib.sha256(), Path(), ""
    for place in range(start, len(images) if end is None else end):
        image = images[place]
        here = image.file
        if here != file:
            file, stamp = here, _stamp(here)
        hashed.update(f"{image.name}\0{stamp}\n".encode("utf-8", "surrogateescape"))
    return hashed.hexdigest()


def _stamp(file: Path) -> str:
    try:
        return str(file_stamp(os.stat(file)))
    except OSError:
        # A link that leads nowhere: it cannot be read, which is told where it is tried.
        return "missing"


def _prefix(out: Path) -> str:
    return f".{out.name}.parts-"
