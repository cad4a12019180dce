"""What is drawn: distributed as stated, and independent across axes and pictures.

Every generator is seeded, so each of these passes or fails for good; the bounds are those of a test at 1e-4.
"""

import numpy as np
import pytest
import torch
from scipy import stats

from cnnlab.augment import Info, pipeline

COUNT = 4000
LEAST_P = 1e-4


def draw(spec, count=COUNT, shape=(3, 40, 20), epoch=0):
    """Matrices, in float64, or the parameters, of a pipeline of one stage."""
    info = Info(count, shape, epoch, torch.arange(count))
    (drawn,) = pipeline(spec).draw(torch.Generator().manual_seed(2), info)
    return drawn["matrix"].double().numpy() if "matrix" in drawn else drawn


def assert_uniform(values, low, high):
    assert values.min() >= low - 1e-5 and values.max() <= high + 1e-5
    assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > LEAST_P


def assert_shares(values, shares):
    """``values`` are each of the keys with the probability given."""
    shares = {value: share for value, share in shares.items() if share}
    counts = [np.isclose(values, value).sum() for value in shares]
    assert sum(counts) == len(values)
    if len(shares) == 1:
        return
    assert stats.chisquare(counts, np.array(list(shares.values())) * len(values)).pvalue > LEAST_P


def assert_independent(first, second):
    """Neither the values nor their sizes go together, nor one with the next picture's other."""
    for a, b in [(first, second), (np.abs(first), np.abs(second)), (first[1:], second[:-1])]:
        assert stats.spearmanr(a, b).pvalue > LEAST_P


def assert_each_image_draws(values):
    """A picture's value tells nothing of its neighbour's, and hardly any are the same."""
    assert stats.spearmanr(values[1:], values[:-1]).pvalue > LEAST_P
    assert len(np.unique(values)) > 0.9 * len(values)


def test_rotate():
    matrix = draw("rotate(25)")
    angle = np.degrees(np.arctan2(matrix[:, 1, 0], matrix[:, 0, 0]))
    assert_uniform(angle, -25, 25)
    assert_each_image_draws(angle)


def test_shift_draws_each_axis_on_its_own():
    matrix = draw("shift(0.1, 0.2)")  # pictures are 20 wide and 40 high
    assert_uniform(matrix[:, 0, 2], -2, 2)
    assert_uniform(matrix[:, 1, 2], -8, 8)
    assert_independent(matrix[:, 0, 2], matrix[:, 1, 2])
    assert_each_image_draws(matrix[:, 0, 2])


def test_shift_of_one_value_is_a_fraction_of_each_size():
    matrix = draw("shift(0.1)")
    assert_uniform(matrix[:, 0, 2], -2, 2)
    assert_uniform(matrix[:, 1, 2], -4, 4)


def test_shear_draws_each_axis_on_its_own():
    matrix = draw("shear(20, 30)")
    x, y = np.degrees(np.arctan(matrix[:, 0, 1])), np.degrees(np.arctan(matrix[:, 1, 0]))
    assert_uniform(x, -20, 20)
    assert_uniform(y, -30, 30)
    assert_independent(x, y)
    assert np.all(draw("shear(20)")[:, 1, 0] == 0)


@pytest.mark.parametrize(("spec", "low", "high"), [("zoom(0.3)", 0.7, 1.3), ("zoom([0.5, 2])", 0.5, 2)])
def test_zoom_is_one_factor_for_both_axes(spec, low, high):
    matrix = draw(spec)
    assert_uniform(1 / matrix[:, 0, 0], low, high)
    assert np.array_equal(matrix[:, 0, 0], matrix[:, 1, 1])
    assert_each_image_draws(matrix[:, 0, 0])


def test_stretch_is_a_factor_for_each_axis():
    matrix = draw("stretch(0.2, 0.4)")
    assert_uniform(1 / matrix[:, 0, 0], 0.8, 1.2)
    assert_uniform(1 / matrix[:, 1, 1], 0.6, 1.4)
    assert_independent(matrix[:, 0, 0], matrix[:, 1, 1])


@pytest.mark.parametrize(
    ("spec", "x", "y"), [("flip", 0.5, 0), ("flip(vertical, p=0.3)", 0, 0.3), ("flip(both, p=0.2)", 0.2, 0.2)]
)
def test_flip_mirrors_each_axis_with_its_probability(spec, x, y):
    matrix = draw(spec)
    for values, p in [(matrix[:, 0, 0], x), (matrix[:, 1, 1], y)]:
        assert_shares(values, {-1: p, 1: 1 - p})


def test_flip_of_both_axes_has_a_draw_for_each():
    matrix = draw("flip(both)")
    assert_shares(matrix[:, 0, 0] * 2 + matrix[:, 1, 1], dict.fromkeys([-3, -1, 1, 3], 0.25))


def test_quarter_turn_is_any_of_four():
    matrix = draw("quarter_turn", shape=(1, 8, 8))
    turns = matrix[:, 0, 0] * 2 + matrix[:, 1, 0]
    assert_shares(turns, dict.fromkeys([2, 1, -2, -1], 0.25))
    assert stats.spearmanr(turns[1:], turns[:-1]).pvalue > LEAST_P


def test_crop_is_any_whole_place_on_each_axis():
    matrix = draw("crop(2)")
    for axis in (0, 1):
        assert_shares(matrix[:, axis, 2], dict.fromkeys([-2, -1, 0, 1, 2], 0.2))
    assert_shares(matrix[:, 0, 2] * 5 + matrix[:, 1, 2], dict.fromkeys(range(-12, 13), 1 / 25))


def test_resized_crop_covers_the_area_and_lies_anywhere_inside():
    matrix = draw("resized_crop(0.3, 0.5)")
    across, down = matrix[:, 0, 0], matrix[:, 1, 1]
    assert_uniform(across * down, 0.3, 0.5)
    assert_uniform(np.log(across / down), -np.log(4 / 3), np.log(4 / 3))
    x, y = matrix[:, 0, 2] / ((1 - across) * 20), matrix[:, 1, 2] / ((1 - down) * 40)
    assert_uniform(x, -0.5, 0.5)
    assert_uniform(y, -0.5, 0.5)
    assert_independent(x, y)
    assert_independent(across * down, across / down)


def test_resized_crop_of_nearly_all_stays_inside():
    matrix = draw("resized_crop(0.9, 1, ratio=4)")
    assert matrix[:, 0, 0].max() <= 1 and matrix[:, 1, 1].max() <= 1
    assert_uniform(matrix[:, 0, 0] * matrix[:, 1, 1], 0.9, 1)


def test_perspective_draws_eight_numbers_for_each_image():
    matrix = draw("perspective(0.4)", shape=(1, 21, 31))
    ends = np.array([[-15, -10, 1], [15, -10, 1], [15, 10, 1], [-15, 10, 1.0]]).T
    places = np.linalg.inv(matrix) @ ends
    inwards = 1 - (places[:, :2] / places[:, 2:]) / ends[:2]
    inwards = inwards.reshape(COUNT, 8)
    for number in range(8):
        assert_uniform(inwards[:, number], 0, 0.4)
        assert_independent(inwards[:, number], inwards[:, (number + 3) % 8])


def test_circular_shift_is_any_part_of_either_axis():
    matrix = draw("circular_shift(4)")
    x, y = -matrix[:, 0, 2], -matrix[:, 1, 2]
    assert_shares(x, {0: 5 / 8, 5: 1 / 8, 10: 1 / 8, 15: 1 / 8})
    assert_shares(y, {0: 5 / 8, 10: 1 / 8, 20: 1 / 8, 30: 1 / 8})
    assert np.all(draw("circular_shift(4, x)")[:, 1, 2] == 0)


@pytest.mark.parametrize("spec", ["rotate(30, p=0.3)", "shift(0.1, p=0.3)", "brightness(0.2, p=0.3)"])
def test_p_is_the_share_of_images_that_change(spec):
    matrix = draw(spec)
    is_changed = (np.abs(matrix - np.eye(*matrix.shape[1:])) > 1e-9).any((1, 2))
    assert_shares(is_changed, {True: 0.3, False: 0.7})
    assert stats.spearmanr(is_changed[1:], is_changed[:-1]).pvalue > LEAST_P


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_colour_factors(name):
    matrix = draw(f"{name}(0.4)")
    # What saturation does to green as seen from red is (1 - f) · 0.587; the others have f on the diagonal.
    factor = 1 - matrix[:, 0, 1] / 0.587 if name == "saturation" else matrix[:, 0, 0]
    assert_uniform(factor, 0.6, 1.4)
    assert_each_image_draws(factor)


@pytest.mark.parametrize(
    ("spec", "name", "low", "high"),
    [
        ("hue(0.2)", "turns", -0.2, 0.2),
        ("gamma(0.3)", "exponents", 0.7, 1.3),
        ("gamma([0.5, 3])", "exponents", 0.5, 3),
        ("blur(2)", "deviations", 0, 2),
        ("sharpen(1.5)", "factors", 1, 2.5),
        ("solarize(0.4)", "thresholds", 0.4, 1),
    ],
)
def test_amounts_are_drawn_evenly(spec, name, low, high):
    values = draw(spec)[name].double().numpy()
    assert_uniform(values, low, high)
    assert_each_image_draws(values)


def test_posterize_keeps_any_number_of_bits():
    assert_shares(draw("posterize(5)")["bits"].numpy(), dict.fromkeys([5, 6, 7, 8], 0.25))


def test_lighting_has_any_direction_and_strength_for_each_of_its_two():
    drawn = draw("lighting(0.4, 0.1)")
    brightness, contrast = drawn["brightness"].double().numpy(), drawn["contrast"].double().numpy()
    for slope, most in [(brightness, 0.4), (contrast, 0.1)]:
        assert_uniform(np.hypot(*slope.T), 0, most)
        assert_uniform(np.arctan2(*slope.T), -np.pi, np.pi)
    assert_independent(np.hypot(*brightness.T), np.hypot(*contrast.T))
    assert_independent(brightness[:, 0], contrast[:, 0])


def test_erase_covers_its_share_anywhere():
    drawn = draw("erase(0.1, 0.3, p=1)", shape=(1, 200, 200))
    top, bottom, left, right = drawn["box"].double().numpy().T
    tall, wide = bottom - top, right - left
    assert min(top.min(), left.min()) >= 0 and max(bottom.max(), right.max()) <= 200
    # Sides are whole pixels, hence the noise that undoes their rounding.
    jitter = np.random.default_rng(0).uniform(-0.5, 0.5, (2, COUNT))
    fits = (tall < 200) & (wide < 200)
    assert fits.mean() > 0.99
    assert_uniform(((tall + jitter[0]) * (wide + jitter[1]) / 200**2)[fits].clip(0.1, 0.3), 0.1, 0.3)
    y, x = (top + np.random.default_rng(1).random(COUNT)) / (201 - tall), (left + jitter[0] + 0.5) / (201 - wide)
    assert_uniform(y[fits], 0, 1)
    assert_uniform(x[fits], 0, 1)
    assert_independent(tall, x)
    assert_independent(x, y)


def test_erase_is_for_half_of_the_images():
    chosen = draw("erase")["chosen"]
    assert stats.binomtest(len(chosen), COUNT, 0.5).pvalue > LEAST_P


def test_cutout_is_centred_on_any_pixel():
    drawn = draw("cutout(6)", shape=(1, 12, 9))["box"].numpy()
    assert np.all(drawn[:, 1] - drawn[:, 0] == 6) and np.all(drawn[:, 3] - drawn[:, 2] == 6)
    assert_shares(drawn[:, 0] + 3, dict.fromkeys(range(12), 1 / 12))
    assert_shares(drawn[:, 2] + 3, dict.fromkeys(range(9), 1 / 9))
    assert_independent(drawn[:, 0], drawn[:, 2])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_mixup_shares_are_of_the_beta_distribution(alpha):
    drawn = draw(f"mixup({alpha})")
    share = drawn["share"].double().numpy()
    assert stats.kstest(share, stats.beta(alpha, alpha).cdf).pvalue > LEAST_P
    assert stats.spearmanr(share[1:], share[:-1]).pvalue > LEAST_P
    assert sorted(drawn["partner"].tolist()) == list(range(COUNT))


def test_cutmix_shares_are_the_areas_left():
    drawn = draw("cutmix(1)", shape=(1, 32, 48))
    top, bottom, left, right = drawn["box"].double().numpy().T
    np.testing.assert_allclose(drawn["share"], 1 - (bottom - top) * (right - left) / (32 * 48), atol=1e-6)
    is_whole = (top > 0) & (left > 0) & (bottom < 32) & (right < 48)
    assert is_whole.sum() > 200
    np.testing.assert_allclose(((bottom - top) * 1.5)[is_whole], (right - left)[is_whole], atol=1.5)
    assert_independent((top + bottom)[is_whole], (left + right)[is_whole])


def test_mixing_with_p_leaves_the_others_whole():
    share = draw("mixup(1, p=0.3)")["share"].numpy()
    assert_shares(share == 1, {True: 0.7, False: 0.3})


def test_salt_and_pepper_hits_its_share_of_pixels_all_channels_together():
    images = torch.full((50, 3, 40, 40), 100, dtype=torch.uint8)
    result = pipeline("salt_and_pepper(0.1)")(images, {}, seed=0, epoch=0, step=0, ids=torch.arange(50))[0]
    assert torch.equal(result[:, 0], result[:, 1]) and torch.equal(result[:, 0], result[:, 2])
    assert_shares(result[:, 0].flatten().numpy(), {100: 0.9, 0: 0.05, 255: 0.05})
    hits = (result[:, 0] != 100).flatten(1)
    assert stats.kstest(hits.sum(1).numpy(), stats.binom(1600, 0.1).cdf).pvalue > 1e-6
    assert not torch.equal(hits[0], hits[1])


def test_gaussian_noise_is_normal():
    images = torch.full((20, 3, 30, 30), 0.5)
    result = pipeline("gaussian_noise(0.05)")(images, {}, seed=0, epoch=0, step=0, ids=torch.arange(20))[0]
    noise = (result - 0.5).double().numpy()
    assert stats.kstest(noise.ravel(), stats.norm(0, 0.05).cdf).pvalue > LEAST_P
    assert abs(np.corrcoef(noise[:, 0].ravel(), noise[:, 1].ravel())[0, 1]) < 0.03


def test_noise_that_erases_is_even_over_all_bytes():
    images = torch.full((200, 1, 32, 32), 100, dtype=torch.uint8)
    result = pipeline("erase(0.2, 0.3, p=1)")(images, {}, seed=0, epoch=0, step=0, ids=torch.arange(200))[0]
    noise = result[result != 100].numpy()
    counts = np.bincount(noise, minlength=256)
    assert stats.chisquare(np.delete(counts, 100)).pvalue > LEAST_P


def test_operations_of_one_kind_draw_apart():
    """Two of the same in a row do not repeat each other's draws."""
    info = Info(COUNT, (1, 20, 20), 0, torch.arange(COUNT))
    run, generator = pipeline("shift(0.1)|shift(0.1)"), torch.Generator().manual_seed(0)
    first, second = (operation.matrices(generator, info)[:, 0, 2].numpy() for operation in run.operations)
    assert_independent(first, second)
