"""Recipes, studies and transfers that come with cnnlab: files of the package, each by a name.

``recipes/mnist.yaml`` is the recipe ``mnist``, given as ``recipe:mnist`` wherever a recipe's file may stand,
``papers/examples/depth.yaml`` the study ``examples/depth`` and ``papers/examples/classifiers.yaml`` the transfer
``examples/classifiers``.
"""

import re
from pathlib import Path
from typing import Any, Literal

from cnnlab.core.errors import UsageError, suggestion

RECIPE = "recipe:"
"""What a name begins with that stands for a recipe of the package in the place of a file."""
PAPER = "paper.yaml"
"""The file that makes a folder a paper."""
_FOLDERS = {"recipe": "recipes", "study": "papers", "transfer": "papers"}
_PACKAGE = Path(__file__).parents[1]
_OF_TRANSFER = re.compile(r"^backbones *:", re.MULTILINE)


def packaged(kind: Literal["recipe", "study", "transfer"]) -> dict[str, Path]:
    """The file of each that comes with cnnlab, by its name.

    A file whose name begins with an underscore is a part of others, such as their base. Those of papers that name
    backbones are transfers.
    """
    folder = _PACKAGE / _FOLDERS[kind]
    files = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.yaml")}
    whole = {name: path for name, path in sorted(files.items()) if not path.name.startswith("_")}
    # The entries of a paper are run as such.
    whole = {name: path for name, path in whole.items() if not (path.parent / PAPER).is_file()}
    if kind == "recipe":
        return whole
    is_wanted = kind == "transfer"
    return {name: path for name, path in whole.items() if _is_of_transfer(path) is is_wanted}


def _is_of_transfer(path: Path) -> bool:
    """Whether a file that comes with cnnlab asks for a transfer, and not for a study."""
    return _OF_TRANSFER.search(path.read_text(encoding="utf-8")) is not None


def packaged_recipe(name: str) -> Path:
    """The file of a recipe that comes with cnnlab.

    :raises UsageError: naming the closest that there are.
    """
    found = packaged("recipe")
    if name not in found:
        raise UsageError(f"no recipe called {name!r} comes with cnnlab. {suggestion(name, found)}")
    return found[name]


def recipe_file(name: str | Path, beside: Path = Path()) -> Path:
    """The file that a recipe is read from: that of ``recipe:NAME``, or a path, seen from the folder ``beside``.

    :raises UsageError: when there is none.
    """
    text = str(name)
    if text.startswith(RECIPE):
        return packaged_recipe(text.removeprefix(RECIPE))
    path = beside / name
    if path.is_file():
        return path
    if (path / "recipe.yaml").is_file():
        raise UsageError(f"{path} is a folder; the recipe in it is {path / 'recipe.yaml'}.")
    hints = [f"If it names data, write data={path}."] if path.suffix not in (".yaml", ".yml") else []
    hints += [f"The one that comes with cnnlab is {RECIPE}{path.stem}."] if path.stem in packaged("recipe") else []
    hints += ["Give a YAML file, or the recipe as key=value."]
    raise UsageError(f"there is no recipe file {path}. {' '.join(hints)}")


def read_recipe_file(name: str | Path, beside: Path = Path()) -> dict[str, Any]:
    """The keys and values of a recipe's file, found as by :func:`recipe_file`.

    :raises UsageError: when there is none, or it holds no recipe.
    """
    # Names alone are asked for by help, which is to be there at once.
    from cnnlab.core import yaml

    path = recipe_file(name, beside)
    content = yaml.read_file(path, "a recipe")
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no recipe: it needs lines such as 'data: fashion-mnist'.")
    return content


def introduction(path: Path) -> str:
    """The comment at the head of a file, on one line."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines)
