"""Studies by name."""

import json
from pathlib import Path

import pytest
from small_studies import study_of
from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.core import packaged as package
from cnnlab.core import yaml
from cnnlab.core.errors import UsageError
from cnnlab.core.packaged import packaged
from cnnlab.studies import Study
from cnnlab.studies.catalogue import find_study


@pytest.fixture
def papers(tmp_path, monkeypatch):
    """A folder of studies in the place of those that come with cnnlab."""
    folder = tmp_path / "papers"
    for number in ("001", "002"):
        (folder / number).mkdir(parents=True)
        content = study_of(question=f"Which of {number}?", base="_base.yaml")
        del content["name"]
        (folder / number / "optimizers.yaml").write_text(yaml.dump(content))
        (folder / number / "_base.yaml").write_text("data: digits\nepochs: 3\n")
    monkeypatch.setattr(package, "_PACKAGE", tmp_path)
    return folder


def test_a_study_that_comes_with_cnnlab_goes_by_its_name_and_so_does_what_it_leaves(papers, runs):
    assert list(packaged("study")) == ["001/optimizers", "002/optimizers"]
    studies = [Study.load(name, runs=runs, repeats=2) for name in packaged("study")]
    assert [study.name for study in studies] == ["001-optimizers", "002-optimizers"]
    assert studies[1].file.question == "Which of 002?" and studies[1].file.repeats == (0, 1)
    assert studies[0].file.base["epochs"] == 3


def test_a_file_comes_before_a_study_that_was_run_and_that_before_one_that_comes_with_cnnlab(
    papers, runs, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    name = "001/optimizers"
    assert find_study(name, runs) == papers / "001" / "optimizers.yaml"
    stored = runs / "studies" / name / "study.yaml"
    stored.parent.mkdir(parents=True)
    stored.write_text("question: run")
    assert find_study(name, runs) == stored
    Path("001").mkdir()
    Path(name).write_text("question: here")
    assert find_study(name, runs) == Path(name)


def test_an_unknown_name_is_told_with_the_closest(papers, runs):
    with pytest.raises(UsageError, match=r"no study file 001/optimisers\. .* Did you mean 001/optimizers"):
        Study.load("001/optimisers", runs=runs)


def test_they_are_listed_with_what_they_ask(papers, runs):
    (runs / "studies" / "mine").mkdir(parents=True)
    (runs / "studies" / "mine" / "study.yaml").write_text("question: Is it?\n")
    (runs / "studies" / "broken").mkdir()
    (runs / "studies" / "broken" / "study.yaml").write_text("{")
    result = CliRunner().invoke(app, ["study", "list", "--runs", str(runs), "--json"])
    assert [tuple(row.values()) for row in json.loads(result.stdout)] == [
        ("broken", "run", ""),
        ("mine", "run", "Is it?"),
        ("001/optimizers", "comes with cnnlab", "Which of 001?"),
        ("002/optimizers", "comes with cnnlab", "Which of 002?"),
    ]
    shown = CliRunner().invoke(app, ["study", "list", "--runs", str(runs)]).stdout
    assert "001/optimizers" in shown and "Is it?" in shown
