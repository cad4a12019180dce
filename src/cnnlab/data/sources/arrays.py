"""What the arrays in a file of arrays are: pictures, targets and class names of which split, by their names."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cnnlab.core.errors import DataError
from cnnlab.core.messages import first_few
from cnnlab.data.formats.labelled_arrays import LabelledArrays, content_of
from cnnlab.data.reading import Content
from cnnlab.data.split_names import SPLIT_NAMES
from cnnlab.data.target_columns import in_order

_IMAGES = {"x", "image", "images", "picture", "pictures", "pixels", "data", "arr0"}
_TARGETS = {"y", "label", "labels", "target", "targets", "arr1"}
_CLASSES = {"classes", "classnames", "labelnames", "listclasses"}
_FILLERS = {"set"}
_ADVICE = "Call them x_train, y_train, x_test and y_test (or images and labels; class_names for the names)."


def content_of_arrays(
    path: str, names: Iterable[str], get: Callable[[str], Any], targets: Sequence[str] | None
) -> Content:
    """The content of a file of named arrays.

    :param get: the array of that name; pictures may be given as what gives arrays when sliced.
    :param targets: what to call the columns of targets with several values for each picture.
    :raises DataError: when no pictures are among them, or the arrays do not fit together.
    """
    roles = assign(names)
    if ("train", "images") not in roles:
        raise DataError(f"{path}: none of the arrays {first_few(sorted(names)) or '(none)'} holds pictures. {_ADVICE}")
    raw = {split: np.asarray(get(roles[split, "targets"])[()]) for split, kind in roles if kind == "targets"}
    columns = {split: _columns(f"{path}, {roles[split, 'targets']}", values, targets) for split, values in raw.items()}
    classes = _words(columns)
    if ("", "classes") in roles:
        classes["label"] = _text(np.asarray(get(roles["", "classes"])[()]))
    splits = {
        split: LabelledArrays(
            get(name), columns.get(split, {}), f"{path}, {name}", f"{path}, {roles.get((split, 'targets'))}"
        )
        for (split, kind), name in sorted(roles.items(), key=lambda item: _ORDER.get(item[0][0], 9))
        if kind == "images"
    }
    return content_of(splits, classes)


_ORDER = {"train": 0, "validation": 1, "test": 2}


def assign(names: Iterable[str]) -> dict[tuple[str, str], str]:
    """The array of each split and role (``images``, ``targets``), and of the classes, whose split is ''.

    Understood are ``x_train``, ``train_images``, ``train/images``, ``train_set_x``, ``images``, ``arr_0`` and the like.
    """
    roles: dict[tuple[str, str], str] = {}
    for name in names:
        joined = re.sub(r"arr_(\d)", r"arr\1", name.lower())
        joined = re.sub(r"(class|label)_names", r"\1names", joined).replace("list_classes", "listclasses")
        words = [word for word in re.split(r"[^a-z0-9]+", joined) if word and word not in _FILLERS]
        splits = [SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES]
        rest = [word for word in words if word not in SPLIT_NAMES]
        if len(rest) != 1 or len(splits) > 1:
            continue
        split = splits[0] if splits else "train"
        if rest[0] in _IMAGES:
            roles.setdefault((split, "images"), name)
        elif rest[0] in _TARGETS:
            roles.setdefault((split, "targets"), name)
        elif rest[0] in _CLASSES:
            roles["", "classes"] = name
    return roles


def _columns(name: str, values: Any, targets: Sequence[str] | None) -> dict[str, Any]:
    if values.ndim == 0:
        raise DataError(f"{name} is a single value; there must be one for each picture.")
    if values.dtype.kind in "SO":
        values = np.array(_text(values))
    # Some write one row of all labels in place of one row for each.
    if values.ndim == 2 and values.shape[0] == 1 and values.shape[1] > 1 and targets is None:
        values = values[0]
    if targets is None:
        return {"label": values}
    table = values[:, None] if values.ndim == 1 else values
    if table.ndim != 2 or table.shape[1] != len(targets):
        raise DataError(
            f"{name} has the shape {values.shape}; for each picture there must be a value of {', '.join(targets)}."
        )
    return {column: table[:, place] for place, column in enumerate(targets)}


def _words(columns: Mapping[str, Mapping[str, Any]]) -> dict[str, Sequence[str]]:
    """The classes of the columns that hold names, over all splits."""
    words: dict[str, set[str]] = {}
    for split in columns.values():
        for column, values in split.items():
            if values.dtype.kind == "U":
                words.setdefault(column, set()).update(values.ravel().tolist())
    return {column: in_order(names) for column, names in words.items()}


def _text(values: Any) -> list[str]:
    return [
        word.decode(errors="backslashreplace") if isinstance(word, bytes) else str(word)
        for word in values.ravel().tolist()
    ]
