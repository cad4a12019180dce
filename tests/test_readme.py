"""README.md: every command in it runs, in the order in which a reader meets them, in one empty folder."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import documents
import pytest
from documents import blocks, cut, python_of, shown
from typer.testing import CliRunner, Result

from cnnlab.cli.app import app
from cnnlab.core import yaml
from cnnlab.training import Recipe, parse_pairs

TEXT = documents.read("README.md")
BLOCKS = blocks(TEXT)
TABLE = re.search(r"\| command \| what it does \|\n\|.*?\n(.*?)\n\n", TEXT, re.DOTALL).group(1)  # type: ignore[union-attr]

# A training that would be long is cut to this: a command that holds the word has these in the place of its own, or on
# top. What stands in recipe.yaml is read as it is, before it is cut.
FASHION = {"epochs": "1", "subset": "100", "validation": "50", "model.width": "0.125"}
SMALL = {
    "data=fashion-mnist": FASHION,
    "recipe.yaml": FASHION,
    "model=convnet": {"epochs": "1", "model": "convnet(width=0.125, dense=[16])"},
    "recipe:mnist": FASHION,
    "recipe:fashion-mnist": FASHION,
}

NOT_RUN = {
    "make demo": "makes an environment; what it runs there, `cnnlab demo`, is run by tests/cli/test_cli_training.py",
    "make test": "runs these tests",
    "make docs": "tests/test_site.py builds the site",
    "uvx cnnlab demo": "makes an environment; tests/test_wheel.py tries what it would put there",
    "pip install cnnlab": "changes the environment; tests/test_wheel.py tries what it would put there",
    "make check": "runs these tests, after the linters",
    "make lock": "asks a package index",
    "uv pip install .": "changes the environment",
    "ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 make test": "runs these tests",
    "pytest tests/models -k native": "those tests are run among the others",
    "pytest tests/training/test_kill.py --kills 200": "that test is run with fewer kills",
    "cnnlab demo": "is run by tests/cli/test_cli_training.py",
    "cnnlab predict pretrained:squeezenet1_1 photos/": "downloads weights; tests/cli runs predict on other models",
}


def commands() -> list[str]:
    """All of them, in order, but for the first column of the table, whose words in capitals stand for something."""
    return documents.commands(TEXT.replace(TABLE, "\n".join(row.split(" | ")[1] for row in TABLE.splitlines())))


def rows_of_the_table() -> list[str]:
    """The commands of the table, each in full: `show RUN` after `cnnlab runs list` is `cnnlab runs show RUN`."""
    full = []
    for row in TABLE.splitlines():
        group = ""
        for span in re.findall(r"`([^`]+)`", row.split(" | ")[0]):
            words = span.split()
            if words[0] == "cnnlab":
                group = " ".join(words[:2]) if len(words) > 2 else "cnnlab"
            full.append(span if words[0] == "cnnlab" else f"{group} {span}")
    return full


def is_on_fashion_mnist(command: str) -> bool:
    return any(word in command for word in ("fashion-mnist", "recipe.yaml", "recipe:mnist"))


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Result]:
    """What comes of a command line in a folder that holds nothing but a reader's own pictures."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CNNLAB_RUNS")
    documents.own_pictures(tmp_path)
    return lambda command: documents.call(command, SMALL)


def test_every_command_is_run_here_or_has_a_reason_not_to_be() -> None:
    others = [command for command in commands() if not command.startswith("cnnlab ")]
    assert set(others) <= set(NOT_RUN) and set(NOT_RUN) <= {*commands(), *rows_of_the_table()}


@pytest.mark.slow(6)
def test_commands_that_need_no_data_run_in_order(answer: Callable[[str], Result], tmp_path: Path) -> None:
    told = {}
    for command in commands():
        if command in NOT_RUN or is_on_fashion_mnist(command):
            continue
        told[command] = result = answer(command)
        refused = "augmnet" in command
        assert result.exit_code == (2 if refused else 0), f"{command}\n{result.output}"
    (session,) = [block.text for block in BLOCKS if "--name first" in block.text]
    (name,) = set(re.findall(r"first-[0-9a-f]{8}", session))
    (first,) = [command for command in told if "--name first" in command]
    # Another processor may round otherwise; the name comes from the recipe and the data alone.
    assert f"folder         runs/{name}" in told[first].stdout and name in told["cnnlab runs list"].stdout
    (mistake,) = [block.text for block in BLOCKS if "augmnet" in block.text]
    assert told[shown(mistake)[0]].stderr == mistake.splitlines()[1] + "\n"
    assert (tmp_path / "predictions.csv").read_text().startswith("path,predicted,confidence,cats,dogs\n")


@pytest.mark.slow(6)
def test_commands_and_python_on_fashion_mnist_run(
    answer: Callable[[str], Result], data_dir: Path, tmp_path: Path
) -> None:
    (recipe,) = [block.text for block in BLOCKS if block.language == "yaml"]
    (tmp_path / "recipe.yaml").write_text(recipe)
    assert Recipe.read("recipe.yaml").epochs == 15
    for command in filter(is_on_fashion_mnist, commands()):
        result = answer(command)
        assert result.exit_code == 0, f"{command}\n{result.output}"
    small = parse_pairs(cut(["recipe.yaml"], SMALL)[1:])
    (tmp_path / "recipe.yaml").write_text(yaml.dump(Recipe.read("recipe.yaml", **small).to_dict()))
    (code,) = python_of(TEXT)
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.parametrize("command", rows_of_the_table())
def test_a_command_of_the_table_is_there_with_its_flags(command: str) -> None:
    words = shlex.split(command.replace("|", "\\|"))[1:]
    names = [word for word in words if re.fullmatch(r"[a-z-]+", word) and not word.startswith("--")]
    result = CliRunner().invoke(app, [*names, "--help"], prog_name="cnnlab")
    assert result.exit_code == 0, result.output
    assert all(word in result.output for word in words if word.startswith("--"))
