"""The wheel: what it holds, and that what it puts into an empty environment stands by itself."""

import os
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as any installer builds it, by the project's own backend."""
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.slow(3)
def test_every_file_of_the_package_is_in_it_and_nothing_else(names: set[str]) -> None:
    files = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*") if path.is_file()}
    own = {name for name in files if "__pycache__" not in name and ".egg-info/" not in name}
    assert {name for name in names if ".dist-info/" not in name} == own
    kinds = ("py.typed", "recipes/mnist.yaml", "papers/examples/depth.yaml", "models/cpu_kernels/winograd.c")
    assert {f"cnnlab/{kind}" for kind in (*kinds, "reports/writing/templates/report.html")} <= names


def test_it_says_what_it_is_and_under_which_licence(wheel: Path, names: set[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (folder,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
    with zipfile.ZipFile(wheel) as archive:
        facts = Parser().parsestr(archive.read(f"{folder}/METADATA").decode())
        licence = archive.read(f"{folder}/licenses/LICENSE").decode()
        scripts = archive.read(f"{folder}/entry_points.txt").decode()
    assert (facts["Name"], facts["Version"]) == ("cnnlab", project["version"])
    assert facts["License-Expression"] == "MIT" and licence.startswith("MIT License")
    assert "cnnlab = cnnlab.cli:main" in scripts
    assert facts["Requires-Python"] == project["requires-python"]
    # Nothing of what developers need comes along.
    needed = {line.partition(";")[0] for line in facts.get_all("Requires-Dist") or [] if "extra ==" not in line}
    assert not [line for line in needed if line.startswith(("pytest", "mkdocs", "hatchling", "mypy"))]


@pytest.mark.slow(3)
def test_its_command_runs_in_an_empty_folder_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    place, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    code = (
        "import sys, cnnlab; assert cnnlab.__file__.startswith(sys.argv[1]), cnnlab.__file__; "
        "from cnnlab.cli import main; sys.argv[:] = ['cnnlab', *sys.argv[2:]]; main()"
    )
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONSAFEPATH": "1"}

    def told(*words: str) -> str:
        command = [sys.executable, "-c", code, str(place), *words]
        done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "fashion-mnist" in told("recipes", "list")
    assert told("recipes", "show", "mnist") == (SOURCE / "cnnlab/recipes/mnist.yaml").read_text("utf-8")
    assert "examples/depth" in told("study", "list")
    assert list(empty.iterdir()) == []
