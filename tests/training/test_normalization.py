import pytest
import torch

from cnnlab.core.errors import SpecError, UsageError
from cnnlab.data import TensorImages
from cnnlab.training.normalization import moments


def images(channels: int) -> TensorImages:
    pixels = torch.arange(2 * channels * 4, dtype=torch.uint8).view(2, channels, 2, 2)
    return TensorImages(pixels)


@pytest.mark.parametrize("channels", [1, 3])
def test_by_default_the_moments_are_those_of_the_training_images(channels: int) -> None:
    mean, std = moments("dataset", images(channels))
    values = images(channels).batch(range(2))[0].double() / 255
    assert mean == pytest.approx(values.mean((0, 2, 3)).tolist())
    assert std == pytest.approx(values.std((0, 2, 3), correction=0).tolist())


def test_a_channel_that_never_varies_is_only_shifted() -> None:
    flat = TensorImages(torch.full((3, 1, 2, 2), 51, dtype=torch.uint8))
    assert moments("dataset", flat) == ((0.2,), (1.0,))


def test_those_of_imagenet_and_their_grey() -> None:
    assert moments("imagenet", images(3)) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    mean, std = moments("imagenet", images(1))
    assert mean == pytest.approx((0.449,))
    assert std == pytest.approx((0.226,))


def test_none_leaves_pixels_as_they_are() -> None:
    assert moments("none", images(3)) == ((0.0,) * 3, (1.0,) * 3)


def test_numbers_are_one_a_channel_or_one_for_all() -> None:
    assert moments("numbers(mean=[0.5], std=[0.25])", images(3)) == ((0.5,) * 3, (0.25,) * 3)
    mean, std = moments("numbers(mean=[0.1, 0.2, 0.3], std=[1, 2, 3])", images(3))
    assert (mean, std) == ((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    with pytest.raises(UsageError, match="2 means"):
        moments("numbers(mean=[0.1, 0.2], std=[1])", images(3))
    with pytest.raises(SpecError, match="above 0"):
        moments("numbers(mean=[0.1], std=[0])", images(1))
