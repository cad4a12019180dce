import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.core.errors import SpecError
from cnnlab.training.schedules import PhaseProgress, schedules

STEPS, PER_EPOCH = 60, 10


def multipliers(spec: str, steps: int = STEPS, history: tuple[float, ...] = ()) -> list[float]:
    schedule = schedules.bind(spec).build()
    return [schedule.multiplier(PhaseProgress(step, steps, PER_EPOCH, history)) for step in range(steps)]


def test_step_and_exponential_count_in_epochs() -> None:
    assert multipliers("step(every=2, factor=0.5)")[::10] == [1, 1, 0.5, 0.5, 0.25, 0.25]
    assert multipliers("step(at=[1, 4], factor=0.1)")[::10] == pytest.approx([1, 0.1, 0.1, 0.1, 0.01, 0.01])
    assert multipliers("exponential(factor=0.9)")[::10] == pytest.approx([0.9**e for e in range(6)])


def test_linear_ends_towards_its_final_share() -> None:
    assert multipliers("linear(final=0.5)")[::30] == [1.0, 0.75]


def test_warmup_rises_over_its_epochs_and_the_rest_follows() -> None:
    values = multipliers("constant(warmup=2)")
    assert values[0] == pytest.approx(0.01)
    assert values[10] == pytest.approx(0.01 + 0.99 * 0.5)
    assert values[20:] == [1.0] * 40
    warmed = multipliers("cosine(warmup=2)")
    assert warmed[20:] == pytest.approx(multipliers("cosine", steps=40))


def test_plateau_drops_after_patience_without_improvement() -> None:
    def last(history: list[float]) -> float:
        return multipliers("plateau(factor=0.5, patience=2)", history=tuple(history))[0]

    assert last([0.5, 0.6, 0.7]) == 1
    assert last([0.7, 0.6]) == 1
    assert last([0.7, 0.6, 0.6]) == 0.5
    assert last([0.7, 0.6, 0.6, 0.65, 0.65]) == 0.25
    assert last([0.7, 0.6, 0.6, 0.8, 0.7]) == 0.5


@given(
    spec=st.sampled_from(["constant", "cosine", "one-cycle", "linear", "exponential", "step", "cosine-restarts"]),
    steps=st.integers(1, 500),
    warmup=st.floats(0, 3),
)
def test_every_multiplier_lies_between_nothing_and_the_full_rate(spec: str, steps: int, warmup: float) -> None:
    text = spec if spec == "one-cycle" else f"{spec}(warmup={warmup!r})"
    assert all(0 <= value <= 1 + 1e-12 and math.isfinite(value) for value in multipliers(text, steps))


def test_an_amount_out_of_range_is_refused_with_its_range() -> None:
    with pytest.raises(SpecError, match="from 0 to 1"):
        schedules.bind("cosine(final=2)")
