"""A command is known again while all that its answer depended on is as it was."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from cnnlab.core import yaml
from cnnlab.core.errors import UsageError
from cnnlab.data import load_data
from cnnlab.training.known_commands import Command


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _save(path: str, seed: int = 0) -> None:
    draws = np.random.default_rng(seed)
    np.savez(path, x=draws.integers(0, 256, (60, 4, 4), dtype=np.uint8), y=np.arange(60) % 2)


def _ask(*words: str, data: str = "npz(path=some.npz)") -> Command:
    command = Command("train", words)
    with command.noting() as answer:
        load_data(data)
        answer.facts = {"digest": "abc"}
    return command


def test_the_same_words_have_the_same_answer() -> None:
    _save("some.npz")
    _ask("data=some.npz")
    assert Command("train", ["data=some.npz"]).answer() == {"digest": "abc"}


@pytest.mark.parametrize(
    "other",
    [
        Command("train", ["data=some.npz", "epochs=2"]),
        Command("study", ["data=some.npz"]),
        Command("train", (), ("x",)),
    ],
    ids=str,
)
def test_other_words_have_none(other: Command) -> None:
    _save("some.npz")
    _ask("data=some.npz")
    assert other.answer() is None


def test_changed_data_has_none() -> None:
    _save("some.npz")
    command = _ask("data=some.npz")
    _save("some.npz", seed=1)
    assert command.answer() is None


def test_data_that_is_gone_has_none() -> None:
    _save("some.npz")
    command = _ask("data=some.npz")
    os.remove("some.npz")
    assert command.answer() is None


def test_data_that_would_now_be_found_elsewhere_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shared").mkdir()
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "shared"))
    _save("shared/some.npz")
    command = _ask("data=some.npz")
    assert command.answer() is not None
    _save("some.npz", seed=1)
    assert command.answer() is None


def test_another_folder_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _save("some.npz")
    command = _ask("data=some.npz")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert command.answer() is None


def test_a_changed_recipe_has_none() -> None:
    Path("recipe.yaml").write_text("data: digits\n")
    command = Command("train", ["recipe.yaml"])
    with command.noting() as answer:
        yaml.read_file(Path("recipe.yaml"), "a recipe")
        answer.facts = {"digest": "abc"}
    assert command.answer() is not None
    Path("recipe.yaml").write_text("data: digits\nepochs: 3\n")
    assert command.answer() is None


def test_a_file_that_the_recipe_takes_in_counts_too() -> None:
    Path("base.yaml").write_text("data: digits\n")
    command = Command("train", ["recipe.yaml"])
    with command.noting() as answer:
        yaml.read_file(Path("base.yaml"), "a recipe")
        answer.facts = {"digest": "abc"}
    Path("base.yaml").write_text("data: mnist\n")
    assert command.answer() is None


def test_data_that_changed_while_the_answer_was_worked_out_is_not_taken_for_its_data() -> None:
    _save("some.npz")
    command = Command("train", ["data=some.npz"])
    with command.noting() as answer:
        load_data("npz(path=some.npz)")
        _save("some.npz", seed=1)
        answer.facts = {"digest": "abc"}
    assert command.answer() is None


def test_what_fails_is_not_kept() -> None:
    command = Command("train", ["data=nothing"])

    def fail() -> None:
        with command.noting() as answer:
            answer.facts = {"digest": "abc"}
            raise UsageError("no")

    with pytest.raises(UsageError):
        fail()
    assert command.answer() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 1, "answer": 3, "lookups": {}}'])
def test_a_damaged_answer_is_none(text: str) -> None:
    _save("some.npz")
    command = _ask("data=some.npz")
    command.path.write_text(text)
    assert command.answer() is None


def test_pictures_in_a_folder_are_known_by_their_times(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            pixels = np.full((4, 4), 10 * number + (name == "a"), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    command = _ask("data=photos", data="folder(path=photos)")
    assert command.answer() is not None
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "photos" / "a" / "3.png")
    assert command.answer() is None


def test_looking_an_answer_up_takes_no_time() -> None:
    _save("some.npz")
    command = _ask("data=some.npz")
    command.answer()
    began = time.process_time()
    command.answer()
    assert time.process_time() - began < 0.2
