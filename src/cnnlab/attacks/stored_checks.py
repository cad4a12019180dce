"""What was looked for besides an attack, kept beside what it came to, so that doubts travel with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cnnlab.attacks.checks import Check
from cnnlab.core.files import read_regular, write_text

FILE = "checks.json"
_MOST_BYTES = 1 << 20
_Text = Annotated[str, Field(max_length=1 << 12)]


class _KeptCheck(BaseModel):
    model_config = ConfigDict(strict=True)

    name: _Text
    finding: _Text
    is_warning: bool


class _Record(BaseModel):
    model_config = ConfigDict(strict=True)

    format: Literal[1]
    pictures: int
    checks: list[_KeptCheck]


def read_checks(folder: Path, pictures: int) -> tuple[Check, ...] | None:
    """What is on record of an attack on just so many pictures; None where nothing is, or nothing that can be read."""
    try:
        record = _Record.model_validate_json(read_regular(folder / FILE, _MOST_BYTES))
    except (OSError, ValidationError):
        return None
    return tuple(Check(**each.model_dump()) for each in record.checks) if record.pictures == pictures else None


def write_checks(folder: Path, pictures: int, checks: Sequence[Check]) -> None:
    """Puts them on record, in the place of those of an earlier number of pictures.

    :raises StorageError: when it cannot be written.
    """
    kept = [_KeptCheck(**each.to_dict()) for each in checks]
    record = _Record(format=1, pictures=pictures, checks=kept)
    write_text(folder / FILE, record.model_dump_json(indent=1) + "\n")
