"""Target columns as an objective finds them: which there are, and what numbers they hold."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from torch import Tensor

from cnnlab.core.errors import UsageError, suggestion

Targets: TypeAlias = Mapping[str, Tensor]
"""Named columns, each of length N: int64 class indices, or float32 numbers."""
Columns: TypeAlias = Mapping[str, tuple[str, ...] | None]
"""The target columns of a data set, with the class names of those that hold classes."""


def column_list(columns: Iterable[str]) -> str:
    """Columns as a message lists them."""
    return ", ".join(columns) or "none"


def named_classes(columns: Columns, column: str | None, objective: str) -> tuple[str, tuple[str, ...]]:
    """The column of classes that an objective is for, and the names of its classes.

    :param column: as the spec names it; None for the only one there is.
    :raises UsageError: when it holds no classes, or which one is meant is not clear.
    """
    named = [name for name, names in columns.items() if names is not None]
    if column is None:
        if len(named) != 1:
            raise UsageError(
                f"objective={objective} needs one target column that holds classes; the data's columns are: "
                f"{column_list(columns)}. {_remedy(columns, named, objective)}"
            )
        column = named[0]
    if column in columns and columns[column] is None:
        raise UsageError(
            f"the data has no column of classes called {column!r}: it holds numbers. Take an objective for numbers, "
            f"such as 'objective=scalar(column={column})'."
        )
    names = columns.get(column)
    if names is None:
        raise UsageError(f"the data has no column of classes called {column!r}. {suggestion(column, named)}")
    if len(names) < 2:
        raise UsageError(f"column {column!r} holds fewer than two classes, so there is nothing to learn.")
    return column, names


def _remedy(columns: Columns, named: list[str], objective: str) -> str:
    """What to write instead, with columns that are there."""
    if named:
        return f"Name one, as in 'objective={objective}(column={named[0]})'."
    if columns:
        return f"Take an objective for numbers, as in 'objective=scalar(column={next(iter(columns))})'."
    return "Give pictures that have targets."


def number_table(columns: Columns, column: str, objective: str) -> tuple[float, ...] | None:
    """The number that each class of a column stands for; None for a column that holds numbers as they are.

    :raises UsageError: when there is no such column, or its classes are not named by numbers.
    """
    if column not in columns:
        raise UsageError(f"the data has no target column called {column!r}. {suggestion(column, columns)}")
    names = columns[column]
    if names is None:
        return None
    numbers = _numbers(names)
    if numbers is None:
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        raise UsageError(
            f"column {column!r} holds classes that are no numbers ({shown}), and objective={objective} predicts a "
            f"number. Take 'objective=classes(column={column})' for them."
        )
    return numbers


def number_columns(columns: Columns) -> list[str]:
    """The columns that hold numbers, or classes named by numbers."""
    return [name for name, names in columns.items() if names is None or _numbers(names) is not None]


def _numbers(names: tuple[str, ...]) -> tuple[float, ...] | None:
    try:
        return tuple(float(name) for name in names)
    except ValueError:
        return None
