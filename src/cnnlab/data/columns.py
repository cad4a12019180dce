"""Target columns: from numbers and names to int64 class indices or float32 numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.errors import DataError
from cnnlab.data.imageset import check_range

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
    return whole(numbers)


def whole(numbers: NDArray[Any]) -> tuple[Tensor, tuple[str, ...] | None]:
    """Whole numbers: int64 with the classes 0, 1, … where they are few and not negative, else float32."""
    if len(numbers) and numbers.min() >= 0 and numbers.max() < _MOST_ORDINALS:
        return torch.tensor(numbers.astype(np.int64)), tuple(map(str, range(int(numbers.max()) + 1)))
    return torch.tensor(numbers, dtype=torch.float32), None


def from_array(column: str, values: Any, classes: Sequence[str] | None = None) -> Tensor:
    """A column from numbers: whole ones as int64, others as float32; one-hot rows as the place of their one.

    :raises DataError: for what is neither, or is out of the range of ``classes``.
    """
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    array = _flat(column, array)
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
    if len(result):
        check_range(column, result, MOST_CLASSES if classes is None else len(classes))
    return result


def class_names(
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
