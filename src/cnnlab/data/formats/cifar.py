"""CIFAR-10 and CIFAR-100, in the python and in the binary version, packed or unpacked.

The formats: https://www.cs.toronto.edu/~kriz/cifar.html. Archives are read where they lie and never unpacked. The
python version is made of pickles, which are read by an unpickler that knows nothing but arrays of bytes.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from cnnlab.core.errors import DataError
from cnnlab.core.files import open_regular
from cnnlab.data.formats.safe_pickle import RefusedPickleError, load_pickle

_PIXELS = 3 * 32 * 32
_CHUNK = 1 << 20
# More than twice what either set comes to, unpacked.
_LARGEST = 1 << 29
_REMEDY = "Delete it and download or copy it again."


@dataclass(frozen=True)
class CifarSplit:
    """One split: pictures (uint8, N×3×32×32) and the columns of class indices (int64, N each)."""

    images: npt.NDArray[np.uint8]
    targets: Mapping[str, npt.NDArray[np.int64]]


@dataclass(frozen=True)
class CifarContent:
    """What a CIFAR set holds.

    The column ``label`` is the class; CIFAR-100 has also ``superclass``, one of its twenty groups of classes.

    :param name: ``CIFAR-10`` or ``CIFAR-100``.
    :param classes: the names of the classes of each column.
    """

    name: str
    train: CifarSplit
    test: CifarSplit
    classes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Layout:
    """One version of one set: its files, and how a file of samples and a file of names is read.

    ``columns`` are the columns of classes, in the order of the label bytes of a record, with the key under which the
    python version has their numbers; ``names`` gives for each the file, and in the python version the key, of its
    class names.
    """

    name: str
    folder: str
    train: tuple[str, ...]
    test: str
    columns: Mapping[str, str]
    names: Mapping[str, tuple[str, str]]
    is_binary: bool

    @property
    def files(self) -> tuple[str, ...]:
        """Every file it is made of, the class names first."""
        return (*dict.fromkeys(file for file, _ in self.names.values()), *self.train, self.test)


_LAYOUTS = (
    _Layout(
        name="CIFAR-10",
        folder="cifar-10-batches-bin",
        train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        test="test_batch.bin",
        columns={"label": ""},
        names={"label": ("batches.meta.txt", "")},
        is_binary=True,
    ),
    _Layout(
        name="CIFAR-100",
        folder="cifar-100-binary",
        train=("train.bin",),
        test="test.bin",
        columns={"superclass": "", "label": ""},
        names={"label": ("fine_label_names.txt", ""), "superclass": ("coarse_label_names.txt", "")},
        is_binary=True,
    ),
    _Layout(
        name="CIFAR-10",
        folder="cifar-10-batches-py",
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test="test_batch",
        columns={"label": "labels"},
        names={"label": ("batches.meta", "label_names")},
        is_binary=False,
    ),
    _Layout(
        name="CIFAR-100",
        folder="cifar-100-python",
        train=("train",),
        test="test",
        columns={"superclass": "coarse_labels", "label": "fine_labels"},
        names={"label": ("meta", "fine_label_names"), "superclass": ("meta", "coarse_label_names")},
        is_binary=False,
    ),
)


@dataclass(frozen=True)
class _Source:
    """The files at hand: where they are, for messages, which there are, and how one is read."""

    path: Path
    names: frozenset[str]
    read: Callable[[str], bytes]


def read_cifar(path: Path | str) -> CifarContent:
    """CIFAR-10 or CIFAR-100 from its ``.tar.gz`` or from the folder it was unpacked into, in either version.

    :raises DataError: when files are missing or damaged, when a label has no class, or when a pickle asks for anything
        that a CIFAR file has no need of.
    """
    path = Path(path)
    source = _folder(path) if path.is_dir() else _archive(path)
    layout = _recognised(source)
    classes = _classes(source, layout)
    read = _binary_file if layout.is_binary else _python_file
    train = _joined([read(source, name, layout, classes) for name in layout.train])
    return CifarContent(layout.name, train, _joined([read(source, layout.test, layout, classes)]), classes)


def _folder(path: Path) -> _Source:
    with _damage_reported(path):
        homes = [path, *(path / layout.folder for layout in _LAYOUTS)]
        home = max(homes, key=lambda folder: max(_share(_files_in(folder), layout) for layout in _LAYOUTS))
        names = _files_in(home)

    def read(name: str) -> bytes:
        with _damage_reported(home / name), open_regular(home / name) as file:
            return _bounded(file)

    return _Source(home, names, read)


def _files_in(folder: Path) -> frozenset[str]:
    return frozenset(entry.name for entry in folder.iterdir() if entry.is_file()) if folder.is_dir() else frozenset()


def _archive(path: Path) -> _Source:
    """The files of an archive in memory, by their names alone: nothing is unpacked to the disk."""
    wanted = {name for layout in _LAYOUTS for name in layout.files}
    content: dict[str, bytes] = {}
    with _damage_reported(path), open_regular(path) as file:
        stream = io.BytesIO(_decompressed(file))
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if not member.isfile() or member.issparse() or name not in wanted:
                    continue
                if name in content:
                    raise DataError(f"{path} holds {name} twice. Give the original archive.")
                content[name] = _whole(archive, member)
    return _Source(path, frozenset(content), content.__getitem__)


def _decompressed(file: BinaryIO) -> bytes:
    is_compressed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if not is_compressed:
        return _bounded(file)
    with gzip.GzipFile(fileobj=file) as stream:
        return _bounded(cast(BinaryIO, stream))


def _bounded(stream: BinaryIO) -> bytes:
    """All of the stream, to its end, where gzip compares its checksum; refused where it is too much for CIFAR."""
    content = bytearray()
    while chunk := stream.read(_CHUNK):
        content += chunk
        if len(content) > _LARGEST:
            raise tarfile.ReadError(f"it holds more than {_LARGEST >> 20} MiB, far more than CIFAR")
    return bytes(content)


def _whole(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    content = b"" if file is None else file.read()
    if len(content) != member.size:
        raise tarfile.ReadError(f"{member.name} is cut short")
    return content


@contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing. Put the file there, or give the right path.") from error
    except EOFError as error:
        raise DataError(f"{path} is cut short: its gzip data ends too early. {_REMEDY}") from error
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is no archive of CIFAR, or a damaged one: {error}. {_REMEDY}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Give a file that you may read.") from error


def _share(names: frozenset[str], layout: _Layout) -> float:
    return len(names.intersection(layout.files)) / len(layout.files)


def _recognised(source: _Source) -> _Layout:
    layout = max(_LAYOUTS, key=lambda layout: _share(source.names, layout))
    missing = [name for name in layout.files if name not in source.names]
    if len(missing) == len(layout.files):
        examples = ", ".join(f"{layout.folder}/{layout.train[0]}" for layout in _LAYOUTS)
        raise DataError(f"{source.path} holds no CIFAR set: none of the files {examples} is in it.")
    if missing:
        raise DataError(f"{source.path} lacks {', '.join(missing)} of {layout.name}. Download or copy it again, whole.")
    return layout


def _classes(source: _Source, layout: _Layout) -> dict[str, tuple[str, ...]]:
    return {column: _class_names(source, *place) for column, place in layout.names.items()}


def _class_names(source: _Source, file: str, key: str) -> tuple[str, ...]:
    if key:
        listed = _unpickled(source, file).get(key)
        names = tuple(map(_text, listed)) if isinstance(listed, list) else ()
    else:
        names = tuple(line for line in source.read(file).decode("latin-1").splitlines() if line.strip())
    if len(names) < 2 or len(set(names)) < len(names) or not all(names):
        raise DataError(f"{source.path / file} does not hold the names of the classes. {_REMEDY}")
    return names


def _binary_file(
    source: _Source, file: str, layout: _Layout, classes: Mapping[str, tuple[str, ...]]
) -> tuple[npt.NDArray[np.uint8], dict[str, npt.NDArray[np.int64]]]:
    """Records of a byte for each column of labels and then the pixels: red, green, blue, each row by row."""
    content = source.read(file)
    record = len(layout.columns) + _PIXELS
    if not content or len(content) % record:
        raise DataError(
            f"{source.path / file} has {len(content):,} bytes, which is no whole number of pictures "
            f"of {record:,} bytes. {_REMEDY}"
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, record)
    labels = {column: rows[:, place].astype(np.int64) for place, column in enumerate(layout.columns)}
    _check_labels(source, file, labels, classes)
    return rows[:, len(layout.columns) :].reshape(-1, 3, 32, 32), labels


def _python_file(
    source: _Source, file: str, layout: _Layout, classes: Mapping[str, tuple[str, ...]]
) -> tuple[npt.NDArray[np.uint8], dict[str, npt.NDArray[np.int64]]]:
    content = _unpickled(source, file)
    images = content.get("data")
    if not isinstance(images, np.ndarray) or images.ndim != 2 or images.shape[1] != _PIXELS or not len(images):
        raise DataError(f"{source.path / file} holds no pictures of 32×32 in colour. {_REMEDY}")
    labels = {}
    for column, key in layout.columns.items():
        numbers = content.get(key)
        if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
            raise DataError(f"{source.path / file} holds no list of {key}. {_REMEDY}")
        if len(numbers) != len(images):
            raise DataError(
                f"{source.path / file} holds {len(images):,} pictures and {len(numbers):,} {key}. {_REMEDY}"
            )
        # Beyond 64 bits a number is out of range all the more.
        labels[column] = np.array([min(max(number, -1), 1 << 32) for number in numbers], np.int64)
    _check_labels(source, file, labels, classes)
    return images.reshape(-1, 3, 32, 32), labels


def _check_labels(
    source: _Source,
    file: str,
    labels: Mapping[str, npt.NDArray[np.int64]],
    classes: Mapping[str, tuple[str, ...]],
) -> None:
    for column, numbers in labels.items():
        wrong = np.flatnonzero((numbers < 0) | (numbers >= len(classes[column])))
        if len(wrong):
            raise DataError(
                f"{source.path / file} gives picture {wrong[0]:,} the {column} {numbers[wrong[0]]}, and there are "
                f"{len(classes[column])} ({len(wrong):,} such pictures). {_REMEDY}"
            )


def _joined(
    parts: list[tuple[npt.NDArray[np.uint8], dict[str, npt.NDArray[np.int64]]]],
) -> CifarSplit:
    columns = sorted(parts[0][1])
    targets = {column: np.concatenate([labels[column] for _, labels in parts]) for column in columns}
    return CifarSplit(np.concatenate([images for images, _ in parts]), targets)


def _unpickled(source: _Source, file: str) -> dict[str, Any]:
    try:
        content = load_pickle(io.BytesIO(source.read(file)))
    except RefusedPickleError as error:
        raise DataError(
            f"{source.path / file} was not read, because it {error}, which no file of CIFAR does: it may be made to do "
            "harm. Delete it and download the set from where it is published."
        ) from error
    except ValueError as error:
        raise DataError(f"{source.path / file} is damaged ({error}). {_REMEDY}") from error
    if not isinstance(content, dict):
        raise DataError(f"{source.path / file} is no file of CIFAR: it holds no dictionary. {_REMEDY}")
    return {_text(key): value for key, value in content.items()}


def _text(value: object) -> str:
    """Text of either Python; empty for what is none."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""
