"""The page on testing: its examples run, and it names every suite and every tiny network."""

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cnnlab import testing
from cnnlab.augment import augmentations
from cnnlab.data import readers
from cnnlab.objectives import objectives

TEXT = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```(?:\n```\n(.*?)```)?", TEXT, re.DOTALL)
REGISTRIES: tuple[Any, ...] = (augmentations, objectives, readers)


@pytest.fixture(autouse=True)
def _names_are_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    before = [{entry.name for entry in registry} for registry in REGISTRIES]
    yield
    for registry, names in zip(REGISTRIES, before, strict=True):
        for name in {entry.name for entry in registry} - names:
            registry.remove(name)


def cases(test: Any) -> list[tuple[Any, ...]]:
    """The arguments with which pytest would call a test."""
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    return [(value,) for mark in marks for value in mark.args[1]] or [()]


@pytest.mark.parametrize(("code", "printed"), BLOCKS, ids=range(len(BLOCKS)))
def test_examples_on_the_page_run_and_print_what_stands_below_them(code: str, printed: str) -> None:
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as told:
        exec(compile(code, "testing.md", "exec"), names)
    assert told.getvalue() == printed
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert tests or printed
    for test in tests:
        for arguments in cases(test):
            test(*arguments)


def test_every_suite_and_every_tiny_network_is_named() -> None:
    assert set(testing.__all__) - {"Check"} <= set(re.findall(r"\w+", TEXT))
