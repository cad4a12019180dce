"""The page on reports: what it says to type works, and what it says is in a report is."""

import json
import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from cnnlab.cli.app import app

TEXT = (Path(__file__).parents[2] / "docs" / "reports.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [shlex.split(line)[1:] for line in TEXT.splitlines() if line.startswith("cnnlab ")]


def test_commands_on_the_page_run(tmp_path, monkeypatch, no_pdf):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS")
    for words in COMMANDS:
        result = CliRunner().invoke(app, words, prog_name="cnnlab")
        assert result.exit_code == 0, result.output
    one, several = ((tmp_path / name / "report.html").read_text() for name in ("report-of-one", "report-of-all"))
    assert "nothing to compare it with" in one
    assert "Of two settings" in several and "4 of 4 trainings finished" in several
    titles = set(re.findall(r"<h2>([^<]+)</h2>", several))
    parts = re.findall(r"^\| ([A-Z][^|]+) \|", TEXT, re.MULTILINE)
    assert titles - {"Published numbers"} <= set(parts)
    # What such runs cannot have: claims, anything missing, and numbers, whose titles test_report_numbers.py looks for.
    # Those of ensembles test_study_ensembles.py looks for.
    numbers = {"Predicted and true", "Where it is farthest off"}
    of_studies = {"Claims", "NAME beside its members", "What is missing", "What each factor does"}
    # What explains or fools a run is there once it was made: see test_explanations.py and test_attack_figures.py.
    explained = {"What it looks at, and what it learned", "What fools it"}
    assert set(parts) - titles <= of_studies | numbers | explained
    for code in PYTHON:
        exec(compile(code, "reports.md", "exec"), {})
    assert all((tmp_path / name).is_file() for name in ("curves.svg", "confusion.svg"))
    found = CliRunner().invoke(app, ["report", "conv-1", "--out", "again", "--json"], prog_name="cnnlab")
    assert json.loads(found.stdout) == {"report": "again/report.html"}
    recipe = tmp_path / "report-of-all" / "report-files" / "recipes" / "s0.yaml"
    result = CliRunner().invoke(app, ["train", str(recipe), "seed=0", "--json"], prog_name="cnnlab")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "runs").glob("[!.]*"))) == 4
