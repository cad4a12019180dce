import logging
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cnnlab.core.errors import TrainingError, UsageError
from cnnlab.core.messages import announcing
from cnnlab.reports import draw_lr_range_test
from cnnlab.training import find_lr, lr_range_test, train
from cnnlab.training.rate_curve import suggest_lr


def test_rates_grow_by_one_factor_from_lowest_to_highest(tiny: dict[str, Any]) -> None:
    test = find_lr(tiny, lowest=1e-5, highest=1e-2, steps=31, offline=True)
    assert len(test.rates) == len(test.losses) == len(test.smoothed) == 31
    assert test.rates[0] == pytest.approx(1e-5)
    assert test.rates[-1] == pytest.approx(1e-2)
    ratios = [later / earlier for earlier, later in zip(test.rates, test.rates[1:], strict=False)]
    assert ratios == pytest.approx([10**0.1] * 30)


def test_it_suggests_a_rate_that_trains_well_on_digits(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny |= {"subset": None, "test": None, "validation": None}
    test = find_lr(tiny, steps=80, offline=True)
    # The suggestion has two digits.
    assert 0.95 * test.steepest <= test.suggestion <= 1.05 * test.lowest
    # On these digits rates from some hundredths to about one learn within three epochs.
    assert 0.01 < test.suggestion < 2
    run = train({**tiny, "epochs": 3}, **{"optimizer.lr": test.suggestion}, runs=tmp_path, offline=True)
    assert run.test.accuracy > 0.8


def test_it_is_repeatable_and_keeps_no_run(tiny: dict[str, Any], tmp_path: Path) -> None:
    assert find_lr(tiny, steps=12, offline=True) == find_lr(tiny, steps=12, offline=True)
    assert not (tmp_path / "runs").exists()


def test_it_says_what_it_is_at_where_no_bar_is_seen(tiny: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cnnlab")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lr_range_test, "announcing", partial(announcing, after=0.0))
        find_lr(tiny, steps=10, offline=True)
    assert "trying 10 learning rates …" in caplog.messages


def test_it_stops_where_the_loss_blows_up(tiny: dict[str, Any]) -> None:
    test = find_lr(tiny, lowest=1e-4, highest=1e6, steps=60, offline=True)
    assert len(test.losses) < 60
    assert all(math.isfinite(loss) for loss in test.losses)
    assert max(test.losses[11:]) <= 4 * min(test.losses)
    assert test.suggestion < 10


def test_a_loss_that_blows_up_at_once_is_an_error_with_a_remedy(tiny: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match="start lower"):
        find_lr(tiny, lowest=1e20, highest=1e30, steps=30, offline=True)


@pytest.mark.parametrize(
    "keys", [{"lowest": 0}, {"lowest": -1}, {"lowest": 1, "highest": 0.1}, {"steps": 9}, {"highest": math.inf}]
)
def test_a_range_that_is_none_is_refused(keys: dict[str, Any], tiny: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="range test"):
        find_lr(tiny, offline=True, **keys)


def test_reading_a_curve_whose_shape_is_known() -> None:
    # Flat, then steeply down at the 20th rate, then flat, then up from the 40th on.
    rates = [10 ** (i / 10 - 5) for i in range(50)]
    losses = [3.0 if i < 20 else 1.0 if i < 40 else 1.0 + (i - 39) for i in range(50)]
    test = suggest_lr(rates, losses)
    # The average lags a little: the fall is steepest in the step that meets it, and all but done just before the rise.
    assert test.steepest == rates[19]
    assert test.lowest == rates[36]
    assert test.suggestion == pytest.approx(rates[36] / 3, rel=0.05)
    # A mean of equal values is that value, from the first one on.
    assert test.smoothed[:20] == pytest.approx([3.0] * 20)


def test_the_curve_is_drawn(tmp_path: Path) -> None:
    test = suggest_lr([10 ** (i / 10 - 5) for i in range(50)], [3.0 - i / 25 for i in range(50)])
    for name, start in (("curve.png", b"\x89PNG"), ("curve.pdf", b"%PDF"), ("deep/curve.svg", b"<?xml")):
        assert draw_lr_range_test(test, tmp_path / name).read_bytes().startswith(start)
    text = (tmp_path / "deep" / "curve.svg").read_text()
    words = ("learning rate; dots: single steps, line: smoothed", f"suggestion {test.suggestion:g}")
    assert all(f">{word}<" in text for word in words)
    assert test.to_dict()["rates"] == test.rates
