"""The fused run against scipy's resampling in float64, one independent reference for each way to fill."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from cnnlab.augment import Info, matrices, pipeline
from cnnlab.augment.padding import Fill
from cnnlab.augment.resampling import resample

MODES = {"reflect": "reflect", "edge": "nearest"}


def random_image(height: int, width: int, channels: int = 1, count: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (count, channels, height, width), generator=generator, dtype=torch.uint8)


def reference(image: np.ndarray, backward: np.ndarray, mode: str) -> np.ndarray:
    """One channel through a matrix on centred pixel coordinates, by scipy in float64."""
    height, width = image.shape
    y, x = np.mgrid[0:height, 0:width].astype(float)
    places = backward @ np.stack([x - (width - 1) / 2, y - (height - 1) / 2, np.ones_like(x)]).reshape(3, -1)
    x, y = places[0] / places[2] + (width - 1) / 2, places[1] / places[2] + (height - 1) / 2
    return map_coordinates(image / 255, [y, x], order=1, mode=mode).reshape(height, width)


def rotated(degrees: float) -> np.ndarray:
    """Where a pixel of a picture turned counter-clockwise (as seen, y downwards) comes from."""
    a = math.radians(degrees)
    return np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])


def shifted(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1.0]])


@pytest.mark.parametrize("fill", ["reflect", "edge"])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (28, 41)])
def test_resampling_agrees_with_scipy(fill, height, width):
    image = random_image(height, width)
    backward = shifted(3.3, -7.6) @ rotated(33) @ np.diag([1 / 0.8, 1 / 1.3, 1])
    ours = resample(image, torch.tensor(backward[None, :2]).float(), Fill(fill))
    np.testing.assert_allclose(ours[0, 0], reference(image[0, 0].numpy(), backward, MODES[fill]), atol=1e-3)


def test_constant_fill_agrees_with_scipy_on_a_padded_image():
    image = random_image(20, 20)
    backward = shifted(4.4, 2.7) @ rotated(20)
    padded = np.pad(image[0, 0].numpy() / 255.0, 20, constant_values=0.25)
    ours = resample(image, torch.tensor(backward[None, :2]).float(), Fill("constant", 0.25))
    expected = reference(padded * 255, backward, "nearest")[20:40, 20:40]
    np.testing.assert_allclose(ours[0, 0], expected, atol=1e-3)


def test_operations_compose_in_the_order_written():
    """Turning then shifting is not shifting then turning; the first one written is done first."""
    turn, move = matrices.rotation(torch.tensor([90.0])), matrices.translation(torch.tensor([5.0]), torch.tensor([0.0]))
    image = torch.zeros(1, 1, 21, 21)
    image[0, 0, 10, 15] = 1  # five to the right of the centre
    turned_then_moved = resample(image, (turn @ move)[:, :2].float(), Fill("constant"))
    assert turned_then_moved[0, 0, 5, 15] == pytest.approx(1, abs=1e-4)  # up by five, then right by five
    moved_then_turned = resample(image, (move @ turn)[:, :2].float(), Fill("constant"))
    assert moved_then_turned[0, 0, 0, 10] == pytest.approx(1, abs=1e-4)  # ten to the right, turned upwards


def test_fused_run_is_the_product_of_its_parts():
    spec = "flip(p=1)|shift(0.2, 0.1)|rotate(40)|shear(20, 10)|zoom(0.3)|stretch(0.2)|crop(3)|perspective|flip(both)"
    run = pipeline(spec)
    info = Info(6, (1, 24, 30), 0, torch.arange(6))
    (drawn,) = run.draw(torch.Generator().manual_seed(1), info)
    generator = torch.Generator().manual_seed(1)
    product = np.eye(3)[None].repeat(6, 0)
    for operation in run.operations:
        product = product @ operation.matrices(generator, info).numpy()
    images = random_image(24, 30, count=6)
    ours, _ = run.apply(images, {}, [drawn])
    for image, result, backward in zip(images, ours, product, strict=True):
        np.testing.assert_allclose(result[0], reference(image[0].numpy(), backward, "reflect"), atol=1e-3)


def forward(backward: torch.Tensor, x: float, y: float) -> tuple[float, float]:
    place = np.linalg.inv(backward[0].numpy()) @ [x, y, 1]
    return tuple(place[:2] / place[2])


@pytest.mark.parametrize(
    ("backward", "place"),
    [
        (matrices.rotation(torch.tensor([90.0])), (4, -3)),  # (3, 4) right and down: turned left, 4 right and 3 up
        (matrices.quarter_turns(torch.tensor([1])), (4, -3)),
        (matrices.translation(torch.tensor([2.0]), torch.tensor([-1.5])), (5, 2.5)),
        (matrices.scaling(torch.tensor([2.0]), torch.tensor([0.5])), (6, 2)),
        (matrices.scaling(torch.tensor([-1.0]), torch.tensor([1.0])), (-3, 4)),
        (matrices.shear(torch.tensor([45.0]), torch.tensor([0.0])), (-1, 4)),  # what is below goes left, above right
        (matrices.shear(torch.tensor([0.0]), torch.tensor([45.0])), (3, 1)),
        (matrices.window(torch.tensor([0.5]), torch.tensor([0.25]), torch.tensor([1.0]), torch.tensor([2.0])), (4, 8)),
    ],
)
def test_matrix_moves_a_point_as_stated(backward, place):
    assert forward(backward, 3, 4) == pytest.approx(place, abs=1e-6)


def test_projection_puts_each_corner_where_it_was_asked():
    corners = torch.tensor([[[-9.0, -8], [7, -9], [8, 6], [-10, 9]]])
    backward = matrices.onto_quadrilateral(corners, 20, 18)
    for source, target in zip([(-10, -9), (10, -9), (10, 9), (-10, 9)], corners[0].tolist(), strict=True):
        assert forward(backward, *source) == pytest.approx(target, abs=1e-6)
