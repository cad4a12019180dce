"""Each check of executors, failing once: by an executor that breaks this promise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from broken import refusal

from cnnlab.studies import ThreadExecutor
from cnnlab.studies.execution.executor import Event, Failed, Started, Throughput, TrialRequest
from cnnlab.testing import executor_checks


class OwnExecutor(ThreadExecutor):
    """Trainings in a thread, over a folder of runs."""

    def __init__(self, runs: Path) -> None:
        super().__init__(runs=runs)


class NeverBegins(OwnExecutor):
    def events(self, timeout: float) -> Sequence[Event]:
        return [event for event in super().events(timeout) if not isinstance(event, Started)]


class Improves(OwnExecutor):
    def submit(self, request: TrialRequest) -> None:
        super().submit(replace(request, recipe={**request.recipe, "optimizer": "adam"}))


class OnceOnly(OwnExecutor):
    def submit(self, request: TrialRequest) -> None:
        if self._thread is not None:
            raise RuntimeError("no free slot")
        super().submit(request)


class ForgetsRuns(OwnExecutor):
    def submit(self, request: TrialRequest) -> None:
        self._runs = self._runs / str(request.number)
        super().submit(request)


class WaitsForNobody(OwnExecutor):
    def submit(self, request: TrialRequest) -> None:
        super().submit(replace(request, is_judged=False))


class KnowsOneFailure(OwnExecutor):
    def events(self, timeout: float) -> Sequence[Event]:
        told = super().events(timeout)
        return [replace(event, kind="error") if isinstance(event, Failed) else event for event in told]


class RepeatsItself(OwnExecutor):
    last: Sequence[Event] = ()

    def events(self, timeout: float) -> Sequence[Event]:
        self.last = super().events(timeout) or self.last
        return self.last


class NeverMeasures(OwnExecutor):
    def pace(self, recipe: Mapping[str, Any], at_once: int, threads: int) -> Throughput:
        return Throughput(at_once, threads, 0.0)


class ClosesLater(OwnExecutor):
    is_asked = False

    def close(self) -> None:
        if self.is_asked:
            super().close()
        self.is_asked = True


BROKEN = {
    "a_request_becomes_a_finished_run": (NeverBegins, "For two epochs it told [EpochDone("),
    "it_trains_as_training_does": (Improves, "Its predictions for the test images are others."),
    "it_fills_its_slots_again_and_again": (OnceOnly, "It raised RuntimeError: no free slot"),
    "a_finished_run_is_found": (ForgetsRuns, "Asked again it gave"),
    "a_judged_request_waits_for_a_word": (WaitsForNobody, "It went on without one"),
    "a_failure_is_told_with_its_kind": (KnowsOneFailure, "A failure of the kind nan was told as Failed("),
    "nothing_asked_nothing_told": (RepeatsItself, "It told ["),
    "its_pace_is_measured": (NeverMeasures, "It is 0 images per second."),
    "closing_saves_what_is_under_way": (ClosesLater, "The training goes on."),
}


def test_every_check_is_shown_failing() -> None:
    assert [check.__name__ for check in executor_checks(OwnExecutor)] == list(BROKEN)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found(name: str) -> None:
    kind, words = BROKEN[name]
    assert words in refusal(executor_checks(kind), name)
