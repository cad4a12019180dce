"""The table of a run's epochs, ``history.csv``: written so that every number reads back the same to the bit."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.core.errors import DataError
from cnnlab.core.files import open_regular, write_text

if TYPE_CHECKING:
    import pandas as pd


def write_history(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replaces the table; columns in the order in which they first come up, what is unknown left empty.

    :raises StorageError: when it cannot be written; the table that stood there stays.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    write_text(path, text.getvalue())


def read_history(path: Path) -> "pd.DataFrame":
    """The table, with whole numbers, floats and texts told apart by column; empty where there is none yet.

    pandas' own reader is not exact to the last bit in all its versions.

    :raises DataError: when it was changed by other hands and is no table any more.
    """
    import pandas as pd

    try:
        with io.TextIOWrapper(open_regular(path), encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file))
    except FileNotFoundError:
        return pd.DataFrame()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is damaged: {getattr(error, 'strerror', error)}. Put the file back.") from error
    columns, rows = (lines[0], lines[1:]) if lines else ([], [])
    if any(len(row) != len(columns) for row in rows) or len(set(columns)) < len(columns):
        raise DataError(
            f"{path} is damaged: its rows differ in length, or two columns have one name. Put the file back."
        )
    return pd.DataFrame({name: _values([row[place] for row in rows]) for place, name in enumerate(columns)})


def _cell(value: Any) -> str:
    value = value.item() if hasattr(value, "item") else value
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def _values(texts: Sequence[str]) -> list[Any]:
    try:
        return [int(text) for text in texts]
    except ValueError:
        pass
    try:
        return [float(text or "nan") for text in texts]
    except ValueError:
        return list(texts)
