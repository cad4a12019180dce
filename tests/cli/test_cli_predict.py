"""``cnnlab predict`` into files."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cnnlab.runs import Run


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """1.png, 2.png and 10.png of digits' size."""
    (tmp_path / "test").mkdir()
    for number in (1, 2, 10):
        Image.new("L", (8, 8), number * 20).save(tmp_path / "test" / f"{number}.png")
    return tmp_path / "test"


def test_a_submission_is_written_in_the_order_of_its_sample(
    cnnlab: Callable[..., Any], trained: Run, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "sample.csv").write_text("id,label\n10,0\n1,0\n2,0\n")
    words = ("predict", "last", "test", "--out", "s.csv", "--format", "kaggle", "--like", "sample.csv")
    assert cnnlab(*words).stdout == "3 pictures predicted: s.csv\n"
    rows = list(csv.reader((tmp_path / "s.csv").read_text().splitlines()))
    assert rows[0] == ["id", "label"] and [row[0] for row in rows[1:]] == ["10", "1", "2"]
    assert cnnlab(*words).stdout == "3 pictures predicted before, and nothing has changed: s.csv\n"


def test_ids_that_do_not_fit_the_sample_are_told(
    cnnlab: Callable[..., Any], trained: Run, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "sample.csv").write_text("id,label\n10,0\n1,0\n3,0\n")
    said = cnnlab("predict", "last", "test", "--out", "s.csv", "--like", "sample.csv", exit_code=2).stderr
    assert "of 1 id in it there is no picture (3), and 1 picture given is not in it (test/2.png)" in said


def test_json_says_what_was_written(document: Callable[..., Any], trained: Run, pictures: Path) -> None:
    words = ("predict", "last", "test", "--out", "s.csv", "--top", "2")
    expected = {"predicted": 3, "unreadable": [], "out": "s.csv"}
    assert document(*words) == {**expected, "was_there": False}
    assert document(*words) == {**expected, "was_there": True}


def test_a_damaged_picture_is_refused_with_the_option_that_leaves_it_out(
    cnnlab: Callable[..., Any], trained: Run, pictures: Path
) -> None:
    (pictures / "2.png").write_bytes(b"none")
    said = cnnlab("predict", "last", "test", "--out", "s.csv", exit_code=2).stderr
    assert "2.png" in said and "--skip-bad" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--on", "ray"), "--on ray has a cluster predict many pictures into a file. Name it, as in --out predictions"),
        (("--out", "s.csv", "--cpus", "2", "--workers", "2"), "--workers --cpus: this is asked of a cluster"),
        (("--out", "s.csv", "--on", "slurm"), "on=slurm: pictures are spread over Ray clusters alone, by --on ray"),
    ],
)
def test_what_is_asked_of_a_cluster_wants_one_and_a_file(
    cnnlab: Callable[..., Any], trained: Run, words: tuple[str, ...], said: str
) -> None:
    assert said in " ".join(cnnlab("predict", "last", ".", *words, exit_code=2).stderr.split())


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--format", "kaggle"), "--format"),
        (("--top", "2"), "--top"),
        (("--no-probabilities",), "--probabilities"),
        (("--like", "x.csv"), "--like"),
    ],
)
def test_what_says_how_a_file_looks_wants_a_file(
    cnnlab: Callable[..., Any], words: tuple[str, ...], option: str
) -> None:
    said = cnnlab("predict", "last", ".", *words, exit_code=2).stderr
    assert f"{option} says what a file looks like. Name it, as in --out submission.csv" in said
