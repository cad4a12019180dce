import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.training import Recipe
from cnnlab.training.batches import epoch_steps
from cnnlab.training.phases import plan_phases


def recipe(**keys: object) -> Recipe:
    return Recipe.read({"data": "digits", "model": "mlp", "batch_size": 10, **keys})


@pytest.mark.parametrize(
    ("samples", "batch", "steps"),
    [(100, 10, 10), (102, 10, 11), (101, 10, 10), (1, 10, 1), (2, 10, 1), (3, 1, 3), (10, 100, 1), (11, 10, 1)],
)
def test_a_last_batch_of_one_is_left_out_unless_it_is_all_there_is(samples: int, batch: int, steps: int) -> None:
    assert epoch_steps(samples, batch) == steps


def test_epochs_are_whole_and_steps_may_cut_the_last() -> None:
    (whole,) = plan_phases(recipe(epochs=3), 95).spans
    assert (whole.epochs, whole.steps, [whole.steps_in(e) for e in range(3)]) == (3, 30, [10, 10, 10])
    (cut,) = plan_phases(recipe(steps=23), 95).spans
    assert (cut.epochs, cut.steps, [cut.steps_in(e) for e in range(3)]) == (3, 23, [10, 10, 3])
    (short,) = plan_phases(recipe(steps=4), 95).spans
    assert (short.epochs, [short.steps_in(0)]) == (1, [4])


def test_phases_count_on_from_each_other_and_from_a_parent() -> None:
    phases = [{"steps": 13}, {"epochs": 2, "batch_size": 50}]
    plan = plan_phases(recipe(phases=phases), 100, epoch=5, step=40)
    first, second = plan.spans
    assert (first.number, first.first_epoch, first.first_step, first.epochs, first.steps) == (1, 5, 40, 2, 13)
    assert (second.number, second.first_epoch, second.first_step, second.epochs, second.steps) == (2, 7, 53, 2, 4)
    assert (plan.first_epoch, plan.end, plan.steps) == (5, 9, 57)
    assert [plan.span_of(epoch).number for epoch in range(5, 9)] == [1, 1, 2, 2]
    assert [first.step_before(5), first.step_before(6), second.step_before(8)] == [40, 50, 55]


@given(
    samples=st.integers(1, 300),
    phases=st.lists(
        st.tuples(st.sampled_from(["epochs", "steps"]), st.integers(1, 40), st.integers(1, 50)), min_size=1, max_size=4
    ),
)
def test_the_epochs_of_a_plan_hold_exactly_its_steps(samples: int, phases: list[tuple[str, int, int]]) -> None:
    plan = plan_phases(recipe(phases=[{kind: count, "batch_size": batch} for kind, count, batch in phases]), samples)
    epochs = list(plan.epochs_from(0))
    assert [epoch for _, epoch in epochs] == list(range(plan.end))
    assert all(span.steps_in(epoch) >= 1 for span, epoch in epochs)
    assert sum(span.steps_in(epoch) for span, epoch in epochs) == plan.steps
    done = 0
    for span, epoch in epochs:
        assert span.step_before(epoch) == done
        done += span.steps_in(epoch)
