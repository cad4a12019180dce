"""Pictures unrolled around their middle."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnnlab import models
from cnnlab.core.errors import SpecError
from cnnlab.models.polar import CircularCorrelation, Polar, RingConv2d


def spot(angle: float, radius: float, size: int = 65) -> Tensor:
    """A blurred spot, degrees clockwise from the top, the radius as a share of half the picture."""
    middle, turn = (size - 1) / 2, math.radians(angle)
    x, y = middle + radius * size / 2 * math.sin(turn), middle - radius * size / 2 * math.cos(turn)
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return torch.exp(-((row - y) ** 2 + (column - x) ** 2) / 8)[None, None]


@pytest.mark.parametrize(("angle", "column"), [(0, 0), (90, 15), (180, 30), (240, 40), (354, 59)])
@pytest.mark.parametrize("radius", [0.45, 0.75])
def test_a_spot_comes_to_the_row_of_its_radius_and_the_column_of_its_angle(
    angle: float, column: int, radius: float
) -> None:
    unrolled = Polar(60, 10)(spot(angle, radius))[0, 0]
    assert unrolled.shape == (10, 60)
    assert divmod(int(unrolled.argmax()), 60) == (int(radius * 10), column)


def test_a_quarter_turn_shifts_the_columns_by_a_quarter() -> None:
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    turned = torch.rot90(image, -1, dims=(2, 3))
    torch.testing.assert_close(Polar(60, 8)(turned), Polar(60, 8)(image).roll(15, dims=3), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_ring_convolution_goes_with_the_turn_of_its_input(stride: int) -> None:
    torch.manual_seed(0)
    layer = RingConv2d(3, 4, (3, 5), (1, stride), (1, 0))
    rows = torch.randn(2, 3, 6, 20)
    torch.testing.assert_close(layer(rows.roll(2 * stride, dims=3)), layer(rows).roll(2, dims=3))
    assert layer(rows).shape == (2, 4, 6, 20 // stride)


def test_a_ring_convolution_is_that_of_a_row_laid_out_three_times() -> None:
    torch.manual_seed(0)
    layer, rows = RingConv2d(2, 3, (3, 3), (1, 1), (1, 0)), torch.randn(1, 2, 4, 7)
    laid_out = nn.functional.conv2d(torch.cat([rows] * 3, dim=3), layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(layer(rows), laid_out[..., 7:14])


def test_correlation_is_the_sum_of_products_at_every_turn() -> None:
    rows = torch.randn(2, 4, 1, 9, generator=torch.Generator().manual_seed(0))
    correlation = CircularCorrelation()(rows)
    first, second = rows[:, :2].numpy(), rows[:, 2:].numpy()
    for turn in range(9):
        expected = (first * np.roll(second, -turn, axis=3)).mean(axis=3)
        np.testing.assert_allclose(correlation[..., turn].numpy(), expected, atol=1e-6)


def test_correlation_tells_the_angle_between_two_things_wherever_both_are() -> None:
    rows = torch.zeros(12, 2, 1, 12)
    for place in range(12):
        rows[place, 0, 0, place] = rows[place, 1, 0, (place + 5) % 12] = 1
    assert CircularCorrelation()(rows).argmax(3).flatten().tolist() == [5] * 12


def test_what_cannot_be_unrolled_is_refused() -> None:
    for spec, words in (
        ("flatten|polar", "needs a feature map"),
        ("conv(3)|correlate", "in pairs, and there are 3"),
        ("polar(60, 8)|ring_conv(4, [3, 4])", "must be odd"),
        ("polar(60, 8)|ring_conv(4, [4, 3])", "cannot keep the height"),
        ("polar(60, 2)|ring_conv(4, [3, 3], padding=valid)", "3 rows high does not fit"),
    ):
        with pytest.raises(SpecError, match=words):
            models.build_network(spec, (1, 16, 16), 3)


def test_a_network_of_rings_is_rebuilt_from_its_file_and_trains_in_bfloat16(tmp_path) -> None:
    ring = "ring_conv(8, stride=[2, 1])|bn|relu|ring_conv(8, [3, 1], padding=valid)"
    spec = f"polar(24, 6)|{ring}|bn|correlate|dense(8)|relu"
    network = models.build_network(spec, (3, 16, 16), 5)
    classifier = models.Classifier(network, (3, 16, 16), [0.5] * 3, [0.2] * 3, {}, "none", models.canonical_model(spec))
    images = torch.rand(4, 3, 16, 16)
    models.save_classifier(tmp_path / "model.safetensors", classifier)
    again = models.load_classifier(tmp_path / "model.safetensors")
    torch.testing.assert_close(again(images), classifier.eval()(images))
    with torch.autocast("cpu", torch.bfloat16):
        classifier.train()(images).sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in network.parameters())
