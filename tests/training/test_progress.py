import importlib
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from cnnlab.core.messages import quietly
from cnnlab.runs import Run
from cnnlab.training import Recipe, progress
from cnnlab.training.phases import plan_phases
from cnnlab.training.progress import Display
from cnnlab.training.state import Counters
from cnnlab.training.step import Stepper

Trained = Callable[..., Run]


def test_elsewhere_than_on_a_terminal_there_is_one_line_an_epoch(
    small_run: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cnnlab")
    run = small_run(
        kernels="torch",
    )
    # What a slow machine says while it waits ends so.
    first, *lines = [line for line in caplog.messages if not line.endswith("…")]
    assert first == "computing in float32 on 1 thread (asked for)"
    assert len(lines) == 2
    for number, line in enumerate(lines, start=1):
        row = run.history.iloc[number - 1]
        assert line.startswith(f"epoch   {number}/2")
        assert f"train loss {row['train_loss']:.4f}" in line
        assert f"validation accuracy {row['validation_accuracy']:.4f}" in line
        assert line.endswith("images/s")


def test_quietly_there_is_none(small_run: Trained, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cnnlab")
    with quietly():
        small_run()
    assert not caplog.records


def test_the_bar_tells_loss_speed_and_time_left(tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    # Imported before the clock is faked, which it would go by from then on.
    importlib.import_module("rich.progress")
    now = 1000.0
    monkeypatch.setattr(progress, "shows_bars", lambda: True)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    # Two epochs of three steps of forty; a step takes twenty seconds.
    display = Display(plan_phases(Recipe.read(tiny), 120))
    with display:
        display.begin(epoch=0, steps=3, done=1)
        now += 20
        display.step(Counters(step=2, in_epoch=2, sums={"loss": 40.0, "accuracy": 20.0, "samples": 80.0}))
        (task,) = display.bar.rich.tasks
    assert task.description == "epoch 1/2"
    assert (task.completed, task.total) == (2, 3)
    assert task.fields["facts"] == "loss 0.500 accuracy 0.250 · 2 images/s · 1:20 left"


def test_a_bar_begins_with_the_number_of_steps(tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.progress import Progress

    begun: list[Any] = []
    monkeypatch.setattr(progress, "shows_bars", lambda: True)
    monkeypatch.setattr(Progress, "start", lambda self: begun.append((self.tasks[0].completed, self.tasks[0].total)))
    with Display(plan_phases(Recipe.read(tiny), 120)) as display:
        display.begin(epoch=0, steps=3, done=1)
    assert begun == [(1, 3)]


def test_a_bar_does_not_get_in_the_way_of_training(small_run: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "shows_bars", lambda: True)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN", 0.0)
    assert small_run().status == "finished"


@pytest.mark.parametrize(
    ("keys", "expected"), [({}, "taking the first step …"), ({"compile": True}, "compiling the network …")]
)
def test_a_first_step_that_lasts_says_so_once(
    keys: dict[str, Any],
    expected: str,
    small_run: Trained,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "cnnlab")
    take, taken = Stepper.take, 0

    def take_long(self: Stepper, *args: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken == 1:
            time.sleep(1.2)
        return take(self, *args)

    monkeypatch.setattr(Stepper, "take", take_long)
    # What it is spent on is faked here; compiling takes a compiler and the better part of a minute.
    monkeypatch.setattr(torch, "compile", lambda network: network)
    small_run(**keys)
    assert caplog.messages.count(expected) == 1
    assert caplog.messages.index(expected) < next(n for n, line in enumerate(caplog.messages) if "epoch   1" in line)
