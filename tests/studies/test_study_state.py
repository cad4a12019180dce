"""What a study keeps beside its runs, read back, also where others wrote into it."""

import json
from pathlib import Path

import pytest

from cnnlab.core.errors import DataError
from cnnlab.studies.record import StudyRecord

STEP = {"number": 0, "drawn": {"lr": 0.1}, "state": "complete", "value": 0.5, "followed": {"1": 0.5}, "rungs": {}}
WHOLE = {
    "format": 1,
    "wall_seconds": 2,
    "execution": {"trials_at_once": 2, "threads": 1, "device": "cpu"},
    "failures": {"a" * 64: {"kind": "error", "reason": "no", "run": None}},
    "attempts": {"a" * 64: 1},
    "steps": [STEP, {"number": 1, "drawn": {"lr": 1}, "state": "asked", "value": None}],
}


def test_a_whole_state_is_read(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps(WHOLE))
    record = StudyRecord(tmp_path)
    assert record.steps == WHOLE["steps"] and record.failures == WHOLE["failures"]
    assert record.attempts == {"a" * 64: 1} and record.execution["threads"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"failures": 5},
        {"failures": {"a": "b"}},
        {"attempts": ["a"]},
        {"attempts": {"a": "b"}},
        {"steps": "x"},
        {"steps": [{**STEP, "state": "won"}]},
        {"steps": [{**STEP, "drawn": 3}]},
        {"steps": [{**STEP, "followed": {"x": 1}}]},
        {"execution": {"trials_at_once": 0}},
        {"wall_seconds": "x"},
        {"format": []},
    ],
)
def test_a_field_of_another_kind_is_told_by_its_name(change: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps({**WHOLE, **change}))
    with pytest.raises(DataError, match=rf"state\.json is damaged \({next(iter(change))}.*Delete it and run"):
        StudyRecord(tmp_path)


@pytest.mark.parametrize("content", ["[]", "{", '{"format": Infinity}', "[" * 100_000])
def test_what_is_no_state_is_told(content: str, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(DataError, match=r"state\.json is damaged"):
        StudyRecord(tmp_path)
