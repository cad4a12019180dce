"""The page on studies: what it says to type works, and the studies that come with cnnlab can be read."""

import re
import shlex
from pathlib import Path

import pytest
from small_studies import study_of
from typer.testing import CliRunner

from cnnlab.cli.app import app
from cnnlab.core import yaml
from cnnlab.core.errors import DataError
from cnnlab.core.packaged import packaged
from cnnlab.studies import Study, ThreadExecutor
from cnnlab.studies.claim_grammar import read_claim
from cnnlab.studies.designs import designs
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.study_file import read_study

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "studies.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [shlex.split(line)[1:] for line in TEXT.splitlines() if line.startswith("cnnlab ")]
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The study of the page in the current folder, run in this process."""
    whole = Study.run

    def run(study, **unused):
        return whole(study, executor=ThreadExecutor(runs=study.store.root, sets=study.trials.sets), workers=1)

    monkeypatch.setattr(Study, "run", run)
    monkeypatch.chdir(tmp_path)
    quick = BLOCKS[0].replace("epochs: 2", "epochs: 2\n  subset: 200\n  threads: 1\n  precision: float32")
    (tmp_path / "rates.yaml").write_text(quick)
    return tmp_path


def test_commands_and_python_on_the_page_run(here, no_pdf):
    for words in [words for words in COMMANDS if "examples/" not in " ".join(words)]:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
    for code in PYTHON:
        exec(compile(code, "studies.md", "exec"), {})


def test_every_design_is_on_the_page():
    shown = set(re.findall(r"^\| `([a-z-]+)", TEXT, re.MULTILINE))
    assert {entry.name for entry in designs} <= shown


def test_the_other_files_on_the_page_can_be_read():
    for block in BLOCKS[1:]:
        content = yaml.load(block, "the page")
        if "published" in content:
            content["vary"] = {"augment": ["none", "flip"]}
        assert StudySettings(read_study(study_of(**content))).names


def test_claims_on_the_page_can_be_read():
    examples = re.findall(r"^\| [^|`]+ \| `([^`]+ is [^`]+)` \|", TEXT, re.MULTILINE)
    assert len(examples) == 6
    for text in examples:
        read_claim(text)


@pytest.mark.parametrize("name", packaged("study"))
def test_the_studies_that_come_with_cnnlab_are_sound(name, data_dir, runs):
    study = Study.load(name, runs=runs, data_dir=data_dir, offline=True)
    try:
        study.check()
    except DataError as error:
        pytest.skip(str(error))
    assert len(study.file.repeats) >= 3 and len(study.analysis.claims) >= 4


def test_the_page_names_every_study_that_comes_with_cnnlab():
    assert set(re.findall(r"^\| `(examples/[a-z-]+)`", TEXT, re.MULTILINE)) == set(packaged("study"))
