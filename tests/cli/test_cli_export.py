"""``cnnlab export`` as it is typed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from cnnlab.cli.export import _apart, _scores

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


@pytest.mark.parametrize(
    ("difference", "said"), [(0.0, "the same outputs, to the bit"), (1.4305e-06, "outputs at most 1.4e-06 apart")]
)
def test_how_far_answers_are_apart_is_a_natural_sentence(difference: float, said: str) -> None:
    assert _apart(difference) == said


@pytest.mark.parametrize(("calibrated", "said"), [(143, "all of them"), (512, "the first 512 of them")])
def test_what_ranges_of_8_bits_are_from_is_told(calibrated: int, said: str) -> None:
    found = {"before": {"accuracy": 0.9}, "after": {"accuracy": 0.875}, "images": max(143, 2 * calibrated - 143)}
    found |= {"calibrated_on": calibrated, "split": "validation", "difference": 0.03, "same_classes": 0.98}
    lines = _scores(found, has_classes=True).splitlines()
    assert lines[0] == "accuracy 0.9 before and 0.875 after"
    assert lines[1] == f"on {found['images']} pictures of the validation split; ranges from {said}"
    assert lines[2] == "outputs at most 0.03 from PyTorch's, and 98.0% of the classes the same"
