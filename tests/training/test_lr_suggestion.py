"""What a range test reads off curves of known shape, and that it trains as the training would."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlab.core.errors import CnnlabWarning
from cnnlab.training import find_lr, train
from cnnlab.training.rate_curve import suggest_lr

RATES = [10 ** (i / 20 - 6) for i in range(141)]


def test_a_plateau_at_the_bottom_is_judged_by_where_it_begins() -> None:
    # Falls between 1e-4 and 1e-2, and lies at almost nothing up to 10.
    losses = [2.5 * float(np.clip((-2 - np.log10(rate)) / 2, 1e-6, 1)) for rate in RATES]
    assert losses[-1] == losses[100]
    test = suggest_lr(RATES, losses)
    assert min(test.smoothed) == test.smoothed[-1]
    # The average over ten steps or so comes down somewhat later than the loss.
    assert 1e-2 < test.lowest < 6e-2
    assert test.steepest < test.suggestion == pytest.approx(test.lowest / 3, rel=0.05)


def test_a_valley_is_judged_by_its_bottom() -> None:
    losses = [0.5 + (np.log10(rate) + 2) ** 2 / 4 for rate in RATES]
    test = suggest_lr(RATES, losses)
    assert 2e-3 < test.lowest <= 1e-2
    assert test.steepest <= test.suggestion <= test.lowest


def test_a_steep_fall_just_before_the_bottom_is_not_undercut() -> None:
    losses = [2.0 if i < 80 else 0.1 if i < 84 else 0.1 * i for i in range(141)]
    test = suggest_lr([10 ** (i / 40 - 4) for i in range(141)], losses)
    assert test.lowest / 3 < test.steepest == pytest.approx(test.suggestion, rel=0.05)


@pytest.mark.parametrize("losses", [[1.0] * 141, list(np.linspace(1, 3, 141))])
def test_a_loss_that_never_falls_suggests_the_lowest_rate(losses: list[float]) -> None:
    test = suggest_lr(RATES, losses)
    # A mean of equal values is that value but for its last digit.
    assert test.lowest == test.steepest == pytest.approx(test.suggestion, rel=0.05)
    assert test.suggestion < 2e-6


def test_on_few_images_it_warns_and_suggests_a_rate_that_trains(tmp_path: Path) -> None:
    recipe = {"data": "digits", "model": "cnn", "subset": 100, "precision": "float32", "threads": 1}
    with pytest.warns(CnnlabWarning, match="over the same 100 pictures"):
        test = find_lr(recipe, offline=True)
    assert test.suggestion < 0.02
    run = train({**recipe, "epochs": 30}, **{"optimizer.lr": test.suggestion}, runs=tmp_path, offline=True)
    # Measured: 0.87; 0.24 at a rate of 0.7.
    assert run.test.accuracy > 0.8


@pytest.mark.parametrize("balance", ["weights", "sampler"])
def test_it_weighs_and_draws_images_as_the_training_does(balance: str, tiny: dict[str, Any], tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    labels = np.repeat([0, 1], [100, 20])
    images = draws.integers(0, 255, (120, 1, 8, 8), dtype=np.uint8)
    recipe = {**tiny, "data": (images, labels), "subset": None, "validation": 0, "test": 0}
    recipe |= {"optimizer": "sgd(lr=1e-9)", "epochs": 4}

    def losses(**keys: Any) -> list[float]:
        test = find_lr(recipe, lowest=1e-9, highest=1.1e-9, steps=10, offline=True, **keys)
        return list(test.losses)

    run = train(recipe, balance=balance, runs=tmp_path, offline=True)
    assert losses(balance=balance) == pytest.approx([record["loss"] for record in run.live[:10]], rel=1e-5)
    assert losses(balance=balance) != pytest.approx(losses(), rel=1e-3)
