"""What tells the content of files from any other: SHA-256, remembered for as long as sizes and times stay."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from cnnlab.core.digests import digest, file_digest
from cnnlab.core.errors import DataError, StorageError
from cnnlab.core.files import cache_folder, write_text
from cnnlab.data.formats.archives import walk

_SETTLED_NS = 2_000_000_000
_WORKERS = 4


def digest_files(paths: Sequence[Path]) -> str:
    """A digest of the content of these files, and of the names and content of all files in these folders.

    :raises DataError: when one cannot be read.
    """
    try:
        listing = [file for path in paths for file in _files(path)]
        stamps = [_stamp(path) for _, path in listing]
        state = [[name, str(path.absolute()), *stamp] for (name, path), stamp in zip(listing, stamps, strict=True)]
        memo = cache_folder() / "fingerprints" / _digest_text(state)
        # A file changed just now may change again without its time of change showing it.
        is_settled = all(modified < time.time_ns() - _SETTLED_NS for _, modified in stamps)
        if is_settled and memo.exists():
            return memo.read_text()
        content = _content(listing)
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}.") from error
    if is_settled:
        with suppress(StorageError):
            write_text(memo, content)
    return content


def _files(path: Path) -> list[tuple[str, Path]]:
    """Files with the names that count: those inside a folder, none for a file by itself."""
    if not path.is_dir():
        return [("", path)]
    return [(name, path / name) for name in sorted(walk(path)[0])]


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _content(listing: Sequence[tuple[str, Path]]) -> str:
    with ThreadPoolExecutor(_WORKERS) as pool:
        digests = list(pool.map(file_digest, [path for _, path in listing]))
    return _digest_text([[name, value] for (name, _), value in zip(listing, digests, strict=True)])


def _digest_text(value: object) -> str:
    # Names that are not valid Unicode are kept apart by their escapes.
    return digest(json.dumps(value, ensure_ascii=True))
