"""Effects that no library has, and the edges of those that others have; against libraries, see tests/parity."""

import pytest
import torch

from cnnlab.augment import effects


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(11)
    smooth = torch.rand(4, 3, 9, 10, generator=generator)
    return torch.nn.functional.interpolate(smooth, (27, 30), mode="bicubic").clamp(0, 1)


def test_hue_of_pure_colours_grey_and_black_is_exact():
    colours_ = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0.5, 0.5, 0.5], [0, 0, 0], [1, 1, 1]])
    turned = effects.shift_hue(colours_[:, :, None, None], torch.full((5,), 1 / 3))[:, :, 0, 0]
    expected = torch.tensor([[0, 1.0, 0], [1, 0, 0], [0.5, 0.5, 0.5], [0, 0, 0], [1, 1, 1]])
    torch.testing.assert_close(turned, expected, atol=1e-5, rtol=0)


def test_blur_of_no_width_changes_nothing(images):
    torch.testing.assert_close(effects.blur(images, torch.zeros(4), 3), images, atol=1e-6, rtol=0)


def test_light_changes_linearly_from_edge_to_edge():
    grey = torch.full((1, 1, 4, 4), 0.25)
    lit = effects.light_(grey.clone(), torch.tensor([[0.4, 0.0]]), torch.zeros(1, 2))
    torch.testing.assert_close(lit[0, 0, 0] - 0.25, torch.tensor([-0.3, -0.1, 0.1, 0.3]))
    contrasted = effects.light_(grey.clone(), torch.zeros(1, 2), torch.tensor([[0.0, 0.8]]))
    # A factor of 1 ± 0.8 at the outer edges: 1 + 0.6 in the middle of the last row, about mid-grey.
    torch.testing.assert_close(contrasted[0, 0, 3], torch.full((4,), 0.5 - 0.25 * 1.6))
