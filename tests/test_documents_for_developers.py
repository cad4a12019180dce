"""CONTRIBUTING.md and docs/design.md: the examples run, and the house is as it is drawn."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "cnnlab"
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
DESIGN = (ROOT / "docs" / "design.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \|[^|]+\|([^|]*)\|$", DESIGN, re.MULTILINE))


@pytest.mark.slow(12)
def test_the_examples_of_where_a_new_piece_goes_run_one_after_another(tmp_path: Path) -> None:
    # In a process of their own: what they register stays.
    code = "\n".join(re.findall(r"```python\n(.*?)```", CONTRIBUTING, re.DOTALL))
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = next((tmp_path / "report").rglob("*.html")).read_text()
    assert "How large the classifiers are" in page


def layers() -> list[set[str]]:
    """The rooms from top to bottom, as the contracts have them, those side by side together."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (lines,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [set(re.findall(r"[a-z]+", layer)) for layer in lines if "__main__" not in layer]


def test_every_room_stands_in_the_table_and_in_the_drawing_where_the_contracts_have_it() -> None:
    rooms = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert rooms == set(ROWS)
    drawing = re.findall(r"```\n(.*?)```", DESIGN, re.DOTALL)[0].splitlines()
    lines = [set(re.split(r"\W+", line[len(" what is predicted ") :])) - {""} for line in drawing]
    assert lines == layers()
    drawn_to_come = set(re.findall(r"○ (\w+)", "\n".join(drawing)))
    assert set.union(*lines) - drawn_to_come == rooms


def test_a_room_imports_only_what_its_line_names() -> None:
    for room, said in ROWS.items():
        named = {word.strip() for word in said.split(",")}
        if "everything" in said:
            continue
        imported = {
            name.split(".")[1]
            for path in (SOURCE / room).rglob("*.py")
            for name in _imports(path)
            if name.startswith("cnnlab.")
        }
        assert imported - {room, "core"} <= named, room


def _imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [node.module if node.module != "cnnlab" else f"cnnlab.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return names


@pytest.mark.parametrize("text", [CONTRIBUTING, DESIGN], ids=["CONTRIBUTING.md", "design.md"])
def test_files_that_are_named_are_there(text: str) -> None:
    named = re.findall(
        r"`((?:augment|data|models|objectives|evaluation|reports|training|core|studies|tests)/[\w/.]*)`", text
    )
    missing = [name for name in named if not (SOURCE / name).exists() and not (ROOT / name).exists()]
    assert named and not missing
