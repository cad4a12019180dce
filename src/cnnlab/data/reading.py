"""What a reader is: a function from its arguments to a :class:`Source`, known by name to the spec strings.

A reader says at once which files it depends on, and reads them only when asked, so that what lies in the cache
already is not read again::

    @reader("npz")
    def npz(place: Place, path: str) -> Source: ...

The options that all readers share (``size``, ``channels``, …) are added to its arguments here.
"""

import inspect
import os
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cnnlab.core.errors import DataError, UsageError
from cnnlab.core.files import reading_errors, user_path
from cnnlab.core.lookups import is_there
from cnnlab.core.registry import Registry
from cnnlab.core.sinks import in_short
from cnnlab.data.imageset import Targets
from cnnlab.data.options import ReadOptions
from cnnlab.data.raw_images import RawImages


@dataclass(frozen=True)
class SearchPath:
    """Where a reader looks for files: the current folder, ``data_dir`` and ``CNNLAB_DATA``, in this order."""

    data_dir: Path | None = None
    offline: bool = False

    @classmethod
    def at(cls, data_dir: str | Path | None = None, offline: bool = False) -> "SearchPath":
        """The place with the folder of data sets that a person named, if any."""
        return cls(user_path(data_dir) if data_dir else None, offline)

    def folders(self) -> list[Path]:
        """The folders that a relative path may start from."""
        named = os.environ.get("CNNLAB_DATA")
        return [Path(), *([self.data_dir] if self.data_dir else []), *([user_path(named)] if named else [])]

    def look(self, path: str) -> Path | None:
        """The first file or folder of that path, or None."""
        # What cannot be a path, being too long or of an unknown user, is none.
        with suppress(OSError, ValueError, UsageError):
            wanted = user_path(path)
            candidates = (folder / wanted for folder in self.folders())
            return next((candidate for candidate in candidates if is_there(candidate)), None)
        return None

    def find(self, path: str) -> Path:
        """The first file or folder of that path.

        :raises DataError: when there is none, with the places looked in.
        """
        place = self.look(path)
        if place is None:
            looked = ", ".join(str(folder.absolute()) for folder in self.folders())
            where = "" if path.startswith("~") or Path(path).is_absolute() else f" (looked in {looked})"
            raise DataError(
                f"there is no file or folder {in_short(path)}{where}. Check the path; --data-dir names another place."
            )
        return place


@dataclass(frozen=True)
class SourceSplit:
    """One split as a reader finds it: pictures and, where known, a target for each."""

    images: RawImages
    targets: Targets = field(default_factory=dict)


@dataclass(frozen=True)
class Content:
    """All that a reader finds.

    :param parts: by the name of the split; ``train`` is always there.
    :param classes: names of the classes of each column that holds classes.
    :param problems: what makes the data unfit for use, one sentence each.
    :param training_problems: what makes it unfit to train on, though not to score on.
    :param notes: what a person may want to know, one sentence each.
    :param warnings: what a person should know, one sentence each.
    """

    parts: Mapping[str, SourceSplit]
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    training_problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """What a reader will read.

    :param name: what the data set is called.
    :param read: reads it.
    :param inputs: the files and folders that it depends on.
    :param facts: plain facts for the record, such as the licence.
    :param key: what the content depends on besides the inputs: the kind of reader and its arguments, not paths.
    :param is_quick: whether reading is so quick that keeping the result in the cache is not worth while.
    """

    name: str
    read: Callable[[], Content]
    inputs: tuple[Path, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    key: Mapping[str, Any] = field(default_factory=dict)
    is_quick: bool = False


@dataclass(frozen=True)
class Reading:
    """A source and how its pictures become image sets."""

    source: Source
    options: ReadOptions


readers: Registry[Reading] = Registry("data set", given=("place",), or_else=", file or folder")
"""Every name that ``data=`` may start with: kinds of files, and named data sets."""


def reader(name: str, *aliases: str, **defaults: Any) -> Callable[[Callable[..., Source]], Callable[..., Source]]:
    """A decorator that makes a function of a :class:`SearchPath` and its own arguments known as a reader.

    :param defaults: defaults of the shared options that differ for this reader.
    """

    def decorate(function: Callable[..., Source]) -> Callable[..., Source]:
        hints = typing.get_type_hints(function, include_extras=True)
        own = [p for p in inspect.signature(function).parameters.values() if p.name != "place"]

        def make(*, place: SearchPath, **arguments: Any) -> Reading:
            mine = {p.name: arguments.pop(p.name) for p in own}
            with reading_errors():
                return Reading(function(place, **mine), ReadOptions(**arguments))

        names = {p.name for p in own}
        shared = [p for p in _shared_parameters(defaults) if p.name not in names]
        _describe(make, function, [*own, *shared], hints)
        readers.register(name, *aliases)(make)
        return function

    return decorate


def _shared_parameters(defaults: Mapping[str, Any]) -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            option.name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(option.name, option.default)
        )
        for option in fields(ReadOptions)
    ]


def _describe(
    make: Callable[..., Any], function: Callable[..., Any], parameters: list[inspect.Parameter], own: Mapping[str, Any]
) -> None:
    """Gives ``make`` the signature by which the registry binds arguments."""
    hints = {**typing.get_type_hints(ReadOptions, include_extras=True), **own}
    make.__doc__ = function.__doc__
    make.__annotations__ = {p.name: hints[p.name] for p in parameters}
    make.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    )
