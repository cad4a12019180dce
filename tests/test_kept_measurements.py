"""Files of measurements that an interrupted benchmark goes on from: of this machine and this code, or refused."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the benchmarks, which are no package."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return importlib.import_module("kept")


def never() -> dict[str, int]:
    raise AssertionError("measured again")


def test_measurements_are_taken_over_by_the_machine_and_code_that_made_them(kept: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    assert kept.Kept(path).get("a", lambda: {"seconds": 1}) == {"seconds": 1}
    again = kept.Kept(path)
    assert again.get("a", never) == {"seconds": 1} and again.taken_over == {"a"}
    assert kept.Kept(None).get("a", lambda: {"seconds": 2}) == {"seconds": 2}


@pytest.mark.parametrize("name", ["processor", "torch", "code"])
def test_those_of_another_are_refused(kept: ModuleType, tmp_path: Path, name: str) -> None:
    path = tmp_path / "kept.jsonl"
    kept.Kept(path).get("a", lambda: {"seconds": 1})
    about, *rest = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps(json.loads(about) | {name: "another"}), *rest, ""]))
    with pytest.raises(SystemExit, match=rf"made otherwise \({name} another, and here .+\)\. Name another file\.$"):
        kept.Kept(path)
    if name == "code":
        assert kept.Kept(path, any_code=True).get("a", never) == {"seconds": 1}


def test_a_file_that_does_not_say_of_what_it_is_is_refused(kept: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    path.write_text(json.dumps(["a", {"seconds": 1}]) + "\n")
    with pytest.raises(SystemExit, match="processor unknown"):
        kept.Kept(path)
