"""The page on augmentation: every operation is in it, and what it says to type works."""

import re
import shlex
from pathlib import Path

import pytest

from cnnlab import data
from cnnlab.augment import ablations, augmentations, pipeline
from cnnlab.core.hooks import perturbations
from cnnlab.studies import Study

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "augmentation.md").read_text()
COMMANDS = [shlex.split(line) for line in TEXT.splitlines() if line.startswith("cnnlab ")]
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def specs_shown() -> list[str]:
    words = [word for command in COMMANDS if command[1:3] == ["augment", "preview"] for word in command]
    return [word.removeprefix("augment=") for word in words if word.startswith("augment=")]


def test_every_operation_is_named_in_a_table_and_shown_in_a_image():
    named = {pipeline(spec).steps[0].bound.name for spec in re.findall(r"^\| `([^`]+)`", TEXT, re.MULTILINE)}
    shown = {step.bound.name for spec in specs_shown() for step in pipeline(spec).steps}
    assert named == shown == {entry.name for entry in augmentations}


def test_each_command_that_draws_has_its_image_there():
    images = re.findall(r"!\[[^\]]+\]\((images/[^)]+)\)", TEXT)
    drawn = {command[command.index("--out") + 1] for command in COMMANDS if "--out" in command}
    assert {f"images/augment-{name}" for name in drawn} == set(images)


def test_defaults_in_the_tables_are_the_defaults():
    for spec in ("rotate(30)", "shift(0.1)", "shear(20)", "zoom(0.3)", "crop(4)", "mixup(0.2)", "randaugment(2, 9)"):
        assert f"`{spec}`" in TEXT
        assert pipeline(spec).spec == pipeline(spec.partition("(")[0]).spec


def test_pictures_are_changed_as_the_page_says_before_they_are_judged():
    specs = [word.removeprefix("perturb=") for words in COMMANDS for word in words if word.startswith("perturb=")]
    assert len(specs) == 2
    for spec in specs:
        for bound in perturbations.bind_all(spec):
            bound.build()
    (short,) = re.findall(r'run\.predictions\("test@([^"]*)"\)', TEXT)
    assert short == str(perturbations.bind(specs[0]).short)


def test_the_study_on_the_page_compares_what_ablations_names(tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "ablations.yaml").write_text(text)
    trials = Study.load(tmp_path / "ablations.yaml", runs=tmp_path).plan().trials
    assert list(dict.fromkeys(trial.label for trial in trials)) == list(ablations("flip|rotate(10)|erase"))


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_python_on_the_page_runs(code):
    before = {entry.name for entry in augmentations}
    try:
        exec(compile(code, "augmentation.md", "exec"), {})
    finally:
        for name in {entry.name for entry in augmentations} - before:
            augmentations.remove(name)


@pytest.fixture(scope="module")
def clocks():
    """The data set of the commands, drawn once for all of them."""
    (spec,) = {word.removeprefix("data=") for command in COMMANDS for word in command if word.startswith("data=clocks")}
    return spec, data.load_data(spec)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c[1] == "augment"], ids=lambda c: c[3][:24])
def test_commands_on_the_page_run_and_draw_its_images(command, clocks, tmp_path, monkeypatch, assert_same_image):
    from typer.testing import CliRunner

    from cnnlab.cli.app import app

    monkeypatch.chdir(tmp_path)
    load = data.load_data
    monkeypatch.setattr(data, "load_data", lambda spec, **more: clocks[1] if spec == clocks[0] else load(spec, **more))
    words = command[1:] + (["--repeats", "1"] if "cost" in command else [])
    result = CliRunner().invoke(app, words, prog_name="cnnlab")
    assert result.exit_code == 0, result.output
    if "--out" in command:
        drawn = command[command.index("--out") + 1]
        assert_same_image(tmp_path / drawn, DOCS / "images" / f"augment-{drawn}")
