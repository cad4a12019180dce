"""The page on finding runs: what it says to type works, and the keys it names are those there are."""

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.runs import RunStore
from cnnlab.runs.filter_language import FACTS, is_condition

TEXT = (Path(__file__).parents[2] / "docs" / "runs.md").read_text()
COMMANDS = [shlex.split(line)[1:] for line in TEXT.splitlines() if line.startswith("cnnlab ")]
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_commands_and_python_on_the_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS")
    shown = []
    for words in COMMANDS:
        words = [*words, "subset=200", "threads=1", "precision=float32"] if words[0] == "train" else words
        result = CliRunner().invoke(app, words, prog_name="cnnlab")
        assert result.exit_code == 0, result.output
        shown.append(result.stdout)
    for code in PYTHON:
        exec(compile(code, "runs.md", "exec"), {})
    assert "model=cnn" in shown[3] and "seed=1" in shown[3]
    assert [line.split()[0] for line in shown[4].splitlines()[1:]] == [
        run.name for run in RunStore("runs").list() if "cnn" in run.name
    ] or "cnn" in shown[4]
    left = [text for words, text in zip(COMMANDS, shown, strict=True) if words[:2] == ["runs", "list"]][-1]
    assert "digits-cnn" not in left and left.count("digits-mlp") == 2
    assert "it learned nothing" in shown[-1] and "symmetry: all units of dense1 (32)" in shown[-1]


def test_every_fact_and_only_conditions_are_on_the_page():
    assert {f"`{fact}`" for fact in FACTS} <= set(re.findall(r"`[a-z_]+`", TEXT))
    examples = re.findall(r"^\| `[^|]*\|[^|]*\| (.*) \|$", TEXT, re.MULTILINE)
    words = [word.strip("'") for row in examples for word in re.findall(r"`([^`]+)`", row)]
    assert len(words) >= 9 and all(is_condition(word) for word in words)
