"""What is tried again after a failure, and when."""

import pytest

from cnnlab.studies.execution import retry
from cnnlab.studies.execution.retry import MOST_ATTEMPTS, RetryQueue
from cnnlab.studies.execution.scheduler import TrialTask

FIRST, SECOND = TrialTask(None, 0, "a"), TrialTask(None, 0, "b")


@pytest.mark.parametrize("kind", ["crash", "memory"])
def test_what_may_have_been_the_machines_gets_three_attempts_the_later_ones_alone(kind):
    retries = RetryQueue()
    for attempt in range(MOST_ATTEMPTS):
        retries.begun(FIRST)
        is_last = attempt == MOST_ATTEMPTS - 1
        assert retries.retry(FIRST, kind) is not is_last
        if not is_last:
            assert retries.wants_all and retries.next(is_idle=False) is None
            assert retries.next(is_idle=True).task is FIRST
    assert len(retries) == 0 and not retries.wants_all


@pytest.mark.parametrize("kind", ["nan", "error"])
def test_what_would_fail_again_is_not_tried_again(kind):
    retries = RetryQueue()
    retries.begun(FIRST)
    assert not retries.retry(FIRST, kind) and len(retries) == 0


def test_attempts_of_one_task_are_not_those_of_another():
    retries = RetryQueue()
    for _ in range(MOST_ATTEMPTS):
        retries.begun(FIRST)
    retries.begun(SECOND)
    assert not retries.retry(FIRST, "crash") and retries.retry(SECOND, "crash")


def test_a_run_that_is_busy_is_looked_at_a_second_later_and_costs_no_attempt(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(retry.time, "monotonic", lambda: now[0])
    retries = RetryQueue()
    for _ in range(2 * MOST_ATTEMPTS):
        retries.begun(FIRST)
        retries.wait_for_others(FIRST)
        assert retries.next(is_idle=True) is None and not retries.wants_all
        now[0] += 1.0
        assert retries.next(is_idle=False).task is FIRST
    retries.begun(FIRST)
    assert retries.retry(FIRST, "crash")


def test_one_that_waits_for_its_time_holds_up_no_other():
    retries = RetryQueue()
    retries.begun(FIRST)
    retries.begun(SECOND)
    retries.wait_for_others(FIRST)
    retries.retry(SECOND, "crash")
    assert retries.next(is_idle=True).task is SECOND
