"""A request is known again while all that its answer depended on is as it was."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from cnnlab.core import yaml
from cnnlab.core.errors import UsageError
from cnnlab.data import load_data
from cnnlab.training.known_requests import Request


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _save(path: str, seed: int = 0) -> None:
    draws = np.random.default_rng(seed)
    np.savez(path, x=draws.integers(0, 256, (60, 4, 4), dtype=np.uint8), y=np.arange(60) % 2)


def _ask(*words: str, data: str = "npz(path=some.npz, x=x, y=y)") -> Request:
    request = Request("train", words)
    with request.noting() as answer:
        load_data(data)
        answer.facts = {"digest": "abc"}
    return request


def test_the_same_words_have_the_same_answer() -> None:
    _save("some.npz")
    _ask("data=some.npz")
    assert Request("train", ["data=some.npz"]).answer() == {"digest": "abc"}


@pytest.mark.parametrize(
    "other",
    [
        Request("train", ["data=some.npz", "epochs=2"]),
        Request("study", ["data=some.npz"]),
        Request("train", (), ("x",)),
    ],
    ids=str,
)
def test_other_words_have_none(other: Request) -> None:
    _save("some.npz")
    _ask("data=some.npz")
    assert other.answer() is None


def test_changed_data_has_none() -> None:
    _save("some.npz")
    request = _ask("data=some.npz")
    _save("some.npz", seed=1)
    assert request.answer() is None


def test_data_that_is_gone_has_none() -> None:
    _save("some.npz")
    request = _ask("data=some.npz")
    os.remove("some.npz")
    assert request.answer() is None


def test_data_that_would_now_be_found_elsewhere_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shared").mkdir()
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "shared"))
    _save("shared/some.npz")
    request = _ask("data=some.npz")
    assert request.answer() is not None
    _save("some.npz", seed=1)
    assert request.answer() is None


def test_another_folder_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _save("some.npz")
    request = _ask("data=some.npz")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert request.answer() is None


def test_a_changed_recipe_has_none() -> None:
    Path("recipe.yaml").write_text("data: digits\n")
    request = Request("train", ["recipe.yaml"])
    with request.noting() as answer:
        yaml.read_file(Path("recipe.yaml"), "a recipe")
        answer.facts = {"digest": "abc"}
    assert request.answer() is not None
    Path("recipe.yaml").write_text("data: digits\nepochs: 3\n")
    assert request.answer() is None


def test_a_file_that_the_recipe_takes_in_counts_too() -> None:
    Path("base.yaml").write_text("data: digits\n")
    request = Request("train", ["recipe.yaml"])
    with request.noting() as answer:
        yaml.read_file(Path("base.yaml"), "a recipe")
        answer.facts = {"digest": "abc"}
    Path("base.yaml").write_text("data: mnist\n")
    assert request.answer() is None


def test_data_that_changed_while_the_answer_was_worked_out_is_not_taken_for_its_data() -> None:
    _save("some.npz")
    request = Request("train", ["data=some.npz"])
    with request.noting() as answer:
        load_data("npz(path=some.npz, x=x, y=y)")
        _save("some.npz", seed=1)
        answer.facts = {"digest": "abc"}
    assert request.answer() is None


def test_what_fails_is_not_kept() -> None:
    request = Request("train", ["data=nothing"])

    def fail() -> None:
        with request.noting() as answer:
            answer.facts = {"digest": "abc"}
            raise UsageError("no")

    with pytest.raises(UsageError):
        fail()
    assert request.answer() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 1, "answer": 3, "lookups": {}}'])
def test_a_damaged_answer_is_none(text: str) -> None:
    _save("some.npz")
    request = _ask("data=some.npz")
    request.path.write_text(text)
    assert request.answer() is None


def test_pictures_in_a_folder_are_known_by_their_times(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            pixels = np.full((4, 4), 10 * number + (name == "a"), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    request = _ask("data=photos", data="folder(path=photos)")
    assert request.answer() is not None
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "photos" / "a" / "3.png")
    assert request.answer() is None


def test_looking_an_answer_up_takes_no_time() -> None:
    _save("some.npz")
    request = _ask("data=some.npz")
    request.answer()
    began = time.process_time()
    request.answer()
    assert time.process_time() - began < 0.2
