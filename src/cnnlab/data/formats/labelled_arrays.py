"""Arrays of pictures with arrays of targets, as the readers of array files find them, made into content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnlab.core.errors import DataError
from cnnlab.data.arrays import Layout, channels_layout
from cnnlab.data.raw_images import RawImageArrays
from cnnlab.data.reading import Content, SourceSplit
from cnnlab.data.target_columns import check_beyond_train, class_names_of, from_array


@dataclass(frozen=True)
class LabelledArrays:
    """One split.

    :param images: an array, or what gives arrays when sliced, in one of the shapes that pictures have.
    :param targets: columns by name; none for an unlabelled split.
    :param images_name: what to call the pictures in a message.
    :param layout: where the channels are, where that is known.
    """

    images: Any
    targets: Mapping[str, Any]
    images_name: str
    targets_name: str
    layout: Layout | None = None


def content_of(splits: Mapping[str, LabelledArrays], classes: Mapping[str, Sequence[str]]) -> Content:
    """The content of labelled arrays.

    :param classes: class names where they are known; else classes are numbered.
    :raises DataError: when counts differ, labels are out of range, or pixels are none.
    """
    parts = {}
    for split, arrays in splits.items():
        layout = arrays.layout or channels_layout(arrays.images.shape, arrays.images_name)
        count = arrays.images.shape[0]
        columns = {}
        for name, values in arrays.targets.items():
            if len(values) != count:
                raise DataError(
                    f"{arrays.images_name} holds {count:,} pictures and {arrays.targets_name} {len(values):,} values "
                    f"of {name}: there must be exactly one for each picture."
                )
            columns[name] = from_array(name, values, classes.get(name), arrays.targets_name)
        parts[split] = SourceSplit(RawImageArrays(arrays.images, arrays.images_name, layout), columns)
    check_beyond_train(
        {split: part.targets for split, part in parts.items()},
        classes,
        {split: arrays.targets_name for split, arrays in splits.items()},
    )
    names = class_names_of([part.targets for part in parts.values()], classes)
    return Content(parts, names)
