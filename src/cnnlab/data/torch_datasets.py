"""Items of torch ``Dataset`` objects, fetched once each and kept as pixels and targets."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.errors import DataError
from cnnlab.core.messages import track, warn
from cnnlab.core.sinks import in_short
from cnnlab.data.arrays import BrighterError, Scale, as_array, to_pixels

_FETCHED_TWICE = 8


def gathered(objects: Mapping[str, Any], scale: Scale) -> dict[str, tuple[NDArray[np.uint8], Any]]:
    """Pictures and targets of every split; all are fetched again where one turns out brighter than those before.

    :param objects: the torch ``Dataset`` of each split.
    :param scale: meets every picture.
    :raises DataError: when the pictures of a split differ in shape, or an item is no pair.
    """
    while True:
        try:
            return {split: _gathered(items, split, scale) for split, items in objects.items()}
        except BrighterError:
            continue


def _gathered(items: Any, split: str, scale: Scale) -> tuple[NDArray[np.uint8], Any]:
    images: list[NDArray[np.uint8]] = []
    targets: list[Any] = []
    for place in track(range(len(items)), f"Reading {split}", len(items)):
        item = _item(items, place, split)
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise DataError(f"item {place} of {split} is not a pair (picture, target).")
        images.append(_one_image(item[0], f"picture {place} of {split}", scale))
        targets.append(item[1])
    if not images:
        raise DataError(f"{split} holds no picture.")
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        shown = ", ".join("×".join(map(str, shape)) for shape in sorted(shapes)[:5])
        raise DataError(f"the pictures of {split} differ in shape ({shown}); resize them to one in the torch Dataset.")
    _warn_of_random_items(items, images, split, scale)
    try:
        return np.stack(images), _gathered_columns(targets)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(
            f"the targets of {split} cannot be made one array, of a number or a name for each picture: "
            f"{in_short(str(error))}."
        ) from error


def _warn_of_random_items(items: Any, images: Sequence[NDArray[np.uint8]], split: str, scale: Scale) -> None:
    """Fetches some items a second time, spread over the split: a flip may well come out the same twice."""
    for place in sorted({number * len(images) // _FETCHED_TWICE for number in range(_FETCHED_TWICE)}):
        again = _one_image(_item(items, place, split)[0], f"picture {place} of {split}", scale)
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


def _one_image(image: Any, name: str, scale: Scale) -> NDArray[np.uint8]:
    """Channels first."""
    array = image if isinstance(image, Tensor | np.ndarray) else as_array(image, name)
    if array.ndim not in (2, 3):
        raise DataError(f"{name} has the shape {tuple(array.shape)}; a picture is H×W, H×W×C or C×H×W.")
    scale.meet(as_array(array, name))
    only: NDArray[np.uint8] = to_pixels(array[None], name, scale.white)[0]
    return only
