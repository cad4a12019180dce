"""The page on ensembles: its commands run, and what it says is so."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.ensembles.methods import methods

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "ensembles.md").read_text()
ROWS = re.findall(r"^\| `([^`=]+|[^`]+\))` \|", TEXT, re.MULTILINE)
COMMANDS = [line for block in re.findall(r"```\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines()]


@pytest.mark.slow(20)
def test_commands_on_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_pdf: None) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS")
    for command in COMMANDS:
        assert command.startswith("cnnlab ")
        result = CliRunner().invoke(app, shlex.split(command)[1:], prog_name="cnnlab")
        assert result.exit_code == 0, f"{command}\n{result.output}"
    names = {path.name.rsplit("-", 1)[0] for path in (tmp_path / "runs").glob("[!.]*")}
    assert {"committee", "mean-of-3", "cyclic-snapshots", "cyclic-average", "third-tta", "soup-of-2"} <= names
    assert {"folded", "folded-fold-5", "mean-of-2", "stacking-of-2"} <= names


def test_methods_that_go_by_folds_are_the_ones_named() -> None:
    sentence = TEXT.partition("`on=out-of-fold`, in ")[2].partition(", fits on")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == {entry.name for entry in methods if "on" in entry.arguments}


def test_every_method_is_in_the_table_and_the_table_has_no_other() -> None:
    assert {re.match(r"[a-z]+", row)[0] for row in ROWS} == {entry.name for entry in methods}  # type: ignore[index]


def test_arguments_in_the_table_are_at_their_defaults() -> None:
    for row in ROWS:
        bound = methods.bind(row.replace("PIPELINE", "flip"))
        short = {key for key in bound.short.kwargs if key != "pipeline"}
        assert not short, row


def test_a_temperature_is_taken_by_the_methods_that_are_named() -> None:
    sentence = TEXT.partition("`temperature=true`, in ")[2].partition(", first divides")[0]
    named = set(re.findall(r"`(\w+)`", sentence))
    assert named == {entry.name for entry in methods if "temperature" in entry.arguments}


def test_times_are_those_on_record() -> None:
    recorded = (ROOT / "benchmarks" / "results" / "ensemble-speed.md").read_text()
    seconds = {
        name: float(value) for name, value in re.findall(r"^\| `?([^`|]+?)`? \| ([\d.]+) \|", recorded, re.MULTILINE)
    }
    assert seconds["stacking"] == pytest.approx(2.3, abs=0.1) and "stacking with its folds 2.3 s" in TEXT
    assert all(seconds[name] <= 0.15 for name in ("mean", "vote", "weights"))
    assert all(seconds[name] < 1 for name in ("swarm", "swarm(kind=attractive-repulsive)"))
    # Of 200 members, which stand last.
    (*_, auto) = map(float, re.findall(r"AutoGluon[^|]+\| ([\d.]+)", recorded))
    found = re.search(
        r"takes ([\d.]+) s and gives the weights that AutoGluon's finds in ([\d.]+) s", TEXT.replace("\n", " ")
    )
    assert found is not None and float(found[1]) == pytest.approx(seconds["greedy"], abs=0.1)
    assert float(found[2]) == pytest.approx(auto, abs=0.5)
