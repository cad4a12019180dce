"""Imports that wait until they are needed: of a package's own names, and of packages that may be missing."""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from cnnlab.core.counterparts import python_names
from cnnlab.core.errors import UsageError, close_words

_WHOLE = "cnnlab"
_OF_MODULES = ("__all__", "__doc__", "__file__", "__name__", "__package__", "__path__", "__spec__")
"""What ``dir`` tells of any module."""


def lazy_names(
    package: str, homes: Mapping[str, Iterable[str]], modules: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """What a package sets ``__getattr__, __dir__, __all__`` to, for its names to be imported when first used.

    :param package: its ``__name__``.
    :param homes: the names by the module, relative to the package, that each comes from.
    :param modules: of the package's own, that are public by their own names too, but for ``import *``.
    """
    rooms = frozenset(modules)
    home = {name: f"{package}.{module}" for module, names in homes.items() for name in names}

    public = sorted({*home, *rooms})

    def imported(name: str) -> Any:
        if name in rooms:
            return importlib.import_module(f"{package}.{name}")
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}{_meant(package, name, public)}")
        value = getattr(importlib.import_module(home[name]), name)
        # Kept, so that the next use is an ordinary look-up.
        setattr(sys.modules[package], name, value)
        return value

    # What a package imports to make itself is nothing that a person would look for in it.
    return imported, lambda: [*_OF_MODULES, *(name for name in public if name not in _OF_MODULES)], sorted(home)


def _meant(package: str, name: str, public: Sequence[str]) -> str:
    """The end of a message about a name that a package has not: what to write, where that is known."""
    if name.startswith("_"):
        # Asked for by Python, and by tools that look at any module.
        return ""
    ours = python_names.best(name) if package == _WHOLE else None
    alike = close_words(name, public, 1) if ours is None else [ours]
    return f". Write {package}.{alike[0]}" if alike else ""


def require(module: str, purpose: str, extra: str | None = None) -> ModuleType:
    """The module, imported now.

    :param purpose: what it is needed for, as in ``reading HDF5 files``.
    :param extra: the extra of cnnlab that brings it, when the name differs from the module's.
    :raises UsageError: when it is missing or does not load, with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # a package built for another version may fail in any way
        reason = " ".join(str(error).split()).rstrip(".")
        remedy = f"pip install 'cnnlab[{extra or module}]'"
        raise UsageError(f"{purpose} needs {module}, which did not load ({reason}). Install it: {remedy}") from error
