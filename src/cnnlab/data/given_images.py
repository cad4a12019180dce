"""Pictures given in Python for prediction: arrays, tensors, PIL images, lists of them, and tables of paths."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cnnlab.core.errors import DataError, suggestion
from cnnlab.core.limits import check_memory
from cnnlab.data.arrays import Layout, as_array, channels_first, channels_layout, to_bytes
from cnnlab.data.formats.decode import BadImageError, Form, largest_in, to_form
from cnnlab.data.raw_images import arranged
from cnnlab.data.white import NONE_MET, UNTOLD_REMEDY, Largest, White, say_white

PATH_COLUMNS = ("path", "file", "filename", "file_name", "image", "picture", "img", "id", "image_id", "name")
"""Headings under which a table may name its pictures, the likeliest first."""


def is_given_in_memory(images: Any) -> bool:
    """Whether these are pictures themselves, and not paths of some."""
    if isinstance(images, list | tuple):
        return bool(images) and not isinstance(images[0], str | Path)
    return isinstance(images, np.ndarray | Tensor | Image.Image) and not _is_text(images)


def paths_of(images: Any) -> Any:
    """The paths that a pandas ``DataFrame`` or ``Series`` or an array of text holds; anything else as it is.

    :raises DataError: for a table without a column of paths.
    """
    if hasattr(images, "columns") and hasattr(images, "iloc"):
        names = [str(name) for name in images.columns]
        by_word = {name.strip().lower(): place for place, name in enumerate(names)}
        place = next((by_word[word] for word in PATH_COLUMNS if word in by_word), 0 if len(names) == 1 else None)
        if place is None:
            raise DataError(
                f"no column of the table is one of paths. {suggestion('path', names)} Rename one: "
                "df.rename(columns={…: 'path'})."
            )
        return [str(path) for path in images.iloc[:, place]]
    if hasattr(images, "iloc") or _is_text(images):
        return [str(path) for path in images]
    return images


def given_images(images: Any, form: Form) -> tuple[NDArray[np.uint8], list[str]]:
    """Pictures in memory as a classifier takes them.

    An array of two axes is one picture, H×W; but one whose rows have as many numbers as a picture of the classifier is
    refused, for such rows are pictures that were flattened. One of three axes is one picture where it has the
    classifier's own shape, else several grey ones where the last two are the classifier's height and width, else one
    picture where its last axis (arrays) or its first (tensors) has 1 to 4 entries, and else several grey ones. One of
    four axes is several pictures, N×H×W×C or N×C×H×W. Bytes go from 0 to 255. Other numbers go from 0 to what was white
    among such in training, or is by the largest of all that is given: for floats 1, where none is larger, else the most
    that 8, 10, 12, 14, 16 or more bits hold. Pictures of another size or other channels are converted as files are.

    :param form: size and channels of the classifier, and what it knows of white.
    :return: uint8 N×C×H×W, and what each is called: the name of a PIL image's file, or else its number.
    :raises DataError: for what is no picture.
    """
    parts = list(images) if isinstance(images, list | tuple) else [images]
    largest = Largest.of_all(map(_largest, parts))
    white = form.white.told_by(largest)
    say_white(white, form.white.left_open(largest), UNTOLD_REMEDY)
    made: list[NDArray[np.uint8]] = []
    names: list[str] = []
    for place, part in enumerate(parts):
        name = f"picture {place}" if isinstance(images, list | tuple) else "the pictures"
        pixels = _pixels(part, name, form, white)
        made.append(pixels)
        names += [str(getattr(part, "filename", "") or len(names) + i) for i in range(len(pixels))]
    if not names:
        raise DataError("there is no picture to predict: the array or list is empty.")
    return np.concatenate(made), names


def _pixels(part: Any, name: str, form: Form, white: White) -> NDArray[np.uint8]:
    """One item, which may be several pictures, in the given form."""
    if isinstance(part, Image.Image):
        try:
            return to_form(part, replace(form, white=white))[None]
        except BadImageError as error:
            raise DataError(f"{name} cannot be used: {error}") from error
    if not isinstance(part, np.ndarray | Tensor):
        if not isinstance(part, Sequence) or isinstance(part, str):
            raise DataError(
                f"{name} is a {type(part).__name__}; pictures are arrays, tensors, PIL images, lists of them, or paths."
            )
        part = as_array(part, name)
    values = as_array(part, name)
    whole, layout = _several(values, name, form, prefer="first" if isinstance(part, Tensor) else "last")
    if not len(whole):
        return np.empty((0, form.channels or 1, *(form.size or whole.shape[1:3])), np.uint8)
    # A view may declare far more than it holds.
    check_memory(len(whole) * (form.channels or 1) * math.prod(form.size or whole.shape[1:3]), name)
    pixels = channels_first(to_bytes(whole, name, white), layout)
    return np.stack(list(arranged(np.ascontiguousarray(pixels), range(len(pixels)), form).pixels))


def _several(values: NDArray[Any], name: str, form: Form, prefer: Layout) -> tuple[NDArray[Any], Layout | None]:
    """The array with an axis for pictures in front, and where its channels are."""
    _refuse_rows(values, name, form, prefer)
    if values.ndim == 2:
        return values[None], None
    if values.ndim == 4:
        return values, channels_layout(values.shape, name, prefer=prefer)
    if values.ndim != 3:
        raise DataError(
            f"{name} has the shape {values.shape}: pictures are H×W, H×W×C or C×H×W, and several of them N×H×W, "
            "N×H×W×C or N×C×H×W, with 1 to 4 channels."
        )
    channels, size = form.channels or 1, form.size or values.shape[-2:]
    own: dict[tuple[int, ...], Layout] = {(channels, *size): "first", (*size, channels): "last"}
    if values.shape in own:
        return values[None], own[values.shape]
    if values.shape[1:] == tuple(size):
        return values, None
    axis = values.shape[0] if prefer == "first" else values.shape[2]
    return (values[None], prefer) if 1 <= axis <= 4 else (values, None)


def _refuse_rows(values: NDArray[Any], name: str, form: Form, prefer: Layout) -> None:
    """Refuses pictures flattened to rows, as scikit-learn has them, which would pass for one picture.

    :raises DataError: with the line that gives them their shape.
    """
    channels, size = form.channels or 1, form.size
    if size is None or values.ndim not in (1, 2) or values.shape[-1] != channels * math.prod(size):
        return
    if values.shape == tuple(size):
        return
    shape = size if channels == 1 else (channels, *size) if prefer == "first" else (*size, channels)
    said = "is a row" if values.ndim == 1 else f"has rows, {values.shape[0]:,}"
    one = "" if values.ndim == 1 else " If it is one grey picture of that height and width: x[None]."
    raise DataError(
        f"{name} {said} of {values.shape[-1]} numbers, as many as a picture of the classifier has. Give each row the "
        f"shape of a picture: x.reshape{(-1, *shape)}.{one}"
    )


def _largest(part: Any) -> Largest:
    """The largest value of one item; none of what is no picture, which is refused later."""
    if isinstance(part, Image.Image):
        return largest_in(part)
    if isinstance(part, Tensor | np.ndarray):
        return Largest.of(as_array(part, "the pictures"))
    is_list = isinstance(part, Sequence) and not isinstance(part, str)
    return Largest.of(as_array(part, "a picture")) if is_list else NONE_MET


def _is_text(array: Any) -> bool:
    return isinstance(array, np.ndarray) and (
        array.dtype.kind in "US" or (array.dtype == object and all(isinstance(item, str | Path) for item in array.flat))
    )
