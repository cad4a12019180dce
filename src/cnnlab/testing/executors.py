"""What every executor of studies promises, wherever it has trainings carried out."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cnnlab import training
from cnnlab.core.messages import quietly
from cnnlab.runs import Run
from cnnlab.studies.execution.executor import (
    EpochDone,
    Event,
    Executor,
    Failed,
    Finished,
    Last,
    Started,
    Stopped,
    TrialRequest,
)
from cnnlab.testing.suite import Check, Suite, require, run

RECIPE: Mapping[str, Any] = {
    "data": "digits",
    "subset": 100,
    "model": "mlp(hidden=[4])",
    "optimizer": "sgd(lr=0.1)",
    "batch_size": 50,
    "epochs": 2,
    "precision": "float32",
    "threads": 1,
}
"""A training of a moment, on data that is there without files or network."""

_ENDLESS = 100_000
_PATIENCE, _POLL = 120.0, 0.2

Make = Callable[[Path], Executor]
E = TypeVar("E")


class ExecutorCase:
    """An executor at work on a folder of runs, and what it has told so far of each request.

    :param patience: seconds after which a training that does not end is given up.
    """

    def __init__(self, executor: Executor, runs: Path, patience: float) -> None:
        self.executor, self.runs, self.patience = executor, runs, patience
        self.told: dict[int, list[Event]] = {}
        self._heard: dict[int, int] = {}
        self._numbers, self._seeds = count(), count()

    def recipe(self, **keys: Any) -> dict[str, Any]:
        """The small recipe with a seed that no other has."""
        return {**RECIPE, "seed": next(self._seeds), **keys}

    def submit(self, recipe: Mapping[str, Any], *, is_judged: bool = False) -> int:
        """Asks for a training; its number."""
        number = next(self._numbers)
        self.told[number] = []
        self.executor.submit(TrialRequest(number, recipe, is_judged))
        return number

    def listen(self) -> list[Event]:
        """What happens next, if anything does soon."""
        events = list(self.executor.events(_POLL))
        for event in events:
            require(event.number in self.told, f"It told of a request {event.number} that nobody made: {event}.")
            self.told[event.number].append(event)
        return events

    def next(self, number: int, kind: type[E]) -> E:
        """The next event of a request, which must be of this kind."""
        place = self._heard[number] = self._heard.get(number, -1) + 1
        self._listen_until(lambda: len(self.told[number]) > place, number)
        return _expected(self.told[number][place], kind)

    def end(self, number: int, kind: type[E]) -> E:
        """The last event of a request, which must be of this kind."""
        self._listen_until(lambda: any(isinstance(event, Last) for event in self.told[number]), number)
        return _expected(self.told[number][-1], kind)

    def finish(self, recipe: Mapping[str, Any]) -> Run:
        """The finished run of a recipe."""
        return Run(self.end(self.submit(recipe), Finished).folder)

    def _listen_until(self, has_come: Callable[[], bool], number: int) -> None:
        deadline = time.monotonic() + self.patience
        while not has_come():
            require(time.monotonic() < deadline, f"Nothing came in {self.patience:g} s after {self.told[number]}.")
            self.listen()


def check_executor(make: Make, *, patience: float = _PATIENCE) -> None:
    """Holds an executor of studies to everything that the runner of studies relies on.

    >>> check_executor(lambda runs: QueueExecutor("gpu-queue", runs=runs))

    One executor is tried by all checks, one after another, with trainings of a moment on the digits that come with
    scikit-learn.

    :param make: makes the executor over a folder of runs, which is gone afterwards.
    :param patience: seconds after which a training that does not end is given up.
    :raises AssertionError: naming the first promise that is broken, and how.
    """
    with _prepared(make, patience) as case:
        run(_suite.checks(_name(case.executor), lambda: nullcontext(case)))


def executor_checks(make: Make, *, patience: float = _PATIENCE) -> list[Check]:
    """The checks of :func:`check_executor` one by one, each with an executor of its own, to be parametrized."""
    return _suite.checks(getattr(make, "__name__", "executor"), lambda: _prepared(make, patience))


@contextmanager
def _prepared(make: Make, patience: float) -> Iterator[ExecutorCase]:
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        with make(runs) as executor:
            yield ExecutorCase(executor, runs, patience)


def _name(executor: Executor) -> str:
    return f"executor {type(executor).__name__}"


_suite: Suite[ExecutorCase] = Suite()


@_suite.check
def a_request_becomes_a_finished_run(case: ExecutorCase) -> None:
    """Of a request it tells that it began, each epoch, and the folder of the finished run, in this order."""
    recipe = case.recipe()
    number = case.submit(recipe)
    finished, told = Run(case.end(number, Finished).folder), case.told[number]
    require(
        [type(event) for event in told] == [Started, EpochDone, EpochDone, Finished], f"For two epochs it told {told}."
    )
    require(isinstance(told[0], Started) and told[0].epochs == 2, f"It began two epochs with {told[0]}.")
    epochs = [event.row["epoch"] for event in told if isinstance(event, EpochDone)]
    require(epochs == [1, 2], f"The rows are of the epochs {epochs}.")
    require(case.runs in finished.folder.parents, f"The run is at {finished.folder}, the folder of runs {case.runs}.")
    require(finished.status == "finished", f"The run is {finished.status}.")
    require(finished.recipe["seed"] == recipe["seed"], f"The seed became {finished.recipe['seed']}.")


@_suite.check
def it_trains_as_training_does(case: ExecutorCase) -> None:
    """A run is to the bit what the same recipe becomes without it."""
    recipe = case.recipe()
    with tempfile.TemporaryDirectory() as folder, quietly():
        is_same = _same_outputs(training.train(recipe, runs=folder), case.finish(recipe))
    require(is_same, "Its predictions for the test images are others.")


@_suite.check
def it_fills_its_slots_again_and_again(case: ExecutorCase) -> None:
    """As many requests as it has slots are carried out at once, and others after them."""
    require(case.executor.slots >= 1, f"It has {case.executor.slots} slots.")
    for _ in range(2):
        for number in [case.submit(case.recipe()) for _ in range(min(2, case.executor.slots))]:
            case.end(number, Finished)


@_suite.check
def a_finished_run_is_found(case: ExecutorCase) -> None:
    """What is finished already is told of, and not trained again."""
    recipe = case.recipe()
    first, number = case.finish(recipe), case.submit(recipe)
    folder = case.end(number, Finished).folder
    require(folder == first.folder, f"Asked again it gave {folder}, not {first.folder}.")
    require(not any(isinstance(event, EpochDone) for event in case.told[number]), "It trained it again.")


@_suite.check
def a_judged_request_waits_for_a_word(case: ExecutorCase) -> None:
    """A judged training waits for an answer after each epoch, goes on or saves and stops, and can go on later."""
    recipe = case.recipe(epochs=4)
    number = case.submit(recipe, is_judged=True)
    case.next(number, Started)
    case.next(number, EpochDone)
    require(not case.listen(), f"It went on without one: {case.told[number]}.")
    case.executor.answer(number, True)
    case.next(number, EpochDone)
    case.executor.answer(number, False)
    folder = case.end(number, Stopped).folder
    require(folder is not None, "It stopped and does not say where the run is.")
    stopped = Run(folder or case.runs)
    is_saved = (stopped.status, stopped.epochs_done) == ("unfinished", 2)
    require(is_saved, f"Stopped after two epochs, the run is {stopped.status} with {stopped.epochs_done}.")
    finished = case.finish(recipe)
    is_same = (finished.folder, finished.epochs_done) == (folder, 4)
    require(is_same, f"It went on at {finished.folder} with {finished.epochs_done} epochs, not at {folder} with 4.")


@_suite.check
def a_failure_is_told_with_its_kind(case: ExecutorCase) -> None:
    """A training that fails is told of with its kind and a reason, and the next one is carried out."""
    for kind, keys in (("nan", {"optimizer": "sgd(lr=1e30)"}), ("error", {"model": "cnn(layers=CPCPCPCPCP)"})):
        failed = case.end(case.submit(case.recipe(**keys)), Failed)
        require(failed.kind == kind and failed.reason, f"A failure of the kind {kind} was told as {failed}.")
    case.finish(case.recipe())


@_suite.check
def nothing_asked_nothing_told(case: ExecutorCase) -> None:
    """While nothing is under way there are no events, and whoever asks for them does not wait for long."""
    case.finish(case.recipe())
    began = time.monotonic()
    events = case.executor.events(0.05)
    require(not events, f"It told {list(events)}.")
    require(time.monotonic() - began < 5, f"Asked to wait for 0.05 s it took {time.monotonic() - began:.1f} s.")


@_suite.check
def its_pace_is_measured(case: ExecutorCase) -> None:
    """Timing a few steps gives images per second and an execution that a record can hold, and leaves no run."""
    before = _runs_in(case.runs)
    pace = case.executor.pace(case.recipe(), 1, 1)
    require(pace.images_per_second > 0, f"It is {pace.images_per_second:g} images per second.")
    require(pace.at_once >= 1 and pace.threads >= 1, f"It is of {pace.at_once} at once with {pace.threads} threads.")
    json.dumps(dict(pace.execution))
    require("precision" in pace.execution, f"Its execution names no precision: {dict(pace.execution)}.")
    require(_runs_in(case.runs) == before, "It left a run behind.")


@_suite.check
def closing_saves_what_is_under_way(case: ExecutorCase) -> None:
    """Closed, it lets the training under way save and stop, and may be closed again."""
    number = case.submit(case.recipe(epochs=_ENDLESS))
    case.next(number, Started)
    left = Run(case.next(number, EpochDone).folder)
    case.executor.close()
    require(not left.is_running, "The training goes on.")
    is_saved = left.status == "unfinished" and left.epochs_done >= 1
    require(is_saved, f"The run is {left.status} with {left.epochs_done} epochs.")
    case.executor.close()


def _expected(event: Event, kind: type[E]) -> E:
    if not isinstance(event, kind):
        raise AssertionError(f"It told {event} where {kind.__name__} was to come.")
    return event


def _same_outputs(first: Run, second: Run) -> bool:
    ours, theirs = first.predictions("test").outputs, second.predictions("test").outputs
    return ours.keys() == theirs.keys() and all(np.array_equal(rows, theirs[head]) for head, rows in ours.items())


def _runs_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*/run.json"))
