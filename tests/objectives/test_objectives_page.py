"""The page on objectives: every one is in it, and what it says to type works."""

import json
import re
import shlex
from pathlib import Path

import pytest

from cnnlab import objectives
from cnnlab.core import yaml
from cnnlab.objectives import Columns
from cnnlab.training import Recipe

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "objectives.md").read_text()
COMMANDS = [shlex.split(line) for line in TEXT.splitlines() if line.startswith("cnnlab train ")]
COLUMNS: Columns = {"hour": tuple(map(str, range(12))), "minute": tuple(map(str, range(60)))}
TABLE = re.findall(r"^\| `([a-z].*?)` \| [^|]+ \| [^|]+ \| ([^|]+) \|$", TEXT, re.MULTILINE)


def test_every_objective_is_in_the_table() -> None:
    assert {spec.partition("(")[0] for spec, _ in TABLE} == {entry.name for entry in objectives.objectives}


@pytest.mark.parametrize(("spec", "metrics"), TABLE[2:5], ids=lambda word: word[:8])
def test_metrics_of_the_table_are_those_measured(spec: str, metrics: str) -> None:
    words = spec + "()" * ("(" not in spec)
    objective = objectives.build_objective(words.replace("()", "(range=[0, 1])"), {"size": None})
    assert set(re.findall(r"`([a-z_0-9]+)`", metrics)) == set(objective.measured) - {"loss"}


@pytest.mark.parametrize("command", COMMANDS, ids=range(len(COMMANDS)))
def test_ways_to_tell_the_time_are_recipes_that_measure_the_clocks_error(command: list[str]) -> None:
    recipe = Recipe.read({key: yaml.load(value, key) for key, value in (word.split("=", 1) for word in command[2:])})
    assert objectives.build_objective(recipe.objective, COLUMNS).select == "clock_mean_error"


def test_a_way_to_tell_the_time_is_typed_as_the_page_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from cnnlab.cli.app import app

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS", raising=False)
    words = [word.replace("n=200", "n=40") for word in COMMANDS[-1][1:]]
    result = CliRunner().invoke(app, words, prog_name="cnnlab")
    assert result.exit_code == 0, result.output
    assert "clock mean error" in result.output
    shown = CliRunner().invoke(app, ["runs", "show", "last"], prog_name="cnnlab")
    assert "hour mean absolute error" in shown.output


def test_errors_of_the_clock_are_those_measured() -> None:
    ways = json.loads((ROOT / "benchmarks" / "results" / "clock-objectives.json").read_text())["ways"]
    rows = re.findall(r"^\| ([^|]+) \| ([\d.]+) \| ([\d.]+%) \|$", TEXT, re.MULTILINE)
    assert rows == [(way["predicted"], f"{way['mean_error']:.1f}", f"{way['within']['1']:.1%}") for way in ways]
