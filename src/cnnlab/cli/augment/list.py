"""``cnnlab augment list``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Json

if TYPE_CHECKING:
    from cnnlab.core.registry import Entry

What = Annotated[
    str | None, typer.Argument(metavar="NAME", help="One of them, with its arguments.", show_default=False)
]


def list_operations(name: What = None, as_json: Json = False) -> None:
    """List the operations that a pipeline may have; or show what one of them takes.

    cnnlab augment list

    cnnlab augment list erase
    """
    from cnnlab.augment import augmentations
    from cnnlab.core.errors import UsageError, suggestion

    entries = {entry.name: entry for entry in augmentations}
    if name is not None and name not in entries:
        raise UsageError(f"there is no augmentation called {name!r}. {suggestion(name, entries)}")
    chosen = entries if name is None else {name: entries[name]}
    if as_json:
        output.write_json([_document(entry) for entry in chosen.values()])
    elif name is None:
        output.table(("name", "what it does"), [(entry.name, _plain(entry.summary)) for entry in chosen.values()])
        output.write("\nMore of one: cnnlab augment list NAME")
    else:
        _write(entries[name])


def _write(entry: "Entry[Any]") -> None:
    import inspect

    output.write(_plain(inspect.getdoc(entry.make) or ""))
    output.heading("takes")
    rows = [list(row.values()) for row in _document(entry)["arguments"]]
    output.table(("argument", "what", "default"), rows)


def _plain(text: str) -> str:
    """Without the marks that set code apart."""
    return text.replace("``", "")


def _document(entry: "Entry[Any]") -> dict[str, Any]:
    from cnnlab.core.arguments import describe
    from cnnlab.core.spec import format_value

    arguments = [
        {
            "argument": argument.name,
            "what": describe(argument.annotation),
            "default": "(needed)" if argument.is_required else format_value(argument.default),
        }
        for argument in entry.arguments.values()
    ]
    return {"name": entry.name, "summary": _plain(entry.summary), "arguments": arguments}
