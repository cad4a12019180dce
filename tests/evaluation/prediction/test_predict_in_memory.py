"""Pictures given in Python: what is predicted for them is what is predicted for the same pictures as files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from cnnlab.core.errors import DataError
from cnnlab.evaluation import predict
from cnnlab.models import Classifier


class Brightness(nn.Module):
    """Logits 0 and brightness: the logit of the probability of the second class is the mean of all pixels."""

    def forward(self, pixels: Tensor) -> Tensor:
        mean = pixels.mean((1, 2, 3))
        return torch.stack([torch.zeros_like(mean), mean], dim=1)


def _classifier(channels: int = 1, **white: Any) -> Classifier:
    names = {"label": ("dark", "light")}
    shape = (channels, 4, 6)
    mean, std = [0.0] * channels, [1.0] * channels
    return Classifier(Brightness(), shape, mean, std, names, "classes(column=none)", "own", **white)


def _brightness(images: Any, channels: int = 1, **white: Any) -> list[float]:
    likely = np.array(predict(_classifier(channels, **white), images).columns["label"].probabilities)
    return [round(float(value), 3) for value in np.log(likely[:, 1] / likely[:, 0])]


GREY = np.full((4, 6), 51, np.uint8)
"""A fifth of white."""


@pytest.mark.parametrize(
    "images",
    [
        GREY,
        GREY[..., None],
        GREY[None],
        GREY[None, None],
        GREY / 255,
        GREY.astype(float)[None, ..., None],
        torch.from_numpy(GREY),
        torch.from_numpy(GREY)[None].float() / 255,
        Image.fromarray(GREY),
        [GREY],
        [Image.fromarray(GREY)],
        [(GREY / 255).tolist()],
    ],
    ids=[
        *("rows", "rows with a channel", "a batch of rows", "a batch with channels", "shares", "shares, channels last"),
        *("tensor", "tensor of shares", "image", "list of rows", "list of images", "nested lists"),
    ],
)
def test_one_picture_is_one_in_whatever_form_it_comes(images: Any) -> None:
    # Floats up to 51 are read from 0 to 255, and those up to 0.2 from 0 to 1.
    assert _brightness(images) == [0.2]


@pytest.mark.parametrize("shape", [(3, 4, 6), (3, 4, 6, 1), (3, 1, 4, 6)])
def test_several_pictures_keep_their_order(shape: tuple[int, ...]) -> None:
    images = np.stack([np.full(shape[1:], value, np.uint8) for value in (0, 51, 255)])
    assert _brightness(images) == [0.0, 0.2, 1.0]
    assert predict(_classifier(), images).paths == ["0", "1", "2"]


def test_three_axes_are_colours_where_the_classifier_sees_colours() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    image[..., 0] = 255
    assert _brightness(image, channels=3) == [0.333]
    assert _brightness(torch.from_numpy(image).permute(2, 0, 1), channels=3) == [0.333]


def test_floats_are_scaled_by_the_largest_of_all_that_is_given() -> None:
    dark, light = np.full((4, 6), 1.0), np.full((4, 6), 51.0)
    assert _brightness([dark, light]) == [0.004, 0.2]
    assert _brightness([dark]) == [1.0]


def test_the_white_of_the_training_holds_for_a_picture_by_itself() -> None:
    dark = np.full((4, 6), 1.0)
    assert _brightness([dark], float_white=255.0) == [0.004]
    assert _brightness([dark * 51], white=4095) == [round(3 / 255, 3)]
    assert _brightness([(dark * 51).astype(np.int64)], float_white=255.0) == [0.2]
    # Floats up to 1 say so; and bytes are bytes.
    assert _brightness([dark / 5], white=4095) == [0.2]
    assert _brightness([GREY], white=4095, float_white=4095.0) == [0.2]


@pytest.mark.parametrize("size", [(4, 6), (9, 17)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_other_sizes_and_channels_are_converted_as_files_are(mode: str, size: tuple[int, int], tmp_path: Path) -> None:
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    pixels = np.random.default_rng(0).integers(0, 256, (*size, *channels), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.save(tmp_path / "picture.png")
    from_file = _brightness(tmp_path / "picture.png")
    assert _brightness(image) == from_file
    assert _brightness([pixels]) == from_file


@pytest.mark.parametrize("heading", ["path", "filename", "Image"])
def test_a_table_of_paths_is_its_paths(heading: str, tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "picture.png")
    table = pd.DataFrame({"label": ["light"], heading: [str(tmp_path / "picture.png")]})
    assert _brightness(table) == [0.2]
    assert _brightness(table[heading]) == [0.2]
    assert predict(_classifier(), table).paths == [str(tmp_path / "picture.png")]
    twice = pd.concat([table, table])
    assert _brightness(twice) == [0.2, 0.2], "a row a picture"
    assert _brightness(list(twice[heading])) == [0.2], "files are told once"


def test_a_table_without_paths_is_refused_with_its_columns() -> None:
    with pytest.raises(DataError, match="Valid: a, b"):
        predict(_classifier(), pd.DataFrame({"a": [1], "b": [2]}))


@pytest.mark.parametrize(
    ("images", "why"),
    [
        (np.zeros((0, 4, 6), np.uint8), "there is no picture"),
        (np.zeros(5), "pictures are H×W"),
        (np.full((4, 6), -1.0), "from -1 to -1"),
        (np.full((4, 6), np.nan), "from nan to nan"),
        ([3], "picture 0 is a int"),
    ],
    ids=str,
)
def test_what_is_no_picture_is_refused(images: Any, why: str) -> None:
    with pytest.raises(DataError, match=why):
        predict(_classifier(), images)


def test_a_name_of_a_file_goes_with_the_picture(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as image:
        assert predict(_classifier(), image).paths == [str(tmp_path / "picture.png")]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (5, "int is nothing to predict"),
        (True, "bool is nothing to predict"),
        ({"a": GREY}, "dict is nothing to predict"),
        (["photos", None], "a list of paths holds one that is a NoneType"),
        (["photos", GREY], "a list of paths holds one that is a ndarray"),
        ([[[1, 2], [3]]], "cannot be made one array of numbers"),
        ([Image.new("I;16", (0, 0))], "it has no pixels"),
        ([Image.new("RGB", (0, 4))], "it has no pixels"),
        (np.broadcast_to(np.uint8(7), (10**10, 4, 6)), "of memory, and .* are free"),
    ],
    ids=["number", "flag", "mapping", "none", "mixed", "ragged", "no deep pixels", "no pixels", "declared pixels"],
)
def test_what_is_no_picture_is_refused_in_a_sentence(images: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        predict(_classifier(), images)


@pytest.mark.parametrize(
    ("channels", "images", "line"),
    [
        (1, np.zeros((2, 24)), r"has rows, 2 of 24 numbers.*x\.reshape\(-1, 4, 6\)\. If it is one grey picture"),
        (3, np.zeros((5, 72), np.uint8), r"x\.reshape\(-1, 4, 6, 3\)"),
        (3, torch.zeros(5, 72), r"x\.reshape\(-1, 3, 4, 6\)"),
        (1, [np.zeros(24), np.zeros(24)], r"picture 0 is a row of 24 numbers.*x\.reshape\(-1, 4, 6\)\."),
    ],
)
def test_pictures_flattened_to_rows_are_refused_with_the_line_that_shapes_them(
    channels: int, images: Any, line: str
) -> None:
    with pytest.raises(DataError, match=line):
        predict(_classifier(channels), images)


def test_a_picture_whose_width_is_that_of_a_flattened_one_can_be_given_with_an_axis_more() -> None:
    assert len(predict(_classifier(), np.zeros((1, 2, 24)))) == 1
