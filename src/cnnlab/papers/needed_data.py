"""The data sets that an entry needs at a scale, as its file and the keys over it name them; none of them is read."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cnnlab.core.errors import CnnlabError
from cnnlab.core.packaged import read_recipe_file
from cnnlab.data.catalogue import named_sets
from cnnlab.data.download import find
from cnnlab.data.loading import parse_data
from cnnlab.data.reading import SearchPath
from cnnlab.papers.command_calls import filled, split_words
from cnnlab.papers.commands import CommandEntry
from cnnlab.papers.entry import EntryAt

_KEY = "data"
_ON_DATA = (["data", "show"], ["data", "check"])
"""Commands whose first argument is a data set."""
_FOLDER = "{data}/"


def needed_data(at: EntryAt) -> dict[str, bool]:
    """The data sets of an entry, by name or path and without their options, and whether each is on this machine.

    What is drawn, or part of a package, is always here. Empty for an entry that cannot be meant, which says why once it
    is run.

    :raises UsageError: when the folder of data sets that was named does not exist.
    """
    read = {"study": _of_study, "commands": _of_commands, "transfer": _of_transfer}[at.entry.file.kind]
    try:
        specs = [spec for spec in read(at) if spec is not None]
    except CnnlabError:
        return {}
    return dict(_found(spec, at.place.data_dir) for spec in specs)


def _of_study(at: EntryAt) -> Iterator[Any]:
    """Those of the base or of ``each``, of an axis, and of settings of several keys."""
    from cnnlab.studies.study_file import read_study

    file = at.entry.file
    content = {"question": file.title, **file.content, "name": at.name}
    if isinstance(content.get("base"), str):
        content["base"] = read_recipe_file(content["base"], at.entry.path.parent)
    study = read_study(content, at.keys)
    if _KEY in file.each:
        yield from file.each[_KEY] if at.each is None else at.each
    elif _KEY not in study.vary:
        yield study.base.get(_KEY)
    for axis, values in study.vary.items():
        settings = list(values.values() if isinstance(values, Mapping) else values)
        yield from settings if axis == _KEY else _of_recipes(settings)


def _of_transfer(at: EntryAt) -> Iterator[Any]:
    asked = at.entry.file.content["transfer"]
    yield at.keys.get(_KEY, asked.get(_KEY) if isinstance(asked, Mapping) else None)


def _of_commands(at: EntryAt) -> Iterator[Any]:
    """Those of the trainings, and those that the words of commands name."""
    file = CommandEntry(at).file
    yield from _of_recipes(file.trainings.values())
    if any(isinstance(recipe, Mapping) and _KEY not in recipe for recipe in file.trainings.values()):
        yield file.data
    own = {} if file.data is None else {"set": file.data}
    for command in file.commands.values():
        words = [filled(word, own) for word in split_words(command.command)]
        yield from (word.removeprefix(f"{_KEY}=") for word in words if word.startswith(f"{_KEY}="))
        yield from words[2:3] if words[:2] in _ON_DATA else ()
        yield from (_in_folder(word.removeprefix(_FOLDER)) for word in words if word.startswith(_FOLDER))


def _of_recipes(recipes: Iterable[Any]) -> Iterator[Any]:
    return (recipe[_KEY] for recipe in recipes if isinstance(recipe, Mapping) and _KEY in recipe)


def _in_folder(path: str) -> str:
    """What lies so in a folder of data sets: a named one, or the path itself."""
    named = (s.name for s in named_sets() for packing in s.packings for part in packing if path in part.places)
    return next(named, path)


def _found(spec: Any, data_dir: Path | None) -> tuple[str, bool]:
    """A data set by its name or path, and whether it is here."""
    try:
        bound = parse_data(spec, data_dir)
    except CnnlabError:
        return str(spec), False
    if bound.name in {entry.name for entry in named_sets()}:
        return bound.name, find(bound.name, data_dir) is not None
    path = bound.arguments.get("path")
    return (bound.name, True) if path is None else (str(path), SearchPath.at(data_dir).look(str(path)) is not None)
