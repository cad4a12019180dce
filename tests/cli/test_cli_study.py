"""``cnnlab study`` on the command line."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.runs import RunStore
from cnnlab.studies import Study, ThreadExecutor, planning
from cnnlab.studies.execution.run_trial import StepTiming
from cnnlab.training.execution import Execution
from cnnlab.training.precision import PrecisionChoice

FILE = """question: Does the rate matter?
base: {data: digits, subset: 200, model: 'mlp(hidden=[8])', epochs: 1, batch_size: 50, precision: float32, threads: 1}
vary: {optimizer.lr: [0.001, 0.1]}
claims: [optimizer.lr=0.1 is better than optimizer.lr=1e-3]
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A study file in the current folder, run in this process."""
    monkeypatch.chdir(tmp_path)
    whole = Study.run

    def run(study, **more):
        return whole(study, executor=ThreadExecutor(runs=study.store.root, sets=study.trials.sets), workers=1)

    monkeypatch.setattr(Study, "run", run)
    path = tmp_path / "rates.yaml"
    path.write_text(FILE)
    return "rates.yaml"


def call(*words):
    return CliRunner().invoke(app, ["study", *words])


def test_plan_run_and_show(file):
    planned = call("plan", file)
    assert planned.exit_code == 0 and "2: 2 missing" in planned.output
    done = call("run", file, "repeats=2", "--quiet")
    assert done.exit_code == 0
    assert "4 of 4 finished" in done.output and "optimizer.lr=0.1 is better than optimizer.lr=1e-3" in done.output
    assert "2: 2 finished" in call("plan", file).output
    shown = call("show", "rates")
    assert "4 of 4 finished" in shown.output


def test_ensembles_stand_beside_their_members(file):
    path = Path(file)
    path.write_text(f"{FILE}ensemble: {{trainings: 2}}\nrepeats: 3\n")
    planned = call("plan", file)
    assert "12: 12 missing" in planned.output and "3: 3 missing" in planned.output
    done = call("run", file, "--quiet")
    assert done.exit_code == 0
    assert "12 of 12 finished" in done.output and "3 of 3 made" in done.output
    table = done.output.partition("ensemble beside its members")[2]
    rows = [line.split("  ")[0] for line in table.splitlines()[2:8]]
    assert rows == ["0.001", "0.001 (2)", "0.1", "0.1 (2)", "best member of ensemble", "ensemble"]
    assert "of 3 repeats" in table and "3 repeats say little about a spread" in table
    assert call("run", file, "--quiet").output == call("show", file).output
    assert call("plan", file, "ensemble.trainings=0").exit_code == 2


def test_a_setting_of_which_one_repeat_is_there_is_said_to_have_no_spread(file):
    Path(file).write_text(f"{FILE}ensemble: {{method: mean}}\nrepeats: 2\n")
    assert "No SD of" not in call("run", file, "--quiet").output
    made = [run for run in RunStore("runs").list() if run.is_ensemble]
    RunStore("runs").delete(made[0])
    shown = call("show", file).output
    assert "1 of 2 made" in shown
    assert "No SD of ensemble: there is one repeat so far, and a spread takes two or more." in shown


def test_report_is_one_page(file, no_pdf):
    call("run", file, "--quiet")
    result = json.loads(call("report", file, "--out", "page", "--json").stdout)
    assert Path(result["report"]).suffix == ".html" and Path(result["report"]).is_file()


def test_json_is_one_document(file):
    result = json.loads(call("run", file, "--json").stdout)
    assert (result["name"], len(result["settings"])) == ("rates", 2)
    plan = json.loads(call("plan", file, "--json").stdout)
    assert plan["counts"]["finished"] == 2
    assert json.loads(call("show", file, "--json").stdout)["settings"] == result["settings"]


def test_probe_tells_how_long_it_would_take_and_how_it_would_be_computed(file, monkeypatch):
    timed = []

    def time_steps(recipe, **options):
        timed.append(recipe["model"])
        return StepTiming(100.0, Execution(), PrecisionChoice("float32", "too short to time", seconds=0.25))

    monkeypatch.setattr(planning, "time_steps", time_steps)
    estimate = json.loads(call("plan", file, "epochs=1000", "--probe", "--json").stdout)["estimate"]
    # A thousand epochs of 200 pictures at 100 a second are 2,000 s, twice; to score 144 after each, and 503 at the end,
    # costs at most as much a picture. The two settings train the same network, which is timed once.
    assert 2 * 2000 < estimate["seconds"] < 2 * (2000 + 1440 + 6)
    assert len(timed) == 1
    assert list(estimate["precision_choices"].values()) == 2 * [
        {"precision": "float32", "why": "too short to time", "seconds": 0.25}
    ]
    assert "computing in float32" in " ".join(call("plan", file, "--probe").stdout.split())


def test_what_is_missing_comes_with_how_to_have_it_tried_again(file):
    Path(file).write_text(FILE.replace("0.001, 0.1]", "0.001, 1e30]").partition("claims")[0])
    shown = call("run", file).output
    assert "1 of 2 finished, 1 failed" in shown
    assert "unless its run is deleted: cnnlab runs delete rates-" in " ".join(shown.split())
    shown = call("show", file, "repeats=2").output
    assert "Run the study again to have them trained: cnnlab study run rates.yaml repeats=2" in shown


def test_a_remedy_can_be_pasted_with_the_folders_that_were_given(file, tmp_path):
    Path(file).write_text(FILE.replace("0.001, 0.1]", "0.001, 1e30]").partition("claims")[0])
    folders = ("--runs", "my runs", "--data-dir", str(tmp_path), "--offline")
    shown = call("run", file, *folders).output
    deletion = re.search(r"cnnlab runs (delete \S+ --runs 'my runs')", shown).group(1)
    assert CliRunner().invoke(app, ["runs", *shlex.split(deletion), "--yes"]).exit_code == 0
    shown = call("show", file, "vary.optimizer.lr=[0.001, 0.2]", *folders).output
    again = shown.partition("trained: cnnlab study ")[2].splitlines()[0]
    assert shlex.split(again) == ["run", file, "vary.optimizer.lr=[0.001, 0.2]", *folders]
    assert call(*shlex.split(again)).exit_code == 0


def test_run_leaves_with_1_where_a_trial_failed_after_saying_what_came_out(file):
    Path(file).write_text(FILE.replace("0.001, 0.1]", "0.001, 1e30]").partition("claims")[0])
    result = call("run", file, "--quiet")
    assert result.exit_code == 1 and "1 of 2 finished, 1 failed" in result.output
    assert "cnnlab " not in result.stdout
    result = call("run", file, "--json")
    assert result.exit_code == 1
    trials = [trial["status"] for setting in json.loads(result.stdout)["settings"] for trial in setting["trials"]]
    assert trials == ["finished", "failed"]
    # Showing it is no failure.
    assert call("show", file).exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "none.yaml"), "there is no study file none.yaml"),
        (("plan", "rates.yaml", "reapeats=2"), "the key 'reapeats'. Did you mean repeats"),
        (("plan", "rates.yaml", "optimizer.lr=2"), "varies in this study"),
        (("show", "rates"), "there is no study file rates"),
    ],
)
def test_wrong_usage_is_told_in_one_paragraph(file, words, message):
    result = call(*words)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_a_study_is_tried_quickly_and_says_so(file):
    tried = call("run", file, "--quick", "-q")
    assert tried.exit_code == 0
    assert "rates-quick" in tried.output and "2 of 2 finished" in tried.output
    assert "quick trial" in tried.output and "say nothing" in tried.output
    assert "undecided: optimizer.lr=0.1 is better" in tried.output and "A quick trial decides nothing." in tried.output
    assert call("run", file, "quick=true", "-q").output == tried.output
    assert "quick trial" in call("show", "rates-quick").output
    assert call("show", file, "--quick").output == call("show", file, "quick=true").output
    assert call("plan", file, "--quick").output == call("plan", file, "quick=true").output
    assert "rates-quick" in call("report", file, "--quick").output
    assert "2: 2 missing" in call("plan", file).output
    assert "quick trial" not in call("run", file, "-q").output
