"""Data sets made in memory: of arrays, tensors and torch ``Dataset`` objects."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.data.arrays import Scale, to_pixels
from cnnlab.data.dataset import SPLITS, Dataset
from cnnlab.data.duplicates import handle_duplicates
from cnnlab.data.imageset import ImageSet, TensorImages
from cnnlab.data.memmap import resident
from cnnlab.data.split_names import SPLIT_NAMES
from cnnlab.data.splits import SplitSize, complete
from cnnlab.data.target_columns import as_numpy, check_beyond_train, from_array, in_order
from cnnlab.data.target_columns import class_names_of as name_classes
from cnnlab.data.torch_datasets import gathered
from cnnlab.data.white import SaidWhite, White

Pair: TypeAlias = tuple[Any, Any]


def from_arrays(
    x: Any,
    y: Any = None,
    *,
    validation: SplitSize | Pair = None,
    test: SplitSize | Pair = None,
    class_names: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    white: SaidWhite = None,
    name: str = "arrays",
) -> Dataset:
    """A data set from arrays or tensors.

    :param x: pictures, as :func:`~cnnlab.data.arrays.to_pixels` takes them.
    :param y: one target for each: whole numbers from 0 (classes), floats (numbers), names, one-hot rows, or a mapping
        of named columns of these; None for none.
    :param validation: a pair ``(x, y)``, or a count or fraction to set aside; None for the default, 0 for none.
    :param test: the same.
    :param class_names: of the column ``label``, or of each column by name.
    :param white: the value of white in numbers that are no bytes, or two, in whole numbers and in floats; None to tell
        by the largest found.
    :raises DataError: when pictures and targets do not fit together.
    """
    pairs, shares = {"train": (x, y)}, dict[str, Any]()
    for split, part in {"validation": validation, "test": test}.items():
        if isinstance(part, tuple):
            pairs[split] = _pair(split, part)
        else:
            shares[split] = part
    scale = Scale.of({split: x for split, (x, _) in pairs.items()}, white)
    return _of_pairs(pairs, shares, class_names, scale, name)


def _of_pairs(
    pairs: Mapping[str, Pair],
    shares: Mapping[str, SplitSize],
    class_names: Sequence[str] | Mapping[str, Sequence[str]] | None,
    scale: Scale,
    name: str = "arrays",
) -> Dataset:
    """A data set from arrays of each split, whose values the scale has met."""
    known = _known_names(class_names, [y for _, y in pairs.values()])
    made = {split: (_pixels(x, split, scale.white), _columns(y, split, known)) for split, (x, y) in pairs.items()}
    check_beyond_train(
        {split: columns for split, (_, columns) in made.items()}, known, {split: f"y of {split}" for split in made}
    )
    classes = name_classes([columns for _, columns in made.values()], known)
    sets: dict[str, ImageSet] = {split: TensorImages(px, columns, classes) for split, (px, columns) in made.items()}
    source: dict[str, Any] = {"spec": name, "from": "arrays in memory", **scale.facts()}
    dataset = handle_duplicates(Dataset.of(name, complete(sets, **dict[str, Any](shares)), source), dedupe=False)
    return Dataset.of(name, {split: resident(part) for split, part in dataset.parts()}, dataset.source)


def from_torch(train: Any, *, validation: Any = None, test: Any = None, name: str = "torch") -> Dataset:
    """A data set from torch ``Dataset`` objects, each of whose items is a picture and its target.

    A picture is a PIL image, or an array or tensor as :func:`~cnnlab.data.arrays.to_pixels` takes it, without the
    first axis; a target is a whole number, a float, or a mapping of named columns. Class names are read off the
    attribute ``classes``.

    :param validation: another such object, or a count or fraction to set aside; None for the default, 0 for none.
    :param test: the same.
    :raises DataError: when the pictures differ in shape or an item is not such a pair.
    """
    splits = {"train": train, "validation": validation, "test": test}
    objects = {split: part for split, part in splits.items() if split == "train" or hasattr(part, "__getitem__")}
    scale = Scale()
    pairs = gathered(objects, scale)
    shares = {split: part for split, part in splits.items() if split not in objects}
    return _of_pairs(pairs, shares, _names_of(train), scale, name)


def from_splits(splits: Mapping[str, Any]) -> Dataset:
    """A data set from what each split is: arrays ``(x, y)`` or ``x``, a torch ``Dataset``, or an :class:`ImageSet`.

    :param splits: by name: ``train``, and ``validation`` and ``test`` where there are such.
    :raises UsageError: for other names, or where train is not among them.
    """
    known = {SPLIT_NAMES.get(str(name).lower(), str(name)): part for name, part in splits.items()}
    unknown = [name for name in known if name not in SPLITS]
    if unknown or "train" not in known or len(known) < len(splits):
        raise UsageError(
            f"data has the keys {', '.join(map(repr, splits))}; as a mapping it holds one split by each name, 'train' "
            "and perhaps 'validation' and 'test', as in data={'train': (x, y), 'test': (x_test, y_test)}."
        )
    if all(isinstance(part, ImageSet) for part in known.values()):
        return Dataset.of("images", known, {})
    given = {split: _as_pair(split, part) for split, part in known.items()}
    pairs = {split: pair for split, pair in given.items() if pair is not None}
    scale = Scale.of({split: x for split, (x, _) in pairs.items()})
    pairs |= gathered({split: known[split] for split, pair in given.items() if pair is None}, scale)
    shares = {split: 0 for split in SPLITS if split not in pairs}
    return _of_pairs({split: pairs[split] for split in known}, shares, _names_of(known["train"]), scale)


def are_splits(data: Any) -> bool:
    """Whether these are pairs ``(x, y)`` of several splits, as Keras's ``load_data()`` gives them."""
    return isinstance(data, tuple | list) and len(data) > 1 and all(map(_is_split, data))


def _is_split(part: Any) -> bool:
    if not isinstance(part, tuple | list) or len(part) != 2:
        return False
    x = part[0]
    # One dimension more than a picture: no target has as many.
    depth = x.ndim if hasattr(x, "ndim") else 1 + np.ndim(x[0]) if isinstance(x, tuple | list) and x else 0
    return bool(depth >= 3)


def _as_pair(split: str, part: Any) -> Pair | None:
    """Arrays of pictures and targets; None for a torch ``Dataset``."""
    if isinstance(part, tuple | list):
        return _pair(split, tuple(part))
    if isinstance(part, np.ndarray | Tensor):
        return part, None
    if hasattr(part, "__len__") and hasattr(part, "__getitem__") and not isinstance(part, str | Mapping):
        return None
    raise UsageError(
        f"{split} takes arrays x or (x, y), or a torch Dataset of known length, like train; got {type(part).__name__}."
    )


def _names_of(train: Any) -> Sequence[str] | None:
    """The class names that a torch ``Dataset`` knows."""
    names = getattr(train, "classes", None)
    is_named = isinstance(names, Sequence) and not isinstance(names, str) and all(isinstance(w, str) for w in names)
    return names if is_named else None


def _pair(split: str, part: tuple[Any, ...]) -> Pair:
    if len(part) != 2:
        raise UsageError(f"{split} takes a pair (x, y), a count or a fraction; got a tuple of {len(part)}.")
    return part[0], part[1]


def _pixels(x: Any, split: str, white: White) -> Tensor:
    array = to_pixels(x, f"x of {split}", white)
    # torch warns of arrays that may not be written to, such as those of a file.
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _columns(y: Any, split: str, known: Mapping[str, Sequence[str]]) -> dict[str, Tensor]:
    named = _named_columns(y)
    return {column: from_array(column, values, known.get(column), f"y of {split}") for column, values in named.items()}


def _named_columns(y: Any) -> dict[str, Any]:
    if y is None:
        return {}
    return {str(column): values for column, values in y.items()} if isinstance(y, Mapping) else {"label": y}


def _known_names(
    class_names: Sequence[str] | Mapping[str, Sequence[str]] | None, targets: Iterable[Any]
) -> dict[str, tuple[str, ...]]:
    """The class names given, and those of columns that hold names, over all splits together."""
    if isinstance(class_names, str):
        raise UsageError("class_names is a list of names, one for each class.")
    by_column = class_names if isinstance(class_names, Mapping) else {"label": class_names} if class_names else {}
    words: dict[str, set[str]] = {}
    for y in targets:
        for column, values in _named_columns(y).items():
            array = None if isinstance(values, Tensor) else as_numpy(column, values)
            if array is not None and array.dtype.kind in "US":
                words.setdefault(column, set()).update(array.astype(str).ravel().tolist())
    by_order = {column: in_order(names) for column, names in words.items()}
    return {**by_order, **{column: tuple(map(str, names)) for column, names in by_column.items()}}
