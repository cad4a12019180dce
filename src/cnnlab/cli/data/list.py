"""``cnnlab data list``."""

from typing import TYPE_CHECKING

from cnnlab.cli import output
from cnnlab.cli.options import DataDir, Json

if TYPE_CHECKING:
    from cnnlab.data import NamedSet


def list_data(data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the data sets that go by a name, and the readers for data of your own."""
    from cnnlab.data import find, named_sets, readers

    sets = named_sets()
    places = {entry.name: find(entry.name, data_dir) for entry in sets}
    kinds = [entry for entry in readers if entry.name not in places]
    if as_json:
        named = [{**entry.to_dict(), "path": places[entry.name]} for entry in sets]
        output.write_json({"sets": named, "readers": [{"name": e.name, "summary": e.summary} for e in kinds]})
        return
    titles = ("name", "pictures", "classes", "shape", "licence", "here")
    output.table(titles, [[*_row(entry), "yes" if places[entry.name] else _where(entry)] for entry in sets])
    output.heading("readers")
    output.table(("name", "reads"), [(entry.name, entry.summary) for entry in kinds])
    output.write("\nMore of one: cnnlab data show NAME")


def _row(entry: "NamedSet") -> list[str]:
    return [
        entry.name,
        " + ".join(f"{count:,}" for count in entry.splits.values()),
        str(len(entry.classes)) if entry.classes else "",
        "×".join(map(str, entry.shape)) if entry.shape else "varies",
        entry.licence,
    ]


def _where(entry: "NamedSet") -> str:
    return "no, is downloaded" if entry.is_downloadable else "no, bring it"
