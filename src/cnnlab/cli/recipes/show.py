"""``cnnlab recipes show``."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import check_file, destination
from cnnlab.cli.options import Json
from cnnlab.core.errors import UsageError
from cnnlab.core.files import write_bytes
from cnnlab.core.packaged import RECIPE, packaged, packaged_recipe, read_recipe_file


def _names(incomplete: str) -> list[str]:
    return [name for name in packaged("recipe") if name.startswith(incomplete)]


RecipeName = Annotated[
    str, typer.Argument(metavar="NAME", help="One of cnnlab recipes list.", autocompletion=_names, show_default=False)
]
Copy = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        parser=destination,
        help="Write it there, for a recipe of your own.",
        show_default=False,
    ),
]


def show(name: RecipeName, out: Copy = None, as_json: Json = False) -> None:
    """Show a recipe that comes with cnnlab, or copy it to a file to change.

    cnnlab recipes show mnist --out recipe.yaml
    """
    name = name.removeprefix(RECIPE)
    path = packaged_recipe(name)
    check_file(out, "a recipe is written as YAML", ".yaml", ".yml")
    if out is not None and out.exists():
        raise UsageError(f"{out} is there already; give another name, or remove it first.")
    if out is not None:
        write_bytes(out, path.read_bytes())
    if as_json:
        keys = read_recipe_file(f"{RECIPE}{name}")
        output.write_json({"recipe": name, "keys": keys, **({"file": str(out)} if out else {})})
    elif out is not None:
        output.facts([("file", out), ("next", f"cnnlab train {out}")])
    else:
        output.write(path.read_text(encoding="utf-8").rstrip())
