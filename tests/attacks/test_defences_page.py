"""The page on defences: its command runs, its adversaries and claims can be read, and the study that comes along."""

import re
from pathlib import Path

import documents
import pytest

from cnnlab.core import yaml
from cnnlab.core.hooks import perturbations
from cnnlab.core.measurements import MeasuredRuns, read_measure
from cnnlab.core.metric_names import better
from cnnlab.core.packaged import packaged
from cnnlab.studies import Study
from cnnlab.studies.claim_grammar import read_claim

TEXT = documents.read("docs/defences.md")
SCORED = {"test": ("loss", "accuracy")}
RUNS = MeasuredRuns(SCORED, SCORED, "accuracy", better, ("cat", "dog"))


@pytest.mark.filterwarnings("ignore::cnnlab.core.errors.CnnlabWarning")
def test_what_the_page_on_defences_says_to_train_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS", raising=False)
    (command, planned) = documents.commands(TEXT)
    assert "examples/defences" in planned
    result = documents.call(f"{command} model=mlp threads=1", {})
    assert result.exit_code == 0, result.output


def test_its_adversaries_and_claims_are_what_there_is() -> None:
    table = [line for line in TEXT.splitlines() if line.startswith("| `")]
    specs = [spec for line in table for spec in re.findall(r"`(\w[\w-]*\([^`]*\))`", line.split("|")[1])]
    assert len(specs) == 6
    for spec in specs:
        perturbations.bind(spec).build()
    (block,) = [block.text for block in documents.blocks(TEXT) if block.language == "yaml"]
    content = yaml.load(block, "defences.md")
    read_claim(content["claims"][0])
    for name in content["metrics"]:
        assert read_measure(name, RUNS).metric.name == name


def test_the_study_of_defences_asks_what_its_claims_are_about() -> None:
    assert "defences" in "".join(packaged("study"))
    study = Study.load("examples/defences")
    assert [setting.label for setting in study.study_settings.settings] == [
        "none",
        "noise",
        "label smoothing",
        "fast",
        "PGD",
    ]
    assert all(read_claim(claim) for claim in study.file.claims) and len(study.study_settings.seeds) == 5
