"""What a registry holds, for a person: names with what they are, and one of them with its arguments."""

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cnnlab.cli import output

if TYPE_CHECKING:
    from cnnlab.core.registry import RegistryEntry


def document(entry: "RegistryEntry[Any]") -> dict[str, Any]:
    """An entry as plain JSON: its name, what it is, and what each argument takes."""
    from cnnlab.core.arguments import describe_type
    from cnnlab.core.spec import format_value

    arguments = [
        {
            "argument": argument.name,
            "what": describe_type(argument.annotation),
            "default": "(needed)" if argument.is_required else format_value(argument.default),
        }
        for argument in entry.arguments.values()
    ]
    return {"name": entry.name, "summary": without_markup(entry.summary), "arguments": arguments}


def write_names(entries: "Iterable[RegistryEntry[Any]]", title: str = "name") -> None:
    """A table of names, each with the first line of what it is."""
    output.table((title, "what it is"), [(entry.name, without_markup(entry.summary)) for entry in entries])


def write_entry(entry: "RegistryEntry[Any]") -> None:
    """One entry: all that is said of it, and its arguments."""
    output.write(without_markup(inspect.getdoc(entry.make) or ""))
    rows = [list(row.values()) for row in document(entry)["arguments"]]
    if rows:
        output.heading("takes")
        output.table(("argument", "what", "default"), rows)


def without_markup(text: str) -> str:
    """Without the marks that set code apart."""
    return text.replace("``", "")
