"""Resizing as matrices, beside Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab.data.formats.decode import resized
from cnnlab.export.resizing import PillowResize


@pytest.mark.parametrize("resampling", ["bilinear", "bicubic"])
@pytest.mark.parametrize("how", ["squash", "crop", "pad"])
def test_pictures_come_out_as_pillow_has_them(how: str, resampling: str) -> None:
    rng = np.random.default_rng(0)
    # Overshoots that are cut off between two passes depend on which comes first, so these have none. What is rounded
    # after the first pass counts for up to 1.25 times as much after the second.
    low, high, most = (0, 256, 1) if resampling == "bilinear" else (90, 160, 2)
    for height, width in [(31, 47), (47, 31), (8, 8), (5, 9), (28, 20), (13, 90)]:
        for size in [(28, 20), (8, 8), (20, 30)]:
            picture = rng.integers(low, high, (height, width), dtype=np.uint8)
            expected = np.asarray(resized(Image.fromarray(picture), size, how, resampling)).astype(int)
            made = PillowResize(size, how, resampling)(torch.from_numpy(picture)[None, None])[0, 0].numpy().astype(int)
            assert np.abs(made - expected).max() <= most, (height, width, size)


def test_a_picture_of_the_right_size_stays_as_it_is() -> None:
    picture = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    for how in ("squash", "crop", "pad"):
        assert torch.equal(PillowResize((16, 16), how, "bicubic")(picture), picture)


def test_halves_go_up() -> None:
    picture = torch.tensor([[0, 1], [0, 1]], dtype=torch.uint8)[None, None]
    assert PillowResize((1, 1), "squash")(picture).item() == 1
