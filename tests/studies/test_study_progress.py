"""What a person sees while a study runs."""

import io
import logging
from dataclasses import replace

import pytest
from rich.console import Console
from small_studies import study_of

from cnnlab.studies import progress as progress_module
from cnnlab.studies.execution.scheduler import TrialTask
from cnnlab.studies.progress import StudyProgress
from cnnlab.studies.result import Metric, Trial
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.study_file import read_study

ACCURACY = Metric("test_accuracy", "test accuracy", "share", "higher")


def task() -> TrialTask:
    return TrialTask(StudySettings(read_study(study_of())).settings[1], 3, "ab")


def test_the_table_shows_each_trial_under_way_and_the_total():
    progress, console = StudyProgress("small", 4, 1), Console(width=100, record=True, file=io.StringIO())
    progress.trial_started(0, task(), 10)
    progress.epoch(0, {"epoch": 2, "validation_accuracy": 0.5, "images_per_second": 1234.0})
    console.print(progress._table())
    shown = console.export_text()
    for text in ("small: 1 of 4 trials", "0.5", "3", "2/10", "validation accuracy 0.5000", "1,234"):
        assert text in shown


def test_nothing_is_cut_off_on_a_narrow_terminal():
    label = "optimizer=sgd(lr=0.1, momentum=0.9), model=vgg-like(dropout=0.4), augment=flip|shift(0.1)|rotate(10)"
    progress, console = StudyProgress("small", 18, 5), Console(width=80, record=True, file=io.StringIO())
    known = task()
    progress.trial_started(0, TrialTask(replace(known.setting, label=label), 0, "ab"), 100)
    progress.epoch(0, {"epoch": 12, "validation_accuracy": 0.51234, "images_per_second": 12345.6})
    console.print(progress._table())
    shown = console.export_text()
    assert "…" not in shown and "12/100" in shown and "validation accuracy 0.5123" in shown and "12,346" in shown
    assert all(len(line.rstrip()) <= 80 for line in shown.splitlines())
    folded = "".join(line[1:18] for line in shown.splitlines()).replace(" ", "")
    assert "rotate(10)" in folded


def test_elsewhere_a_line_says_how_each_trial_ended(caplog):
    with caplog.at_level(logging.INFO, logger="cnnlab"), StudyProgress("small", 3, 0) as progress:
        progress.trial_started(0, task(), 2)
        progress.trial_ended(0, task(), Trial(3, "finished", metrics={"test_accuracy": 0.75}, seconds=61), ACCURACY)
        progress.trial_ended(1, task(), Trial(3, "failed", reason="its process died"), ACCURACY)
    assert "0 of 3 trials are there already" in caplog.messages[0]
    assert caplog.messages[1].startswith("[1/3] 0.5, seed 3: test accuracy 0.7500  (1:01)")
    assert "its process died" in caplog.messages[2]


def test_a_class_is_called_by_its_name_where_a_trial_ended(caplog):
    recall = Metric("recall of 't_shirt'", "recall of 't_shirt'", "share", "higher")
    with caplog.at_level(logging.INFO, logger="cnnlab"), StudyProgress("small", 1, 0) as progress:
        progress.trial_started(0, task(), 2)
        progress.trial_ended(0, task(), Trial(3, "finished", metrics={recall.name: 0.75}), recall)
    assert "recall of 't_shirt' 0.7500" in caplog.messages[-1]


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only when it is told to."""
    now = [1000.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    return now


def test_time_left_goes_by_epochs_and_leaves_out_how_long_workers_took_to_come_up(clock):
    progress = StudyProgress("small", 6, 2)
    clock[0] += 60
    for number in (0, 1):
        progress.trial_started(number, task(), 10)
    assert progress.seconds_left() is None
    clock[0] += 5
    progress.epoch(0, {"epoch": 5})
    # One epoch of the four trials' 40 took 5 s; the first is at its fifth, where it went on.
    assert progress.seconds_left() == pytest.approx(5 / 0.1 * 3.5)
    for number in (0, 1):
        for epoch in range(6 * (1 - number), 10):
            progress.epoch(number, {"epoch": epoch + 1})
    progress.trial_ended(0, task(), Trial(3, "finished"), ACCURACY)
    progress.trial_ended(1, task(), Trial(3, "finished"), ACCURACY)
    assert progress.seconds_left() == pytest.approx(5 / 1.5 * 2)


def test_epochs_heard_late_count_with_the_time_that_they_took(clock):
    progress = StudyProgress("small", 2, 0)
    progress.trial_started(0, task(), 2)
    progress.epoch(0, {"epoch": 1, "seconds": 8.0})
    assert progress.seconds_left() == pytest.approx(8 / 0.5 * 1.5)


def test_trials_told_in_steps_count_once_they_end(clock):
    progress = StudyProgress("small", 3, 0)
    progress.trial_started(0, task(), 0)
    clock[0] += 4
    progress.epoch(0, {"epoch": 1})
    assert progress.seconds_left() is None
    progress.trial_ended(0, task(), Trial(3, "finished"), ACCURACY)
    assert progress.seconds_left() == pytest.approx(8)


def test_a_trial_that_failed_before_its_first_epoch_says_nothing_of_the_pace(clock):
    progress = StudyProgress("small", 3, 0)
    progress.trial_started(0, task(), 4)
    clock[0] += 1
    progress.trial_ended(0, task(), Trial(3, "failed", reason="no such file"), ACCURACY)
    assert progress.seconds_left() is None
