"""Every executor against the conformance suite."""

from pathlib import Path

import pytest

from cnnlab.studies import ProcessExecutor, ThreadExecutor
from cnnlab.testing import Check, check_executor, executor_checks


def in_a_thread(runs: Path) -> ThreadExecutor:
    return ThreadExecutor(runs=runs)


@pytest.mark.parametrize("check", executor_checks(in_a_thread))
def test_trainings_in_a_thread(check: Check) -> None:
    check()


@pytest.mark.slow(10)
def test_trainings_in_worker_processes() -> None:
    check_executor(lambda runs: ProcessExecutor(1, runs=runs))
