"""What the tests of training share: a recipe so small that a run of it takes a fifth of a second."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnnlab.runs import Run, RunStore
from cnnlab.training import EpochEnd, Interrupted, train
from cnnlab.training.step import Stepper

TINY = {
    "data": "digits",
    "subset": 120,
    "validation": 60,
    "test": 60,
    "model": "conv(4)|relu|pool|flatten",
    "optimizer": "sgd(lr=0.1)",
    "schedule": "constant",
    "batch_size": 40,
    "epochs": 2,
    "precision": "float32",
    "device": "cpu",
    "threads": 1,
    "workers": 1,
}
_OPTIONS = ("runs", "again", "callbacks")


@pytest.fixture
def tiny() -> dict[str, Any]:
    """Three steps an epoch on 120 digits, two epochs."""
    return dict(TINY)


@pytest.fixture
def small_run(tmp_path: Path) -> Callable[..., Run]:
    """Trains the tiny recipe with some keys changed, in a folder of runs of the test's own."""

    def go(**keys: Any) -> Run:
        options = {"runs": tmp_path / "runs"} | {key: keys.pop(key) for key in _OPTIONS if key in keys}
        has_length = "steps" in keys or "phases" in keys
        return train({**TINY, **({"epochs": None} if has_length else {}), **keys}, offline=True, **options)

    return go


@pytest.fixture
def interrupted(
    small_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Run, Interrupted]]:
    """Trains as ``small_run`` does until a signal comes; the run, and how it left.

    The signal comes during step number ``after`` of this attempt, or when epoch number ``epoch`` is done.
    """

    def go(*, after: int = 0, epoch: int = 0, number: int = signal.SIGTERM, **keys: Any) -> tuple[Run, Interrupted]:
        take, taken = Stepper.take, 0

        def take_and_signal(self: Stepper, *args: Any) -> Any:
            nonlocal taken
            taken += 1
            if taken == after:
                signal.raise_signal(number)
            return take(self, *args)

        def signal_at_end(end: EpochEnd) -> None:
            if end.epoch == epoch:
                signal.raise_signal(number)

        with monkeypatch.context() as patch:
            patch.setattr(Stepper, "take", take_and_signal)
            with pytest.raises(Interrupted) as caught:
                small_run(**keys, callbacks=[signal_at_end])
        return RunStore(keys.get("runs", tmp_path / "runs")).find("last"), caught.value

    return go
