"""How far the axes of learning curves reach."""

import warnings

import numpy as np
import pytest

from cnnlab.reports.colours import LOOKS
from cnnlab.reports.contents.curves import Band, CurveMetric, LearningCurves
from cnnlab.reports.figures.curves import draw_setting, leave_together, leaves, limits, limits_together
from cnnlab.reports.figures.style import style

ACCURACY = CurveMetric("accuracy", "accuracy", "share", True)
LOSS = CurveMetric("loss", "loss", "loss", False)


def curve(key: str, values: list[float], metric: str = "accuracy") -> LearningCurves:
    numbers = np.array(values, dtype=float)
    band = Band(np.arange(1, len(values) + 1), numbers, numbers, numbers, np.ones(len(values), dtype=np.int64))
    return LearningCurves(key, key, {metric: {"validation": band}}, {})


GOOD = [curve(f"s{place}", list(np.linspace(0.1, 0.9, 20) ** 0.2)) for place in range(12)]


def test_first_epochs_may_leave_the_image_and_it_is_said() -> None:
    ends = limits(GOOD)
    assert ends["accuracy"][0] > 0.65 and ends["accuracy"][1] > 0.97
    assert leaves(GOOD[0], ends) and leave_together(GOOD, ACCURACY)


def test_where_a_setting_ends_is_in_the_image_however_low() -> None:
    curves = [*GOOD, curve("bad", [0.1] * 20)]
    assert limits(curves)["accuracy"][0] < 0.1 and limits_together(curves, ACCURACY)[0] < 0.1
    assert not leaves(curves[-1], limits(curves))


def test_a_loss_that_blows_up_does_not_press_the_others_flat() -> None:
    calm = [curve(f"s{place}", [2.0, 1.0, 0.5, 0.4], "loss") for place in range(12)]
    wild = curve("wild", [2.0, 10.0, 1e4, 1e6], "loss")
    ends = limits([*calm, wild])
    assert ends["loss"][1] < 10 and leaves(wild, ends) and not leaves(calm[0], {"loss": (0, 3)})
    assert leave_together([*calm, wild], LOSS)


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5]])
def test_a_curve_that_does_not_change_has_room(values: list[float]) -> None:
    low, high = limits([curve("s", values)])["accuracy"]
    assert low < 0.5 < high


def test_an_epoch_far_outside_its_panel_is_cut_off_there() -> None:
    one = {
        split: Band(np.array([1]), *(np.array([value]),) * 3, np.ones(1, dtype=np.int64))
        for split, value in (("train", 4e7), ("validation", 3e3))
    }
    wild = LearningCurves("wild", "wild", {"loss": one}, {})
    with style(), warnings.catch_warnings():
        # Where a sign stands thousands of panels away, no layout can be found, of which matplotlib warns.
        warnings.simplefilter("error")
        figure = draw_setting(wild, [LOSS], LOOKS[0], {"loss": (0.0, 5e3)})
        figure.canvas.draw()
    assert [line.get_clip_on() for line in figure.axes[0].lines] == [True, False]
