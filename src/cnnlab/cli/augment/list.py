"""``cnnlab augment list``."""

from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.entries import document, write_entry, write_names
from cnnlab.cli.options import Json

What = Annotated[
    str | None, typer.Argument(metavar="NAME", help="One of them, with its arguments.", show_default=False)
]


def list_operations(name: What = None, as_json: Json = False) -> None:
    """List the operations that a pipeline may have; or show what one of them takes.

    cnnlab augment list

    cnnlab augment list erase
    """
    from cnnlab.augment import augmentations
    from cnnlab.core.spec import Call

    entries = {entry.name: entry for entry in augmentations}
    if name is not None:
        augmentations.entry(Call(name))
    chosen = entries if name is None else {name: entries[name]}
    if as_json:
        output.write_json([document(entry) for entry in chosen.values()])
    elif name is None:
        write_names(chosen.values())
        output.write("\nMore of one: cnnlab augment list NAME")
    else:
        write_entry(entries[name])
