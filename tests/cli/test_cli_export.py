"""``cnnlab export`` as it is typed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Cnnlab = Callable[..., Result]


@pytest.mark.usefixtures("trained")
def test_what_was_written_is_told_and_a_second_time_replaced(
    cnnlab: Cnnlab, document: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "model.pt2").write_text("what was there")
    made = document("export", "last", "model.pt2")
    assert made["files"] == ["model.pt2", "model.pt2.golden.npz"] and made["check"]["difference"] < 1e-4
    said = cnnlab("export", "last", "model.pt2").stdout
    assert "model.pt2.golden.npz" in said and "256 pictures: 256 of the test split of digits" in said
    assert "and the same classes" in said and "uint8 N×C×H×W, grey, one channel, 8 high and 8 wide" in said
    assert "opened again, with the same weights" in cnnlab("export", "last", "hub").stdout
    assert {path.name for path in tmp_path.iterdir()} == {"runs", *made["files"], "hub"}


def test_what_cannot_be_meant_is_one_paragraph(cnnlab: Cnnlab, tmp_path: Path) -> None:
    refused = cnnlab("export", "nothing", "model.tflite", exit_code=2).stderr
    assert "does not go with its suffix" in refused and list(tmp_path.iterdir()) == []
    assert "there are no runs under runs" in cnnlab("export", "nothing", "model.pt2", exit_code=2).stderr
