"""The page on networks: every model on it builds, every recipe is one, and what it says to type works."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from cnnlab import models
from cnnlab.models import architectures, initialisers, layers
from cnnlab.models import course_models as reports
from cnnlab.training import Recipe, parse_pairs

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "networks.md").read_text()
COMMANDS = [shlex.split(line) for line in TEXT.splitlines() if line.startswith("cnnlab ") and not line.endswith("PATH")]
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
OUTPUTS = {"heads([12, 1]": 13}


def cells(section: str) -> list[tuple[str, str]]:
    """The rows of the tables of a section, two columns each, without their titles."""
    rows = re.findall(r"^\| (?!---)(.+?) \| (.+) \|$", section, re.MULTILINE)
    return [(left, right.replace(r"\|", "|")) for left, right in rows]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def reported() -> list[tuple[str, tuple[int, ...]]]:
    """Every model of the five reports with the pictures that its section names."""
    section = TEXT.partition("## The networks of five reports")[2].partition("### What was varied besides")[0]
    parts = re.split(r"built here for pictures of (\d+×\d+×\d+)", section)
    shapes, tables = parts[1::2], parts[2::2]
    return [
        (spec, tuple(map(int, shape.split("×"))))
        for shape, table in zip(shapes, tables, strict=True)
        for _, right in cells(table)
        for spec in quoted(right)
    ]


def read_line(words: str) -> Recipe:
    return Recipe.read({"data": "digits"}, **parse_pairs(shlex.split(words.replace(", ", ",\\ "))))


VARIED = TEXT.partition("### What was varied besides")[2].partition("**Steps per execution**")[0]
RECIPES = [words for _, right in cells(VARIED) for words in quoted(right) if "=" in words]


@pytest.mark.parametrize(("spec", "shape"), reported(), ids=lambda value: str(value)[:60])
def test_each_model_of_a_report_builds_and_has_a_canonical_form(spec, shape):
    outputs = next((count for part, count in OUTPUTS.items() if part in spec), 10)
    summary = models.summary_without_weights(spec, shape, outputs)
    # Parts that timm keeps without using them come after what a picture meets.
    assert [row for row in summary.rows if row.output][-1].output == (outputs,) and summary.parameters > 0
    assert models.canonical_model(models.canonical_model(spec)) == models.canonical_model(spec)


def test_every_architecture_of_a_report_is_on_the_page():
    named = {models.canonical_model(spec).partition("(")[0] for spec, _ in reported()}
    cited = re.compile("Quinn|Methani|Pancer|Wattanasirichaigoon|Epure")
    assert reports.__name__
    assert {entry.name for entry in architectures if cited.search(entry.summary)} <= named


@pytest.mark.parametrize(
    "spec",
    [
        spec
        for left, _ in cells(TEXT.partition("## Layer strings")[2].partition("## Knobs")[0])
        for spec in quoted(left.replace(r"\|", "|"))
    ],
)
def test_each_layer_on_the_page_stands_in_a_network(spec):
    if spec.startswith(("heads", "head(")):
        assert models.summary_without_weights(f"conv(4)|{spec}", (8, 16, 16), 10).rows[-1].output == (10,)
    else:
        assert models.summary_without_weights(f"conv(32)|{spec}", (8, 16, 16), 10).rows


def test_all_layers_and_initialisers_are_named():
    words = set(re.findall(r"[a-z][a-z_-]+", TEXT))
    assert {entry.name for entry in layers} <= words
    assert {entry.name for entry in initialisers} <= words


@pytest.mark.parametrize(
    "spec",
    [spec for _, right in cells(TEXT.partition("## Knobs")[2].partition("## Backbones")[0]) for spec in quoted(right)],
)
def test_each_knob_turns(spec):
    summary = models.summary_without_weights(spec, (1, 28, 28), 10)
    plain = (
        models.summary_without_weights(spec.partition("(")[0], (1, 28, 28), 10)
        if not spec.startswith("pattern")
        else None
    )
    assert summary.rows != (plain and plain.rows) or models.canonical_model(spec) != models.canonical_model(
        spec.partition("(")[0]
    )


@pytest.mark.parametrize(
    "spec",
    [
        spec
        for _, right in cells(TEXT.partition("## Backbones")[2].partition("## The networks")[0])
        for spec in quoted(right)
        if "(" in spec
    ],
)
def test_each_knob_of_a_backbone_turns(spec):
    plain = models.summary_without_weights(spec.partition("(")[0], (1, 28, 28), 10)
    assert models.canonical_model(spec) != models.canonical_model(spec.partition("(")[0])
    assert (
        "weights=" in spec
        or str(models.summary_without_weights(spec, (1, 28, 28), 10)) != str(plain)
        or "dropout=" in spec
    )


def test_each_line_of_a_recipe_is_one():
    assert len(RECIPES) > 30
    for words in RECIPES:
        read_line(words)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c[1] == "train"], ids=lambda c: " ".join(c[2:4])[:50])
def test_each_training_is_a_recipe(command):
    words = command[2 : command.index("--name")] if "--name" in command else command[2:]
    assert Recipe.read(None, **parse_pairs(words)).model


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if c[1] in ("models", "arithmetic")], ids=lambda c: " ".join(c[1:4])[:50]
)
def test_commands_on_the_page_run_and_draw_its_images(command, tmp_path, monkeypatch, assert_same_image):
    from typer.testing import CliRunner

    from cnnlab.cli.app import app

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, command[1:], prog_name="cnnlab")
    assert result.exit_code == 0, result.output
    if "--out" in command:
        drawn = command[command.index("--out") + 1]
        assert_same_image(tmp_path / drawn, DOCS / "images" / f"network-{drawn}")


def test_what_is_shown_is_what_comes_out(cnnlab_output):
    shown = re.findall(r"```\n(layer .*?)```", TEXT, re.DOTALL)[0].splitlines()
    printed = cnnlab_output("models", "show", "convnet", "--input", "1x28x28").splitlines()
    assert [line for line in shown if line != "…"] == [line for line in printed if line in shown]
    answer = re.findall(r"```\n(a convolution .*?)```", TEXT, re.DOTALL)[0].splitlines()
    words = "conv 128x128x32 --filters 16 --kernel 3 --stride 2 --padding 0 --dilation 1"
    printed = cnnlab_output("arithmetic", *words.split()).splitlines()
    assert [line for line in answer if line != "  …"] == [line for line in printed if line in answer]


@pytest.fixture
def cnnlab_output():
    from typer.testing import CliRunner

    from cnnlab.cli.app import app

    return lambda *words: CliRunner().invoke(app, list(words), prog_name="cnnlab").stdout


def test_the_refusal_on_the_page_is_the_one_that_comes():
    command, told = re.findall(r"\$ (cnnlab models show .+)\ncnnlab: (.+)", TEXT)[0]
    with pytest.raises(models.networks.SpecError) as caught:
        models.summary_without_weights(shlex.split(command)[3], (1, 8, 8), 10)
    assert str(caught.value) == told


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_python_on_the_page_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS")
    namespace: dict[str, object] = {}
    if "RunStore" in code:
        from cnnlab.training import train

        command = next(c for c in COMMANDS if "--name" in c)
        train(**parse_pairs(command[2 : command.index("--name")]), name="early", threads=1)
    exec(compile(code, "networks.md", "exec"), namespace)
    if "RunStore" in code:
        names = [path.name for path in sorted(Path("runs").glob("*/snapshots/*"))]
        assert names == ["epoch-0.safetensors", "epoch-2.safetensors", "epoch-4.safetensors"]


def test_a_snapshot_of_epoch_0_holds_the_weights_before_training(tmp_path):
    from cnnlab.core import seeds
    from cnnlab.training import train

    recipe = {"data": "digits", "model": "mlp(hidden=[8])", "epochs": 1, "snapshots": [0, 1], "seed": 3, "threads": 1}
    run = train(recipe, runs=tmp_path)
    with seeds.scope(3, "init"):
        fresh = models.build_network("mlp(hidden=[8])", (1, 8, 8), 10).state_dict()
    first, last = (models.load_classifier(run.folder / f"snapshots/epoch-{n}.safetensors") for n in (0, 1))
    stored = first.network.state_dict()
    # The head is made smaller as a whole, to begin near the loss of a constant guess.
    factors = stored.pop("head.weight") / fresh["head.weight"]
    assert factors.min() > 0 and factors.max() <= 1 and factors.std() < 1e-6
    assert all(torch.equal(value, fresh[name]) for name, value in stored.items())
    assert not torch.equal(last.network.head.weight, fresh["head.weight"])


def test_images_of_the_page_are_there():
    images = re.findall(r"!\[[^\]]+\]\((images/[^)]+)\)", TEXT)
    drawn = {command[command.index("--out") + 1] for command in COMMANDS if "--out" in command}
    assert {f"images/network-{name}" for name in drawn} == set(images)
