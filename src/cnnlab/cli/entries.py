"""What a registry holds, for a person: names with what they are, and one of them with its arguments."""

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cnnlab.cli import output

if TYPE_CHECKING:
    from cnnlab.core.registry import Entry


def document(entry: "Entry[Any]") -> dict[str, Any]:
    """An entry as plain JSON: its name, what it is, and what each argument takes."""
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
    return {"name": entry.name, "summary": plain(entry.summary), "arguments": arguments}


def write_names(entries: "Iterable[Entry[Any]]", title: str = "name") -> None:
    """A table of names, each with the first line of what it is."""
    output.table((title, "what it is"), [(entry.name, plain(entry.summary)) for entry in entries])


def write_entry(entry: "Entry[Any]") -> None:
    """One entry: all that is said of it, and its arguments."""
    output.write(plain(inspect.getdoc(entry.make) or ""))
    rows = [list(row.values()) for row in document(entry)["arguments"]]
    if rows:
        output.heading("takes")
        output.table(("argument", "what", "default"), rows)


def plain(text: str) -> str:
    """Without the marks that set code apart."""
    return text.replace("``", "")
