"""The page on papers: what it says to type works."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.core import yaml
from cnnlab.core.packaged import PAPER
from cnnlab.papers import Paper
from cnnlab.papers.paper import packaged_papers

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "papers.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [shlex.split(line)[1:] for line in TEXT.splitlines() if line.startswith("cnnlab ")]
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_commands_on_a_paper_of_ones_own_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in [words for words in COMMANDS if "my-report" in words or words[1] in ("list", "show", "new")]:
        result = CliRunner().invoke(app, [word for word in words if word != "--probe"])
        assert result.exit_code == 0, result.output


def test_every_entry_that_is_named_is_there() -> None:
    named = {word for words in COMMANDS for word in words if re.fullmatch(r"\d{3}(/[a-z-]+)?", word)}
    assert "001/optimizers" in named
    for name in named:
        paper, _, entry = name.partition("/")
        assert not entry or entry in Paper(paper).entries


def test_the_python_on_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for code in PYTHON:
        exec(compile(code, "papers.md", "exec"), {})


def test_the_entry_on_the_page_runs(write_paper: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_paper(entries=["seen"])
    (folder / "seen.yaml").write_text(BLOCKS[0])
    result = Paper(folder, runs=tmp_path / "runs").run("seen", "smoke")
    assert result.is_whole
    assert {number.name for number in result.measured} == {"clean", "robust"}


def test_every_paper_that_comes_with_cnnlab_is_on_the_page() -> None:
    assert re.findall(r"^\| `(\d{3})` \|", TEXT, re.MULTILINE) == list(packaged_papers())


@pytest.mark.parametrize("name", packaged_papers())
def test_a_paper_names_all_its_files_and_no_others(name: str) -> None:
    folder = packaged_papers()[name]
    files = {path.stem for path in folder.glob("[!_]*.yaml") if path.name != PAPER}
    assert files == set(Paper(name).entries)
    content: dict[str, Any] = yaml.read_file(folder / PAPER, "a paper")
    assert len(content["entries"]) == len(set(content["entries"]))
