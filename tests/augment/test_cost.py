"""What a pipeline costs; no test is of the times themselves."""

import time

import pytest

from cnnlab.augment.cost import ALL, PipelineCost, cost
from cnnlab.core.errors import SpecError, UsageError


def test_each_operation_and_the_pipeline_are_timed():
    costs = cost("flip|rotate|flip", (1, 8, 8), batch=16, repeats=3)
    assert list(costs.seconds) == ["flip 1", "rotate", "flip 2", ALL]
    assert all(low <= costs.seconds[label] <= high for label, (low, high) in costs.spread.items())
    assert costs.rate("rotate") == pytest.approx(16 / costs.seconds["rotate"])
    assert costs.share() is None


def test_share_of_an_epoch_follows_from_both_times():
    costs = PipelineCost((1, 8, 8), 100, 1, "cpu", 1, {ALL: 0.02}, {ALL: (0.02, 0.02)}, model_seconds=0.08)
    assert costs.share() == pytest.approx(0.2)
    assert costs.model_rate == pytest.approx(1250)
    document = costs.to_dict()
    assert document["operations"][0]["images_per_second"] == pytest.approx(5000)
    assert document["operations"][0]["share"] == pytest.approx(0.2)


def test_a_model_may_be_a_rate_or_a_step_to_be_timed():
    assert cost("flip", (1, 8, 8), batch=50, repeats=1, model=1000).model_seconds == pytest.approx(0.05)
    seen = []

    def step(pixels):
        seen.append((tuple(pixels.shape), pixels.is_floating_point()))
        time.sleep(0.002)

    costs = cost("flip", (1, 8, 8), batch=50, repeats=2, model=step)
    assert set(seen) == {((50, 1, 8, 8), True)}
    assert costs.model_seconds >= 0.002


def test_a_pipeline_that_does_not_fit_is_refused():
    with pytest.raises(SpecError, match="grey"):
        cost("hue", (1, 8, 8))


def test_an_empty_pipeline_has_nothing_to_time():
    with pytest.raises(UsageError, match="nothing to time"):
        cost("none", (1, 8, 8))
