"""Pictures given one by one, for prediction: files, folders and archives of them, and tables that name some."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, overload

import numpy as np
import torch
from torch import Tensor

from cnnlab.core.errors import DataError
from cnnlab.core.files import user_path
from cnnlab.core.messages import first_few, track, warn
from cnnlab.core.threads import map_ahead
from cnnlab.data.formats.archives import TarMembers, ZipMembers, open_members
from cnnlab.data.formats.decode import Form, WhiteUnknownError
from cnnlab.data.formats.folder_layout import images_among
from cnnlab.data.formats.folders import read_file
from cnnlab.data.formats.unread_kinds import is_unread, said_of_unread
from cnnlab.data.options import Resampling, ResizeMode
from cnnlab.data.raw_images import RawEncodedImages, UnreadableImage, in_parts, largest_value
from cnnlab.data.sources.manifest import located_images
from cnnlab.data.white import UNTOLD_REMEDY, SaidWhite, White, say_white

_CHUNK = 16
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")


_TABLES = (".csv", ".tsv")


class ImageSource(Protocol):
    """Where pictures lie: a folder, an archive, or anywhere, each by its own path."""

    def place(self, name: str) -> str:
        """Where one is, as a person would say it."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of one; may be called from several threads."""
        ...

    def file(self, name: str) -> Path:
        """The file on the disk that holds it."""
        ...


class _SingleFiles:
    """Pictures named by their own paths."""

    def place(self, name: str) -> str:
        """Its path, as it was given."""
        return name

    def read(self, name: str) -> bytes:
        """The bytes of the file."""
        return read_file(Path(name))

    def file(self, name: str) -> Path:
        """The file itself."""
        return Path(name)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A picture that can be read: a file, or one in an archive. There may be a million, so that it holds little.

    :param source: where it lies, and ``member`` what it is called there.
    """

    source: ImageSource
    member: str

    @property
    def name(self) -> str:
        """Its path; of one in an archive ``archive.zip/name``."""
        return self.source.place(self.member)

    @property
    def file(self) -> Path:
        """The file on the disk that holds it."""
        return self.source.file(self.member)

    @property
    def is_packed(self) -> bool:
        """Whether it lies in an archive, so that ``member`` and not the file is the picture."""
        return isinstance(self.source, ZipMembers | TarMembers)

    def read(self) -> bytes:
        """Its bytes."""
        return self.source.read(self.member)


class FoundImages(RawEncodedImages):
    """Pictures that were found, read where they lie."""

    def __init__(self, images: Sequence[ImageFile]) -> None:
        self.images, self.ids = images, _Names(images)

    def encoded(self, place: int) -> bytes:
        """The bytes of one."""
        return self.images[place].read()


class _Names(Sequence[str]):
    """The names of pictures, made when asked for."""

    def __init__(self, images: Sequence[ImageFile]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        found = self._images[index]
        return found.name if isinstance(found, ImageFile) else [image.name for image in found]


def find_images(paths: Iterable[str | Path]) -> list[ImageFile]:
    """The pictures that paths stand for, by the rules by which a folder is searched for those to train on.

    Linked folders are entered, what systems leave behind is passed over, and of pictures of kinds that are not read
    one warning tells.

    :param paths: of picture files, whatever they are called, of folders with pictures anywhere in them, of archives
        of such, and of CSV files that name pictures, in the order of their rows.
    :raises DataError: when there is no such path, no picture in a folder or archive, or none by a name in a table.
    """
    places = [user_path(path) for path in paths]
    missing = [str(path) for path in places if not os.path.exists(path)]
    if missing:
        raise DataError(f"there is no picture or folder {first_few(missing)}. Check the path.")
    return [image for path in places for image in _expanded(path)]


def read_images(
    paths: Iterable[str | Path],
    *,
    shape: tuple[int, int, int],
    resize: ResizeMode = "squash",
    white: SaidWhite = None,
) -> tuple[Tensor, list[str]]:
    """Pictures as a classifier takes them.

    :param paths: as :func:`find_images` takes them.
    :param shape: channels (1 or 3), height and width that every picture is brought to.
    :param white: the values of white in pictures of more than 8 bits; those that are not known are told by the largest
        found in them.
    :return: uint8, N×C×H×W, and the path of each picture; one in an archive is ``archive.zip/name``.
    :raises DataError: when a file is missing or is no picture, naming every such file.
    """
    found = find_images(paths)
    if not found:
        raise DataError("there are no pictures among the paths given.")
    images, names, bad = ImageReader(found, shape, resize, white).read(0, len(found))
    if bad:
        raise DataError(f"these files cannot be read as pictures: {first_few([str(item) for item in bad])}.")
    return images, names


class ImageReader:
    """Reads pictures in one shape, some at a time.

    :param images: all pictures that there are.
    :param white: the values of white in those of more than 8 bits; those that are not known are told by the largest in
        all of them.
    :raises DataError: for a shape that pictures cannot have.
    """

    def __init__(
        self,
        images: Sequence[ImageFile],
        shape: tuple[int, int, int],
        resize: ResizeMode = "squash",
        white: SaidWhite = None,
        resampling: Resampling = "bilinear",
    ) -> None:
        channels, height, width = shape
        if channels not in (1, 3):
            raise DataError(f"pictures are grey or in colour, and the classifier takes {channels} channels.")
        self._raw = FoundImages(images)
        self._shape, self._form = shape, Form((height, width), resize, channels, White.said(white), resampling)

    def read(self, start: int, end: int) -> tuple[Tensor, list[str], list[UnreadableImage]]:
        """The pictures from ``start`` to ``end``: uint8, N×C×H×W, their names, and those that could not be read."""
        try:
            return self._read(start, end)
        except WhiteUnknownError:
            largest = largest_value([self._raw])
            self._form = replace(self._form, white=self._form.white.told_by(largest))
            say_white(self._form.white, largest, UNTOLD_REMEDY)
            return self._read(start, end)

    def _read(self, start: int, end: int) -> tuple[Tensor, list[str], list[UnreadableImage]]:
        images = np.empty((end - start, *self._shape), np.uint8)
        names: list[str] = []
        bad: list[UnreadableImage] = []
        parts = in_parts(start, end, _CHUNK)
        chunks = map_ahead(lambda part: self._raw.load(part, self._form), parts)
        for chunk in track(chunks, "Reading pictures", len(parts)):
            bad += chunk.bad
            for pixels, place in zip(chunk.pixels, chunk.places, strict=True):
                images[len(names)] = pixels
                names.append(self._raw.ids[place])
        return torch.from_numpy(images[: len(names)]), names, bad


def _expanded(path: Path) -> Iterator[ImageFile]:
    """The pictures that a path stands for."""
    if not os.path.isdir(path) and not path.name.lower().endswith(_ARCHIVES):
        if path.suffix.lower() not in _TABLES:
            yield ImageFile(_SingleFiles(), str(path))
            return
        base, found = located_images(path)
        source = _SingleFiles() if base.is_dir() else open_members(base)
        yield from (ImageFile(source, name) for name in found)
        return
    members = open_members(path)
    for text in members.warnings:
        warn(f"{path}: {text}")
    unread = [name for name in members.names if is_unread(name)]
    if unread:
        warn(f"{path}: {said_of_unread(unread)}")
    images = images_among(members.names)
    if not images:
        what = f"none of the {len(members.names):,} files in it is one" if members.names else "it is empty"
        raise DataError(f"the folder {path} holds no pictures: {what}. Name a folder of pictures, or files.")
    for name in images:
        yield ImageFile(members, name)
