"""The grid of originals and what is made of them."""

import numpy as np
import pytest
import torch

from cnnlab.augment import pipeline
from cnnlab.augment.preview import preview
from cnnlab.core.errors import SpecError, UsageError
from cnnlab.reports import draw_augmentation
from cnnlab.reports.figures.augmentation import draw_preview


def images(channels=3, count=5):
    shape = (count, channels, 12, 10)
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_rows_are_the_original_each_alone_and_all_together():
    shown = preview("flip|rotate(20)|erase(p=0.3)", images())
    assert shown.labels == ("original", "flip\np = 0.5", "rotate(20)", "erase(p=0.3)", "all together")
    assert shown.images.shape == (5, 5, 12, 10, 3) and shown.images.dtype == np.uint8
    np.testing.assert_array_equal(shown.images[0].transpose(0, 3, 1, 2), images())


def test_alone_an_operation_is_shown_on_every_image():
    shown = preview("flip|invert", images(1))
    np.testing.assert_array_equal(shown.images[1], shown.images[0][:, :, ::-1])
    np.testing.assert_array_equal(shown.images[2], 255 - shown.images[0])


def test_the_last_row_is_the_pipeline_as_it_trains():
    shown = preview("flip|erase", images(), seed=3, epoch=1, step=2)
    expected, _ = pipeline("flip|erase")(images(), {}, seed=3, epoch=1, step=2, ids=torch.arange(5))
    np.testing.assert_array_equal(shown.images[-1].transpose(0, 3, 1, 2), expected)


def test_a_single_operation_and_none_have_no_row_for_all():
    assert preview("rotate", images()).labels == ("original", "rotate")
    assert preview("none", images()).labels == ("original",)


def test_mixed_pictures_tell_their_shares_and_partners():
    shown = preview("mixup(1.0)|flip", images(1, 7), seed=1)
    assert set(shown.shares) == {"mixup(1.0)", "all together"}
    shares = shown.shares["mixup(1.0)"]
    np.testing.assert_allclose(shares.sum(1), 1)
    # Each picture is what its shares make of the originals.
    mixed = np.tensordot(shares, shown.images[0].astype(float), 1)
    np.testing.assert_allclose(shown.images[1], mixed, atol=1)
    words = [shown.mixture("mixup(1.0)", place) for place in range(7)]
    partner = int(np.argsort(-shares[0] * (np.arange(7) != 0))[0])
    expected = f"{shares[0, 0]:.0%}" + (f" + {shares[0, partner]:.0%} of {partner + 1}" if shares[0, 0] < 0.995 else "")
    assert words[0] == expected and any(" of " in word for word in words)
    assert shown.mixture("flip\np = 0.5", 0) == ""


def test_images_that_do_not_fit_are_refused():
    with pytest.raises(SpecError, match="grey"):
        preview("hue", images(1))
    with pytest.raises(UsageError, match="2 channels"):
        preview("flip", images(2))


@pytest.mark.parametrize("channels", [1, 3])
def test_figure_has_a_cell_for_each_image_and_a_label_for_each_row(channels, tmp_path):
    shown = preview("flip|shift", images(channels))
    figure = draw_preview(shown)
    assert len(figure.axes) == 4 * 5
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts == ["original", "flip\np = 0.5", "shift", "all together"]
    for axes, pixels in zip(figure.axes, shown.images.reshape(-1, *shown.images.shape[2:]), strict=True):
        drawn = axes.images[0].get_array()
        assert (drawn == (pixels if channels == 3 else np.repeat(pixels, 3, axis=-1))).all()
    assert draw_augmentation(shown, tmp_path / "grid.svg").read_text().count("<image") == 4 * 5
