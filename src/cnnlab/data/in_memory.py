"""Data sets made in memory: of arrays, tensors and torch ``Dataset`` objects."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.errors import DataError, UsageError
from cnnlab.core.messages import note, track, warn
from cnnlab.data.arrays import channels_first, channels_layout, is_deep, to_pixels, white_of
from cnnlab.data.dataset import SPLITS, Dataset
from cnnlab.data.duplicates import handle_duplicates
from cnnlab.data.imageset import ImageSet, TensorImages
from cnnlab.data.memmap import resident
from cnnlab.data.split_names import SPLIT_NAMES
from cnnlab.data.splits import SplitSize, complete
from cnnlab.data.target_columns import as_numpy, check_beyond_train, from_array, in_order
from cnnlab.data.target_columns import class_names_of as name_classes
from cnnlab.data.white import said_of_white

_FETCHED_TWICE = 8

Pair: TypeAlias = tuple[Any, Any]


def from_arrays(
    x: Any,
    y: Any = None,
    *,
    validation: SplitSize | Pair = None,
    test: SplitSize | Pair = None,
    class_names: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    name: str = "arrays",
) -> Dataset:
    """A data set from arrays or tensors.

    :param x: pictures, as :func:`~cnnlab.data.arrays.to_pixels` takes them.
    :param y: one target for each: whole numbers from 0 (classes), floats (numbers), names, one-hot rows, or a mapping
        of named columns of these; None for none.
    :param validation: a pair ``(x, y)``, or a count or fraction to set aside; None for the default, 0 for none.
    :param test: the same.
    :param class_names: of the column ``label``, or of each column by name.
    :raises DataError: when pictures and targets do not fit together.
    """
    pairs, shares = {"train": (x, y)}, dict[str, Any]()
    for split, part in {"validation": validation, "test": test}.items():
        if isinstance(part, tuple):
            pairs[split] = _pair(split, part)
        else:
            shares[split] = part
    known = _known_names(class_names, [y for _, y in pairs.values()])
    white = white_of(x for x, _ in pairs.values())
    made = {split: (_pixels(x, split, white), _columns(y, split, known)) for split, (x, y) in pairs.items()}
    check_beyond_train(
        {split: columns for split, (_, columns) in made.items()}, known, {split: f"y of {split}" for split in made}
    )
    classes = name_classes([columns for _, columns in made.values()], known)
    sets: dict[str, ImageSet] = {split: TensorImages(px, columns, classes) for split, (px, columns) in made.items()}
    source: dict[str, Any] = {"spec": name, "from": "arrays in memory"}
    if white is not None:
        source |= {"white": white, "notes": [said_of_white(white)]}
        note(said_of_white(white))
    dataset = handle_duplicates(Dataset.of(name, complete(sets, **shares), source), dedupe=False)
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
    splits = {"validation": validation, "test": test}
    given = {split: _gathered(part, split) if hasattr(part, "__getitem__") else part for split, part in splits.items()}
    x, y = _gathered(train, "train")
    return from_arrays(x, y, class_names=_names_of(train), name=name, **given)


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
    pairs = {split: _as_pair(split, part) for split, part in known.items()}
    x, y = pairs.pop("train")
    others: dict[str, Any] = {"validation": 0, "test": 0, **pairs}
    return from_arrays(x, y, class_names=_names_of(known["train"]), **others)


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


def _as_pair(split: str, part: Any) -> Pair:
    if isinstance(part, tuple | list):
        return _pair(split, tuple(part))
    if isinstance(part, np.ndarray | Tensor):
        return part, None
    if hasattr(part, "__len__") and hasattr(part, "__getitem__") and not isinstance(part, str | Mapping):
        return _gathered(part, split)
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


def _pixels(x: Any, split: str, white: int | None) -> Tensor:
    array = to_pixels(x, f"x of {split}", white if is_deep(x) else None)
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


def _gathered(items: Any, split: str) -> Pair:
    images: list[NDArray[Any]] = []
    targets: list[Any] = []
    for place in track(range(len(items)), f"Reading {split}", len(items)):
        item = _item(items, place, split)
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise DataError(f"item {place} of {split} is not a pair (picture, target).")
        images.append(_one_image(item[0], f"picture {place} of {split}"))
        targets.append(item[1])
    if not images:
        raise DataError(f"{split} holds no picture.")
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        shown = ", ".join("×".join(map(str, shape)) for shape in sorted(shapes)[:5])
        raise DataError(f"the pictures of {split} differ in shape ({shown}); resize them to one in the torch Dataset.")
    _warn_of_random_items(items, images, split)
    return torch.from_numpy(np.stack(images)), _gathered_columns(targets)


def _warn_of_random_items(items: Any, images: Sequence[NDArray[Any]], split: str) -> None:
    """Fetches some items a second time, spread over the split: a flip may well come out the same twice."""
    for place in sorted({number * len(images) // _FETCHED_TWICE for number in range(_FETCHED_TWICE)}):
        again = _one_image(_item(items, place, split)[0], f"picture {place} of {split}")
        if not np.array_equal(again, images[place]):
            warn(
                f"item {place} (counted from 0) of {split} is another picture each time that it is fetched, so its "
                "Dataset holds random transforms. Items are fetched once, before the first epoch, and one draw of each "
                "would stay for all epochs. Leave them out of the Dataset, and give them to the training: "
                "augment=flip|shift(0.1) draws anew in every epoch, and never for validation and test."
            )
            return


def _item(items: Any, place: int, split: str) -> Any:
    try:
        return items[place]
    except Exception as error:
        raise DataError(
            f"item {place} (counted from 0) of {split} could not be had: its torch Dataset raised "
            f"{type(error).__name__}: {error}. Mend the Dataset, or leave that item out of it."
        ) from error


def _gathered_columns(targets: list[Any]) -> Any:
    if isinstance(targets[0], Mapping):
        for place, target in enumerate(targets):
            if not isinstance(target, Mapping) or set(target) != set(targets[0]):
                raise DataError(f"the target of item {place} (counted from 0) has other columns than that of item 0.")
        return {column: np.array([_plain(target[column]) for target in targets]) for column in targets[0]}
    return np.array([_plain(target) for target in targets])


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def _one_image(image: Any, name: str) -> NDArray[Any]:
    array = image if isinstance(image, Tensor | np.ndarray) else np.asarray(image)
    if array.ndim not in (2, 3):
        raise DataError(f"{name} has the shape {tuple(array.shape)}; a picture is H×W, H×W×C or C×H×W.")
    if is_deep(array):
        # White is told by the largest value of all pictures.
        layout = channels_layout((1, *array.shape), name, prefer="first" if isinstance(array, Tensor) else "last")
        images = channels_first(np.asarray(array)[None], layout)
    else:
        images = to_pixels(array[None], name)
    only: NDArray[Any] = images[0]
    return only
