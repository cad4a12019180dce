"""docs/python.md: its code runs from top to bottom, and what its comments say holds."""

import re
from pathlib import Path
from typing import Any

import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "python.md").read_text()


@pytest.mark.slow(8)
def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(compile(code, "python.md", "exec"), names)
    assert names["cnnlab"].load("first") == names["run"]
    assert (tmp_path / "roc.pdf").read_bytes().startswith(b"%PDF")
    assert set(names["search"].best_params_) == {"optimizer__lr", "augment"}
    assert 0 < names["own"].test.accuracy <= names["own"].test["top2"] <= 1
