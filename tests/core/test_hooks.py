"""What a lower room uses of a higher one."""

import sys
from pathlib import Path

import pytest

from cnnlab.core import hooks

HOME = """
from cnnlab.core.hooks import opener

@opener("thing")
def open_thing(path, *, network=0):
    return path, network
"""


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_openers", {})
    monkeypatch.setattr(hooks, "_homes", {"thing": "home_of_things"})


def test_registered_function_opens_its_kind_and_stays_itself() -> None:
    @hooks.opener("thing")
    def open_thing(path: str, *, network: int = 0) -> tuple[str, int]:
        return path, network

    assert hooks.open_stored("thing", "a.safetensors", network=3) == ("a.safetensors", 3)
    assert open_thing("b") == ("b", 0)


def test_home_is_imported_when_it_is_first_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home_of_things.py").write_text(HOME)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "home_of_things", raising=False)
    assert hooks.open_stored("thing", "a", network=1) == ("a", 1)
    assert "home_of_things" in sys.modules
    assert hooks.open_stored("thing", "b") == ("b", 0)
