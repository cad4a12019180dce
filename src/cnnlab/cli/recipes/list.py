"""``cnnlab recipes list``."""

from cnnlab.cli import output
from cnnlab.cli.options import Json
from cnnlab.core.packaged import RECIPE, introduction, packaged


def list_recipes(as_json: Json = False) -> None:
    """List the recipes that come with cnnlab."""
    rows = [(name, _first_sentence(introduction(path))) for name, path in packaged("recipe").items()]
    if as_json:
        output.write_json([dict(zip(("recipe", "what"), row, strict=True)) for row in rows])
        return
    output.table(("recipe", "what it is for"), rows)
    output.write(f"\nTrain one: cnnlab train {RECIPE}NAME. See one: cnnlab recipes show NAME")


def _first_sentence(text: str) -> str:
    return f"{text.partition('. ')[0].rstrip('.')}."
