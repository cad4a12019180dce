"""safetensors files that say of themselves what they hold, and how one is refused that is not ours or is damaged."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.core.sinks import in_short

if TYPE_CHECKING:
    from pydantic import BaseModel

KEY = "cnnlab"
"""Of the metadata: several keys would be written in random order, so that one holds everything, sorted."""


@contextmanager
def refusing(path: Path, what: str, remedy: str = "") -> Iterator[None]:
    """A block in which a file is read that should hold something.

    :param what: it should hold, in words; ``remedy`` what to do where it does not.
    :raises ModelFileError: for whatever is wrong with it.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (
        SafetensorError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OSError,
        MemoryError,
        UsageError,
    ) as error:
        raise ModelFileError(f"{path} does not hold {what}, or is damaged ({error}). {remedy}".rstrip()) from error


def read_header(
    metadata: Mapping[str, str] | None, path: Path, kind: str, version: int, schema: "type[BaseModel]"
) -> dict[str, Any]:
    """What a file says of itself, as plain JSON that fits a schema.

    :param kind: that it should be of; ``version`` the latest that is known.
    :param schema: that it should fit.
    :raises ModelFileError: for a file of others, of another kind, or of a later version.
    :raises ValueError: naming the first field that does not fit.
    """
    from cnnlab.core.schemas import what_is_wrong

    try:
        header: dict[str, Any] = json.loads((metadata or {})[KEY])
        found, written_by = header["kind"], int(header["format"])
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError):
        raise ModelFileError(
            f"{path} is a safetensors file that cnnlab did not write: it says nothing of itself."
        ) from None
    if found != kind:
        raise ModelFileError(f"{path} holds '{in_short(str(found))}', not '{kind}'.")
    if written_by > version:
        raise ModelFileError(f"{path} was written by a later version of cnnlab. Update cnnlab to read it.")
    wrong = what_is_wrong(schema, header)
    if wrong is not None:
        raise ValueError(wrong)
    return header
