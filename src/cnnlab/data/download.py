"""Finding the files of a named data set, or downloading them, and knowing that they are the right ones.

Looked in, in this order: the folder given (``--data-dir``), ``CNNLAB_DATA``, and ``data`` in the user's cache, where a
download goes. A file with a known checksum is checked when it is found; that it passed is remembered in the cache for
as long as its size and its time of change stay.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cnnlab.core import notebook
from cnnlab.core.digests import digest
from cnnlab.core.errors import DataError, StorageError, UsageError
from cnnlab.core.files import cache_folder, file_stamp, make_folder, storage_errors, user_path
from cnnlab.core.lookups import is_there
from cnnlab.core.messages import bar_console, note, shows_bars
from cnnlab.data.catalogue import CatalogueFile, Checksum, NamedSet, named_set
from cnnlab.data.formats.idx import content_digest

_TRIES = 2
_SECONDS_TO_CONNECT = 10
_SECONDS_OF_SILENCE = 60
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Located:
    """The files of a named set on this machine.

    :param paths: each part's role with its path; see :class:`~cnnlab.data.catalogue.CatalogueFile`.
    :param verified: whether every file was compared with a known checksum, and was the same.
    """

    entry: NamedSet
    paths: Mapping[str, Path]
    verified: bool

    @property
    def options(self) -> Mapping[str, Any]:
        """What the reader has to be told."""
        return self.entry.options


@dataclass(frozen=True)
class _Found:
    path: Path
    part: CatalogueFile
    is_ours: bool = field(default=False)


def locate(name: str, data_dir: Path | str | None = None, offline: bool = False) -> Located:
    """The files of the named set, downloaded if they are nowhere on this machine and ``offline`` is false.

    :raises UsageError: for a name that is not in the catalogue, or a ``data_dir`` that is no folder.
    :raises DataError: when a file is not what goes by that name, or cannot be had.
    :raises StorageError: when a download cannot be written.
    """
    entry = named_set(name)
    folders = _folders(data_dir)
    files = _search(entry, folders)
    may_download = entry.is_downloadable and not offline
    if files is None or not all(_is_right(file, entry, may_download) for file in files):
        files = _obtain(entry, folders, offline)
    verified = all(_is_checkable(file) for file in files)
    return Located(entry, {file.part.role: file.path for file in files}, verified)


def find(name: str, data_dir: Path | str | None = None) -> Path | None:
    """Where the named set lies on this machine, without looking into its files; none where it does not."""
    files = _search(named_set(name), _folders(data_dir))
    return None if not files else files[0].path if len(files) == 1 else files[0].path.parent


def downloads_folder() -> Path:
    """The folder of data sets in the user's cache."""
    return cache_folder() / "data"


def _folders(data_dir: Path | str | None) -> list[Path]:
    folders = []
    if data_dir is not None:
        folder = user_path(data_dir)
        if not folder.is_dir():
            raise UsageError(f"the folder of data sets {folder} does not exist. Make it, or name another.")
        folders.append(folder)
    if os.environ.get("CNNLAB_DATA"):
        folders.append(user_path(os.environ["CNNLAB_DATA"]))
    return [*folders, downloads_folder()]


def _search(entry: NamedSet, folders: list[Path]) -> list[_Found] | None:
    """A packing of which every part is there, those in an earlier folder first."""
    for folder in folders:
        for packing in entry.packings:
            files = [_look(part, [folder]) for part in packing]
            if all(files):
                return [file for file in files if file]
    return None


def _look(part: CatalogueFile, folders: list[Path]) -> _Found | None:
    for folder in folders:
        for place in part.places:
            path = folder / place
            if not is_there(path):
                continue
            if path.is_file() or (path.is_dir() and all((path / member).is_file() for member in part.members)):
                return _Found(path, part, folder == downloads_folder())
    return None


def _is_checkable(file: _Found) -> bool:
    if file.path.is_dir():
        return bool(file.part.members) and None not in file.part.members.values()
    return file.part.checksum is not None


def _is_right(file: _Found, entry: NamedSet, may_download: bool) -> bool:
    """Whether the file is what goes by the name; a wrong one is refused, unless cnnlab can get it again itself."""
    for path, checksum in _expected(file):
        if _matches(path, checksum):
            continue
        if file.is_ours and may_download:
            note(f"{path} is damaged and is downloaded again.")
            return False
        raise DataError(
            f"{path} is not the file that goes by the name {entry.name}: its {checksum.algorithm.upper()}"
            f"{' (decompressed)' if checksum.of_content else ''} should be {checksum.value}. It may be damaged, or "
            f"another version: replace it by the original ({entry.homepage}), or move it and read it by its own path."
        )
    return True


def _expected(file: _Found) -> Iterator[tuple[Path, Checksum]]:
    if file.path.is_dir():
        yield from ((file.path / name, checksum) for name, checksum in file.part.members.items() if checksum)
    elif file.part.checksum:
        yield file.path, file.part.checksum


def _matches(path: Path, checksum: Checksum) -> bool:
    if _mark(path, checksum).exists():
        return True
    if _checksum_of(path, checksum) != checksum.value:
        return False
    _remember(path, checksum)
    return True


def _mark(path: Path, checksum: Checksum) -> Path:
    """The empty file whose being there says that this state of the file was compared with its checksum."""
    key = [str(path.resolve()), *file_stamp(path.stat())]
    return cache_folder() / "verified" / digest([*key, checksum.algorithm, checksum.value, checksum.of_content])


def _remember(path: Path, checksum: Checksum) -> None:
    mark = _mark(path, checksum)
    # A cache that cannot be written to costs the next check some time, no more.
    with suppress(StorageError, OSError):
        make_folder(mark.parent)
        mark.touch()


def _checksum_of(path: Path, checksum: Checksum) -> str:
    if checksum.of_content:
        try:
            return content_digest(path)
        except DataError:
            # Damaged compression: it has no content, and so is not the right file.
            return ""
    result = hashlib.new(checksum.algorithm, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            result.update(chunk)
    return result.hexdigest()


def _obtain(entry: NamedSet, folders: list[Path], offline: bool) -> list[_Found]:
    """The first packing, its missing parts downloaded."""
    if offline or not entry.is_downloadable:
        raise DataError(_how_to_bring(entry, folders, _reason(entry, offline)))
    files = []
    for part in entry.packings[0]:
        file = _look(part, folders)
        if file is None or not _is_right(file, entry, may_download=True):
            file = _Found(_download(entry, part, folders), part, is_ours=True)
        files.append(file)
    return files


def _reason(entry: NamedSet, offline: bool) -> str:
    if not entry.is_downloadable:
        return "and it has no public address to download it from"
    return "and the network is not to be used (offline)" if offline else ""


def _how_to_bring(entry: NamedSet, folders: list[Path], reason: str) -> str:
    """One paragraph: which files, where to get them, where to put them."""
    parts = entry.packings[0]
    first = Path(parts[0].places[0])
    names = ", ".join(Path(part.places[0]).name for part in parts)
    address = parts[0].addresses[0] if entry.is_downloadable else entry.homepage
    source = address if len(parts) == 1 else address.rpartition("/")[0] + "/"
    explanation = f" {entry.note}" if entry.note and not entry.is_downloadable else ""
    return (
        f"the data set {entry.name} was not found in {' or '.join(map(str, folders))}, {reason}. "
        f"Get {names} from {source} and put {'it' if len(parts) == 1 else 'them'} into {folders[0] / first.parent}, "
        f"or name the folder that holds {first} by --data-dir or CNNLAB_DATA.{explanation}"
    )


def _download(entry: NamedSet, part: CatalogueFile, folders: list[Path]) -> Path:
    """The part, from the first of its addresses that gives the right file, put into place whole."""
    target = downloads_folder() / part.places[0]
    failures = []
    with storage_errors(target), _workspace(target) as folder:
        for address in part.addresses:
            note(f"Downloading {address}")
            try:
                path = _retrieve(address, part, folder)
            except ValueError:
                failures.append(f"{address}: what arrived has not the right checksum")
            except OSError as error:
                # A disk that is full is no reason to try another address.
                if not _is_of_network(error):
                    raise
                failures.append(f"{address}: {_in_short(error)}")
            else:
                os.replace(path, target)
                if part.checksum:
                    _remember(target, part.checksum)
                return target
    reason = f"and its download failed ({'; '.join(failures)})"
    raise DataError(_how_to_bring(entry, folders, reason))


@contextmanager
def _workspace(target: Path) -> Iterator[Path]:
    with TemporaryDirectory(dir=make_folder(target.parent), prefix=".download-") as folder:
        yield Path(folder)


def _retrieve(address: str, part: CatalogueFile, folder: Path) -> Path:
    """Downloads by pooch, which raises ValueError for a wrong checksum and OSError for the network's failures."""
    import pooch

    # Its log repeats what is said here, at a level that shows.
    pooch.get_logger().setLevel("ERROR")
    name = Path(part.places[0]).name
    known = part.checksum and not part.checksum.of_content
    expected = f"{part.checksum.algorithm}:{part.checksum.value}" if part.checksum and known else None
    store = pooch.create(
        folder, base_url="", registry={name: expected}, urls={name: address}, retry_if_failed=_TRIES - 1
    )
    with _bar(name) as bar:
        timeout = (_SECONDS_TO_CONNECT, _SECONDS_OF_SILENCE)
        downloader = pooch.HTTPDownloader(progressbar=bar or False, chunk_size=_CHUNK, timeout=timeout)
        path = Path(store.fetch(name, downloader=downloader))
    if part.checksum and not known and _checksum_of(path, part.checksum) != part.checksum.value:
        path.unlink()
        raise ValueError(name)
    return path


class _DownloadBar:
    """A bar of ours with the methods by which pooch moves one: bytes that arrived, of ``total``."""

    def __init__(self, progress: Any, name: str) -> None:
        self._progress, self._task = progress, progress.add_task(name, total=None)

    total = property(fset=lambda self, size: self._progress.reset(self._task, total=size))

    def update(self, size: int) -> None:
        self._progress.advance(self._task, size)

    def reset(self) -> None:
        self._progress.reset(self._task)

    def close(self) -> None:
        """It ends with its block, also when the download breaks off."""


@contextmanager
def _bar(name: str) -> Iterator[_DownloadBar | None]:
    """A bar for this file on a terminal, None elsewhere."""
    if not shows_bars() or notebook.is_here():
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=bar_console(), transient=True) as progress:
        yield _DownloadBar(progress, name)


def _is_of_network(error: OSError) -> bool:
    # What requests raises is an OSError too, of classes of its own.
    return type(error).__module__.startswith(("requests", "urllib3"))


def _in_short(error: OSError) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}"
    words = {
        "ConnectTimeout": f"no answer within {_SECONDS_TO_CONNECT} s",
        "ReadTimeout": f"no more data for {_SECONDS_OF_SILENCE} s",
        "ChunkedEncodingError": "the connection broke off",
        "ConnectionError": "no connection",
        "SSLError": "the server's certificate is not trusted",
        "ProxyError": "the proxy could not be reached",
    }
    return words.get(type(error).__name__, str(error))
