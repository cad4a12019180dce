"""No two modules need each other, imports for types and within functions included."""

import ast
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import cnnlab

SOURCE = Path(cnnlab.__file__).parent


def _modules(root: Path) -> dict[str, Path]:
    """Every module below a package's folder, by its dotted name."""
    paths = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root.parent).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return paths


def _imported_by(path: Path, modules: Mapping[str, Path]) -> set[str]:
    """The modules that a file imports anywhere in it; of ``from package import name``, the module that is meant."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {inner if inner in modules else node.module for inner in within}
    return names & set(modules)


def _cycle(root: Path) -> list[str]:
    """One cycle of modules, from a module back to itself; empty where there is none."""
    modules = _modules(root)
    graph = {name: _imported_by(path, modules) - {name} for name, path in modules.items()}
    assert any(graph.values())
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_needs_one_that_needs_it() -> None:
    assert _cycle(SOURCE) == []


@pytest.mark.parametrize(
    "back",
    [
        "from house.low import thing",
        "from house import low",
        "import house.low",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.low import thing",
        "def late():\n    from house.low import thing",
    ],
)
def test_a_cycle_is_seen_however_it_is_written(back: str, tmp_path: Path) -> None:
    folder = tmp_path / "house"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "low.py").write_text("from house.high import other\nthing = 1\n")
    (folder / "high.py").write_text(f"{back}\nother = 1\n")
    assert set(_cycle(folder)) == {"house.low", "house.high"}
    (folder / "high.py").write_text("other = 1\n")
    assert _cycle(folder) == []
