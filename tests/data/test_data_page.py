"""The page on data: what it says of folders holds, and its commands are understood."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnlab import data
from cnnlab.core import yaml
from cnnlab.data.formats.folder_layout import arrange

TEXT = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
TABLE = re.findall(r"^\| (`.*) \| (.+) \|$", TEXT, re.MULTILINE)
Write = Callable[..., Path]
Files = Callable[..., dict[str, bytes]]


def names_of(cell: str) -> list[str]:
    """The pictures that a cell of the table shows in braces and as paths."""
    names: list[str] = []
    for path in re.findall(r"`([^`]+)`", cell):
        above, _, inside = path.partition("{")
        folders = [f"{above}{name}" for name in inside.rstrip("}").split(",")] if inside else [path]
        names += [folder if folder.endswith(".png") else f"{folder}/{n}.png" for folder in folders for n in range(2)]
    return sorted(set(names))


@pytest.mark.parametrize(
    ("row", "splits", "classes"),
    [
        (0, {"train", "validation", "test"}, ("cat", "dog")),
        (3, {"train", "test"}, ("cat", "dog")),
        (4, {"train", "test"}, ("cat", "dog")),
        (5, {"train"}, ("bus", "car", "train")),
    ],
)
def test_folders_are_read_as_the_table_says(row: int, splits: set[str], classes: tuple[str, ...]) -> None:
    names = names_of(TABLE[row][0])
    layout = arrange(names, {name.rpartition("/")[0] for name in names})
    assert layout.problems == () and layout.classes == classes and set(layout.images) == splits


def test_folders_that_may_be_either_are_refused_as_the_table_says() -> None:
    names = names_of(TABLE[6][0])
    assert len(names) == 8 and "refused" in TABLE[6][1]
    assert "so that either may be the classes" in arrange(names, set()).problems[0]


def test_what_is_said_of_the_splits_is_understood_in_both_forms(
    write: Write, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(files(("monday/", "friday/")), "sessions")
    monkeypatch.chdir(path.parent)
    (spec,) = re.findall(r"data check '(folder\(path=sessions.*)'", TEXT)
    (mapping,) = re.findall(r"`(data: \{name: folder.*\}\})`", TEXT)
    as_text, as_mapping = (data.load_data(given, validation=0) for given in (spec, yaml.load(mapping, "page")["data"]))
    assert as_text.digest == as_mapping.digest and len(as_text.test) == 12
    assert all(name.startswith("friday/") for name in as_text.test.ids)
