"""Learning rates against torch's schedulers, step by step."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from cnnlab.training.schedules import PhaseProgress, schedules

STEPS, PER_EPOCH = 60, 10


def multipliers(spec: str) -> list[float]:
    schedule = schedules.bind(spec).build()
    return [schedule.multiplier(PhaseProgress(step, STEPS, PER_EPOCH)) for step in range(STEPS)]


def torch_rates(make: Callable[[Optimizer], LRScheduler], steps: int = STEPS) -> list[float]:
    """The rates of so many steps of a scheduler, from 1 on."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_cosine_is_that_of_torch() -> None:
    expected = torch_rates(lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1))
    assert multipliers("cosine(final=0.1)") == pytest.approx(expected)


def test_restarts_are_those_of_torch() -> None:
    expected = torch_rates(lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 10, T_mult=2))
    assert multipliers("cosine-restarts(period=1, growth=2)") == pytest.approx(expected)


@pytest.mark.parametrize("anneal", ["cosine", "linear"])
def test_one_cycle_is_that_of_torch(anneal: str) -> None:
    name = {"cosine": "cos", "linear": "linear"}[anneal]
    expected = torch_rates(
        lambda o: lr_scheduler.OneCycleLR(
            o, max_lr=1.0, total_steps=STEPS, pct_start=0.3, anneal_strategy=name, cycle_momentum=False
        )
    )
    assert multipliers(f"one-cycle(peak=0.3, anneal={anneal})") == pytest.approx(expected)


def test_linear_is_that_of_torch() -> None:
    expected = torch_rates(lambda o: lr_scheduler.LinearLR(o, 1.0, 0.25, STEPS))
    assert multipliers("linear(final=0.25)") == pytest.approx(expected)


def test_steps_are_those_of_torch_counted_in_epochs() -> None:
    every = torch_rates(lambda o: lr_scheduler.StepLR(o, 2, 0.5), STEPS // PER_EPOCH)
    listed = torch_rates(lambda o: lr_scheduler.MultiStepLR(o, [1, 4], 0.1), STEPS // PER_EPOCH)
    assert multipliers("step(every=2, factor=0.5)")[::PER_EPOCH] == pytest.approx(every)
    assert multipliers("step(at=[1, 4], factor=0.1)")[::PER_EPOCH] == pytest.approx(listed)


def test_exponential_is_that_of_torch_at_the_start_of_each_epoch() -> None:
    expected = torch_rates(lambda o: lr_scheduler.ExponentialLR(o, 0.9), STEPS // PER_EPOCH)
    assert multipliers("exponential(factor=0.9)")[::PER_EPOCH] == pytest.approx(expected)


@given(st.lists(st.integers(0, 5).map(lambda tenths: tenths / 10), max_size=12), st.integers(1, 4))
def test_plateau_is_that_of_torch_which_waits_for_one_epoch_more(history: list[float], patience: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=0.5, patience=patience - 1, threshold=0.0, eps=0
    )
    for value in history:
        theirs.step(value)
    schedule = schedules.bind(f"plateau(factor=0.5, patience={patience})").build()
    rate = schedule.multiplier(PhaseProgress(0, STEPS, PER_EPOCH, tuple(history)))
    assert rate == pytest.approx(optimizer.param_groups[0]["lr"])
