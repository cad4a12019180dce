"""Records that rooms above keep in a run's folder beside ``run.json``, such as ``ensemble.json``."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from cnnlab.core.errors import DataError, UsageError
from cnnlab.core.files import read_regular
from cnnlab.runs.run import Run

_MOST_BYTES = 64 << 20
_SAID = 120
Kept = TypeVar("Kept", bound=BaseModel)


def read_kept_record(run: Run | Path, file: str, model: type[Kept], newest: int, *, missing: str, made: str) -> Kept:
    """A record as its model has it.

    :param model: with a field ``format``, which is ``newest`` at most.
    :param missing: what a folder without the file is not, as in ``is no ensemble``.
    :param made: what it is the record of, for the remedy: ``ensemble``.
    :raises UsageError: for a run that has no such record.
    :raises DataError: when the file is damaged.
    """
    folder = run.folder if isinstance(run, Run) else run
    path = folder / file
    try:
        record = model.model_validate_json(read_regular(path, _MOST_BYTES))
    except FileNotFoundError:
        raise UsageError(f"{folder.name} {missing}: it holds no {file}.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))[:_SAID]
        raise damaged_record(path, f"{place}: {first['msg'][:_SAID]}", made) from error
    found = getattr(record, "format", 0)
    if found > newest:
        raise DataError(
            f"{path} has format {found}, from a newer cnnlab; this one reads up to {newest}. Update cnnlab."
        )
    return record


def damaged_record(path: Path, reason: str, made: str) -> DataError:
    """What is said of a record that cannot be meant."""
    return DataError(
        f"{path} is damaged or from another version of cnnlab ({reason}). Put the file back from a copy, or make the "
        f"{made} anew."
    )
