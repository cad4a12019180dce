"""Records of ensembles that are damaged, or were made to lead elsewhere: a sentence each, and nothing else suffers."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import cnnlab
from cnnlab.cli.app import app
from cnnlab.core.messages import quietly
from cnnlab.runs import Run

HOSTILE_NAMES = ["../outside", "/etc", "", ".", "..", "a/b", "a\\b", "a\0b", "x" * 300, "\x1b[31m"]
Change = Callable[[dict[str, Any]], object]


def _renamed(name: str) -> Change:
    return lambda record: record["members"][0].update(name=name)


CHANGES: dict[str, Change] = {
    **{f"a member called {name[:12]!a}": _renamed(name) for name in HOSTILE_NAMES},
    "no member": lambda record: record.update(members=[]),
    "members of another kind": lambda record: record.update(members={"a": 1}),
    "thousands of members": lambda record: record.update(members=record["members"] * 5_000),
    "an epoch below 0": lambda record: record["members"][0].update(epoch=-1),
    "an epoch that is not stored": lambda record: record["members"][0].update(epoch=10**9),
    "a share that is no number": lambda record: record["members"][0].update(share="x"),
    "a share of infinity": lambda record: record["members"][0].update(share=1e400),
    "a key that there is not": lambda record: record.update(code="__import__('os')"),
    "another combination": lambda record: record["combination"].update(kind="exec"),
    "fewer weights than members": lambda record: record["combination"].update(weights=[1.0]),
    "weights that are none": lambda record: record["combination"].update(weights=[None, {}]),
    "no combination and no weights": lambda record: record.update(combination=None),
    "a format of tomorrow": lambda record: record.update(format=10**6),
    "other classes": lambda record: record.update(classes={"label": ["a", "b"]}),
    "classes of another kind": lambda record: record.update(classes=5),
    "views of nothing": lambda record: record.update(views={"pipeline": "no_such()", "count": 2, "seed": 0}),
    "views without end": lambda record: record.update(views={"pipeline": "rotate(5)", "count": 10**9, "seed": 0}),
    "a method in thousands of letters": lambda record: record.update(method="a b " * 5000),
    "a note with codes": lambda record: record.update(notes=["\x1b]0;title\x07"]),
    "an analysis of another kind": lambda record: record.update(analysis=[1]),
}
TEXTS = {
    "nothing": b"",
    "no JSON": b"{",
    "no text": b"\xff\xfe",
    "a list": b"[]",
    "depth": b"[" * 100_000,
    "infinity": b'{"format": Infinity}',
}


@pytest.fixture
def ensemble(members: list[Run]) -> Run:
    with quietly():
        return cnnlab.ensemble(members[:2], "weights", name="pair", runs=members[0].folder.parent)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.fromarray(np.full((8, 8), 100, np.uint8)).save(tmp_path / "one.png")
    return tmp_path / "one.png"


def _said(*words: object) -> tuple[int, str]:
    """The exit code and all that is printed of a command line, which is never a traceback."""
    result = CliRunner().invoke(app, list(map(str, words)))
    assert "Traceback" not in result.output and not set(result.output) & set("\x00\x07\x1b"), result.output
    assert "a b " * 60 not in result.output and len(result.output) < 20_000
    return result.exit_code, result.output


def _asked(ensemble: Run, picture: Path) -> list[int]:
    store = ensemble.folder.parent
    codes = [
        _said(*words, "--runs", store)[0]
        for words in (
            ("runs", "show", ensemble.name),
            ("predict", ensemble.name, picture),
            ("evaluate", ensemble.name, "data=digits"),
            ("ensemble", ensemble.name, "narrow", "--name", "more"),
        )
    ]
    listed, text = _said("runs", "list", "--runs", store)
    assert listed == 0 and text.count("finished") >= 3
    return codes


@pytest.mark.parametrize("change", CHANGES)
def test_a_record_that_cannot_be_meant_is_told_of(change: str, ensemble: Run, picture: Path) -> None:
    path = ensemble.folder / "ensemble.json"
    record = json.loads(path.read_text())
    before = copy.deepcopy(record)
    CHANGES[change](record)
    assert record != before
    path.write_text(json.dumps(record))
    codes = _asked(ensemble, picture)
    assert set(codes) <= {0, 1, 2}
    if change not in (r"a member called '\x1b[31m'", "a method in thousands of letters", "a note with codes"):
        assert codes[1:3] == [2, 2]


@pytest.mark.parametrize("text", TEXTS)
def test_a_record_that_is_none_is_told_of(text: str, ensemble: Run, picture: Path) -> None:
    (ensemble.folder / "ensemble.json").write_bytes(TEXTS[text])
    assert set(_asked(ensemble, picture)[1:]) == {2}


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_what_run_json_says_of_members_leads_nowhere(name: str, ensemble: Run, members: list[Run]) -> None:
    path = ensemble.folder / "run.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps({**info, "ensemble": {"method": name, "members": [name], "needs": [name]}}))
    store = ensemble.folder.parent
    for words in (("runs", "show", ensemble.name), ("runs", "list"), ("runs", "delete", ensemble.name, "-y")):
        _said(*words, "--runs", store)
    assert all(member.folder.is_dir() for member in members)


def test_no_member_is_read_from_outside_the_folder_of_the_ensemble(ensemble: Run, members: list[Run]) -> None:
    """Even one whose weights are those on record."""
    elsewhere = ensemble.folder.parent.parent / "elsewhere"
    members[0].folder.rename(elsewhere)
    path = ensemble.folder / "ensemble.json"
    path.write_text(path.read_text().replace(members[0].name, "../elsewhere"))
    with pytest.raises(cnnlab.CnnlabError, match=r"members\.0\.name"):
        cnnlab.predict(ensemble, np.zeros((8, 8), np.uint8))
