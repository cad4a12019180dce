"""``cnnlab data show``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.options import DataDir, Json
from cnnlab.core.counterparts import hint, names
from cnnlab.core.errors import UsageError

if TYPE_CHECKING:
    from cnnlab.core.registry import RegistryEntry
    from cnnlab.data import NamedSet

_MEBIBYTE = 2**20
What = Annotated[str, typer.Argument(metavar="NAME", help="A named data set or a reader.", show_default=False)]


def show(name: What, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show what a named data set is, whose, and where it lies; or what a reader takes.

    cnnlab data show fashion-mnist

    cnnlab data show folder
    """
    from cnnlab.data import find, named_sets, readers

    sets = {entry.name: entry for entry in named_sets()}
    kinds = {entry.name: entry for entry in readers}
    if name not in sets and name not in kinds:
        known = {*sets, *kinds}
        told = hint(name, known, names(readers.kind, name, known))
        files = f" To look into files: cnnlab data check {name}" if os.path.exists(name) else ""
        raise UsageError(f"there is no data set or reader {name!r}. {told}{files}")
    place = find(name, data_dir) if name in sets else None
    if as_json:
        named = (
            {**sets[name].to_dict(), "path": place} if name in sets else {"name": name, "summary": kinds[name].summary}
        )
        output.write_json({**named, "arguments": _arguments(kinds.get(name))})
        return
    if name in sets:
        _write_set(sets[name], place)
    else:
        output.facts([("reader", name), ("reads", kinds[name].summary)])
    if name in kinds:
        output.heading("arguments")
        output.table(("argument", "default", "takes"), [list(row.values()) for row in _arguments(kinds[name])])
        output.write(f"\nFor example: cnnlab train '{_example(kinds[name])}'")


def _write_set(entry: "NamedSet", place: Path | None) -> None:
    addresses = [address for part in entry.packings[0] for address in part.addresses[:1]]
    size = f"{entry.size / _MEBIBYTE:,.1f} MiB" if entry.size else ""
    output.facts(
        [
            ("name", entry.name),
            ("title", entry.title),
            ("pictures", ", ".join(f"{split} {count:,}" for split, count in entry.splits.items())),
            ("shape", "×".join(map(str, entry.shape)) if entry.shape else "varies"),
            ("classes", ", ".join(entry.classes) if entry.classes else "by its folders"),
            ("licence", entry.licence),
            ("cite as", entry.citation),
            ("homepage", entry.homepage),
            ("download", "\n".join(addresses) if addresses else "none: bring the files"),
            ("size", size),
            ("note", entry.note),
            ("here", place or "no"),
        ]
    )


def _arguments(entry: "RegistryEntry[Any] | None") -> list[dict[str, str]]:
    from cnnlab.core.arguments import describe_type
    from cnnlab.core.spec import format_value

    return [
        {
            "argument": argument.name,
            "default": "(needed)" if argument.is_required else format_value(argument.default),
            "takes": describe_type(argument.annotation),
        }
        for argument in (entry.arguments.values() if entry else ())
    ]


def _example(entry: "RegistryEntry[Any]") -> str:
    needed = [f"{argument.name}=…" for argument in entry.arguments.values() if argument.is_required]
    return f"data={entry.name}({', '.join(needed)})" if needed else f"data={entry.name}"
