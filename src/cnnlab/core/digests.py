"""Digests of plain values: the same for the same content, in any process."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnlab.core.files import open_regular

_CHUNK = 1 << 20


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces; refuses what has no plain form."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Mapping[str, Any] | list[Any] | str | bytes) -> str:
    """SHA-256 in hexadecimal of bytes, or of the canonical JSON of anything else."""
    content = value if isinstance(value, bytes) else canonical_json(value).encode()
    return hashlib.sha256(content).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    result = hashlib.sha256()
    # Files of the kernel may have nothing to give, which hashlib's own loop takes for more to come.
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK):
            result.update(chunk)
    return result.hexdigest()
