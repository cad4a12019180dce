"""Target columns: from numbers and names to int64 class indices or float32 numbers."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.errors import DataError
from cnnlab.core.sinks import visible
from cnnlab.data.arrays import as_array
from cnnlab.data.imageset import check_range

LABEL = "label"
"""The name of a column of classes where nobody gave one."""
MOST_CLASSES = 100_000
_MOST_ORDINALS = 1_000


def named(values: Sequence[str], classes: Sequence[str], column: str = "label") -> Tensor:
    """The index of every name among ``classes``.

    :raises DataError: naming what is not among them.
    """
    places = {name: place for place, name in enumerate(classes)}
    unknown = sorted({value for value in values if value not in places})
    if unknown:
        shown = ", ".join(unknown[:10])
        raise DataError(f"{column} holds {shown}, which is not among the classes {', '.join(classes[:20])}.")
    return torch.tensor([places[value] for value in values], dtype=torch.int64)


def in_order(names: Sequence[str] | set[str]) -> tuple[str, ...]:
    """The distinct names sorted: as numbers where all are whole numbers, else as text."""
    distinct = set(names)
    if all(_is_whole(name) for name in distinct):
        return tuple(sorted(distinct, key=int))
    return tuple(sorted(distinct))


def from_text(column: str, values: Sequence[str], *, is_label: bool) -> tuple[Tensor, tuple[str, ...] | None]:
    """A column as written in a file, and its class names where it holds classes.

    Words are classes. Whole numbers are classes where ``is_label``; otherwise, from 0 to 999, they keep their value
    and are classes 0, 1, … up to the largest too, so that either a classification or a regression can use them. All
    other numbers are float32.

    :raises DataError: when a value is missing or infinite.
    """
    # Composed and decomposed letters, as systems differ in, are the same.
    values = [visible(unicodedata.normalize("NFC", value)) for value in values]
    missing = [place for place, value in enumerate(values) if not value.strip()]
    if missing:
        raise DataError(
            f"{column} is empty in {len(missing):,} of {len(values):,} rows; fill it in, or remove the rows."
        )
    try:
        numbers = np.array([float(value) for value in values])
    except ValueError:
        classes = in_order(values)
        return named(values, classes, column), classes
    if not np.isfinite(numbers).all():
        raise DataError(f"{column} holds a value that is not a finite number.")
    if not (numbers == np.round(numbers)).all():
        return torch.tensor(numbers, dtype=torch.float32), None
    if is_label:
        classes = in_order(values)
        return named(values, classes, column), classes
    return whole_numbers(numbers)


def whole_numbers(numbers: NDArray[Any]) -> tuple[Tensor, tuple[str, ...] | None]:
    """Whole numbers: int64 with the classes 0, 1, … where they are few and not negative, else float32."""
    if len(numbers) and numbers.min() >= 0 and numbers.max() < _MOST_ORDINALS:
        return torch.tensor(numbers.astype(np.int64)), tuple(map(str, range(int(numbers.max()) + 1)))
    return torch.tensor(numbers, dtype=torch.float32), None


def from_array(column: str, values: Any, classes: Sequence[str] | None = None, where: str = "") -> Tensor:
    """A column from numbers: whole ones as int64, others as float32; one-hot rows as the place of their one.

    :param where: the file that the values are from, or what else to call them in a message.
    :raises DataError: for what is neither, or is out of the range of ``classes``.
    """
    array = _flat(column, as_numpy(column, values))
    if array.dtype.kind in "US":
        text = [str(value) for value in array.astype(str)]
        return named(text, classes or in_order(text), column)
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise DataError(f"{column} holds values that are not finite numbers.")
        return torch.tensor(array, dtype=torch.float32)
    if array.dtype.kind not in "iub":
        raise DataError(f"{column} holds {array.dtype}; targets are numbers, or names as text.")
    result = torch.tensor(array.astype(np.int64))
    if classes is None:
        _check_numbered(column, result, where)
    else:
        check_range(column, result, len(classes), where)
    return result


def as_numpy(column: str, values: Any) -> NDArray[Any]:
    """The values as an array.

    :raises DataError: when they are rows of different lengths.
    """
    try:
        return as_array(values, column)
    except ValueError as error:
        raise DataError(f"{column} holds values of different lengths; there must be one for each picture.") from error


def check_beyond_train(
    splits: Mapping[str, Mapping[str, Tensor]], known: Mapping[str, Sequence[str]], where: Mapping[str, str]
) -> None:
    """Refuses a numbered label that is higher than any of train: a classifier has no output for it.

    Columns by other names may be numbers to predict, of which any may be the highest.

    :param known: the columns whose classes are named, which says how many there are.
    :param where: what to call the targets of each split in a message.
    :raises DataError: naming the first such label and its place.
    """
    mine = splits["train"].get(LABEL)
    if LABEL in known or mine is None or mine.dtype != torch.int64 or not len(mine):
        return
    highest = int(mine.max())
    for split, columns in splits.items():
        column = columns.get(LABEL, mine)
        beyond = (column > highest).nonzero()[:, 0].tolist() if column.dtype == torch.int64 else []
        if beyond:
            place, others = beyond[0], len(beyond) - 1
            more = f", and {others:,} more {'is' if others == 1 else 'are'} out of range" if others else ""
            raise DataError(
                f"{where[split]}: {LABEL} is {int(column[place])} at picture {place} (counted from 0) of {split}"
                f"{more}: the labels of train go from 0 to {highest}. Correct it, or name all classes if train "
                "merely has no picture of some; numbers that are to be predicted as such are stored as floats."
            )


def class_names_of(
    columns: Sequence[Mapping[str, Tensor]], known: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """The class names of every integer column of these splits: the known ones, else 0, 1, … up to the largest."""
    names: dict[str, tuple[str, ...]] = {}
    for split in columns:
        for column, values in split.items():
            if column in known:
                names[column] = tuple(known[column])
            elif values.dtype == torch.int64 and len(values):
                largest = max(int(values.max()), len(names.get(column, ())) - 1)
                names[column] = tuple(map(str, range(largest + 1)))
    return names


def _check_numbered(column: str, values: Tensor, where: str) -> None:
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    if low < 0 or high >= MOST_CLASSES:
        place = int((values == (low if low < 0 else high)).nonzero()[0])
        why = "classes are numbered from 0" if low < 0 else f"there are {MOST_CLASSES:,} classes at most"
        raise DataError(
            f"{f'{where}: ' if where else ''}{column} is {int(values[place])} at picture {place} (counted from 0), and "
            f"{why}. Correct it; numbers that are to be predicted as such are stored as floats."
        )


def _flat(column: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim == 2 and np.isin(array, (0, 1)).all() and (array.sum(1) == 1).all():
        places: NDArray[Any] = np.argmax(array, axis=1)
        return places
    if array.ndim != 1:
        raise DataError(
            f"{column} has the shape {array.shape}: one value for each picture is wanted, or one-hot rows. "
            "Give several targets as a mapping of named columns."
        )
    return array


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit()
