"""Intervals over draws and pictures, beside formulas worked by hand."""

import math

import numpy as np
import pytest
from scipy.stats import t

from cnnlab.explain.honesty.estimates import over_draws_and_pictures, over_pictures, ratio_over_pictures


def test_interval_over_pictures_is_students() -> None:
    values = [0.1, 0.4, 0.4, 0.9, math.nan]
    found = over_pictures(values)
    wanted = t.interval(0.95, 3, loc=0.45, scale=np.std(values[:4], ddof=1) / 2)
    assert found.value == pytest.approx(0.45)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx(wanted)


def test_pictures_add_to_the_chance_of_draws() -> None:
    draws = np.random.default_rng(0)
    table = draws.normal(size=(4, 1)) * 0.05 + draws.normal(size=(1, 30)) * 0.2
    both, of_draws = over_draws_and_pictures(table), over_pictures(table.mean(1))
    of_pictures = over_pictures(table.mean(0))
    assert both.interval and of_draws.interval and of_pictures.interval
    assert both.interval.width > max(of_draws.interval.width, 0.95 * of_pictures.interval.width)
    assert both.interval.over == "repeats and pictures"


def test_interval_covers_the_mean_of_draws_and_pictures_to_come() -> None:
    draws, held = np.random.default_rng(1), 0
    for _ in range(200):
        table = 0.3 + 0.1 * draws.normal(size=(5, 1)) + 0.1 * draws.normal(size=(1, 20)) + draws.normal(size=(5, 20))
        found = over_draws_and_pictures(table).interval
        held += found is not None and 0.3 in found
    assert held >= 185


def test_draws_that_agree_exactly_are_sure_of_it() -> None:
    found = over_draws_and_pictures(np.ones((3, 4)))
    assert found.interval is not None
    assert (found.value, found.interval.low, found.interval.high) == (1, 1, 1)


def test_pictures_without_a_value_are_left_out_and_none_is_no_number() -> None:
    table = np.array([[1.0, math.nan, 3.0], [1.0, 2.0, 3.0]])
    assert over_draws_and_pictures(table).value == 2
    assert math.isnan(over_draws_and_pictures(np.full((2, 2), math.nan)).value)


def test_ratio_has_the_variance_of_its_linear_part() -> None:
    above, below = np.array([1.0, 2.0, 3.0, 2.0]), np.array([2.0, 4.0, 4.0, 6.0])
    found = ratio_over_pictures(above, below)
    residuals = (above - 0.5 * below) / 4
    half = t.ppf(0.975, 3) * residuals.std(ddof=1) / 2
    assert found.value == pytest.approx(0.5)
    assert found.interval is not None
    assert found.interval.high - found.value == pytest.approx(half)
