"""The table of epochs that a run in several goes leaves is that of a run in one, column by column."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnnlab.runs import Run
from cnnlab.runs.history import read_history, write_history
from cnnlab.training import checkpoint_file, resume

_TIMES = ("seconds", "images_per_second")
TWO_PHASES = {"epochs": None, "phases": [{"epochs": 2}, {"epochs": 1, "optimizer": "adam"}]}


def table(run: Run) -> list[list[str]]:
    """The lines of a history, the header among them, without the columns of times."""
    with (run.folder / "history.csv").open(newline="") as file:
        header, *lines = csv.reader(file)
    kept = [place for place, name in enumerate(header) if name not in _TIMES]
    return [header, *([line[place] for place in kept] for line in (header, *lines))]


@pytest.mark.parametrize("after", [2, 3, 4])
@pytest.mark.parametrize("keys", [{}, {"validation": 0}, TWO_PHASES])
def test_columns_stand_in_the_order_of_an_uninterrupted_run(
    after: int, keys: dict[str, Any], small_run: Callable[..., Run], interrupted: Callable[..., Any], tmp_path: Path
) -> None:
    whole = small_run(**keys, runs=tmp_path / "whole")
    cut, _ = interrupted(**keys, after=after)
    assert table(resume(cut)) == table(whole)


def test_a_checkpoint_keeps_the_order_of_its_facts(tmp_path: Path) -> None:
    checkpoint_file.save_checkpoint(
        tmp_path / "state", {}, {"counters": {"rows": [{"step": 1, "epoch": 2}], "epoch": 1}}
    )
    _, facts = checkpoint_file.load_checkpoint(tmp_path / "state")
    assert list(facts["counters"]) == ["rows", "epoch"]
    assert list(facts["counters"]["rows"][0]) == ["step", "epoch"]


def test_rows_in_another_order_keep_their_values_under_their_names(tmp_path: Path) -> None:
    # As a checkpoint holds them that was written with its names sorted.
    rows = [{"epoch": 1, "loss": 0.5, "step": 3}, {"epoch": 2, "step": 6, "loss": 0.25, "phase": 2}]
    write_history(tmp_path / "history.csv", rows)
    table = read_history(tmp_path / "history.csv")
    assert list(table) == ["epoch", "loss", "step", "phase"]
    assert table[["epoch", "step", "loss"]].to_numpy().tolist() == [[1, 3, 0.5], [2, 6, 0.25]]
