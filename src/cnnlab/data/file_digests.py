"""What tells the content of files from any other: SHA-256, remembered for as long as nothing says that they changed."""

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from cnnlab.core.digests import digest, file_digest
from cnnlab.core.errors import DataError, StorageError
from cnnlab.core.file_systems import all_trusted
from cnnlab.core.files import cache_folder, file_stamp, write_text
from cnnlab.data.formats.folders import walk

_SETTLED_NS = 2_000_000_000
_WORKERS = 4
_FEW = 16
_QUICKLY_READ = 1 << 30


def digest_files(paths: Sequence[Path]) -> str:
    """A digest of the content of these files, and of the names and content of all files in these folders.

    A few files by themselves, such as an archive, are read whole each time, up to a gigabyte. Of others the digest is
    remembered for as long as size, times and inode of each stay the same, unless they lie where these cannot be
    trusted, as on a share of the network.

    :raises DataError: when one cannot be read.
    """
    try:
        listing = [file for path in paths for file in _files(path)]
        states = [path.stat() for _, path in listing]
        memo = None if _is_to_be_read(paths, states) else _memo(listing, states)
        if memo is not None and memo.exists():
            return memo.read_text(encoding="ascii")
        content = _content(listing)
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from error
    if memo is not None:
        with suppress(StorageError):
            write_text(memo, content)
    return content


def _files(path: Path) -> list[tuple[str, Path]]:
    """Files with the names that count: those inside a folder, none for a file by itself."""
    if not path.is_dir():
        return [("", path)]
    return [(name, path / name) for name in walk(path)[0]]


def _is_to_be_read(paths: Sequence[Path], states: Sequence[os.stat_result]) -> bool:
    """Whether content is compared in any case."""
    are_few = len(paths) <= _FEW and not any(path.is_dir() for path in paths)
    return are_few and sum(state.st_size for state in states) <= _QUICKLY_READ


def _memo(listing: Sequence[tuple[str, Path]], states: Sequence[os.stat_result]) -> Path | None:
    """Where the digest of these files, in this state, is remembered; None where their state tells too little."""
    # A file changed just now may change again without its times showing it.
    settled = time.time_ns() - _SETTLED_NS
    if any(max(state.st_mtime_ns, state.st_ctime_ns) >= settled for state in states):
        return None
    if not all_trusted(path.parent for _, path in listing):
        return None
    state = [[name, str(path.absolute()), *file_stamp(s)] for (name, path), s in zip(listing, states, strict=True)]
    return cache_folder() / "fingerprints" / _digest_text(state)


def _content(listing: Sequence[tuple[str, Path]]) -> str:
    with ThreadPoolExecutor(_WORKERS) as pool:
        digests = list(pool.map(file_digest, [path for _, path in listing]))
    return _digest_text([[name, value] for (name, _), value in zip(listing, digests, strict=True)])


def _digest_text(value: object) -> str:
    # Names that are not valid Unicode are kept apart by their escapes.
    return digest(json.dumps(value, ensure_ascii=True))
