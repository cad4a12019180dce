"""Objects that a person gave in Python, such as a network or a loss of their own, which a record holds by name only.

A spec stands for one: ``module(name=Net, digest=9f1c…, code=04be…, path=nets:Net)``. The process that it was given to
remembers it; another finds it by its import path, where it has one that Python's own search finds there.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from cnnlab.core.errors import UsageError
from cnnlab.core.sinks import in_short
from cnnlab.core.spec import Call, format_calls, read

GIVEN = "given"
"""The call that stands for any object but a network, which has a word of its own."""
_given: dict[tuple[str, str], Any] = {}
_PLACE = {"path", "code"}
"""What a spec says of where the object is found again, and not of what it is."""
_MAIN = {"__main__", "__mp_main__"}
_INSTALLED = {"site-packages", "dist-packages"}
_TRUSTED = {"torch", "torchvision", "torchmetrics"}


class NotFoundHereError(UsageError):
    """This process does not know an object that was given in Python, and cannot import it.

    :param reason: why not, as half a sentence; empty where there is nothing to import.
    """

    def __init__(self, call: Call, reason: str) -> None:
        self.name, self.reason = in_short(given_name(call)), reason
        super().__init__(
            f"{self.name} was given in Python, and a record holds no code{reason and f'; {reason}'}. Run the "
            "cnnlab.train(…) again that it was given to: it goes on with an unfinished run and returns a finished one. "
            f"Or put {self.name} where Python can import it."
        )


def remember(word: str, thing: Any, digest: str, code: str, *, source: Any = None, **more: Any) -> Call:
    """The call that stands for an object from now on.

    :param word: the name of the call, which says what kind of thing it is.
    :param digest: of all that the object is; ``code`` of its source alone.
    :param more: further arguments of the call, plain values.
    :param source: what is imported to have its like again, where that is not the object itself.
    """
    name = object_name(thing)
    _given[name, digest] = thing
    path = import_path(thing if source is None else source)
    found = {"code": code} | ({} if path is None else {"path": path})
    return Call(word, (), {"name": name, "digest": digest, **more, **found})


def stand_in(call: Call, thing: Any) -> None:
    """Has this process take an object for the one that a call stands for, as a person says that it is."""
    _given[_key(call)] = thing


def recall(call: Call) -> tuple[Any, bool]:
    """The object that a call stands for, and whether it was imported, and so may have changed since.

    :raises NotFoundHereError: where it is neither remembered nor found by its path.
    """
    if _key(call) in _given:
        return _given[_key(call)], False
    return _imported(call), True


def _key(call: Call) -> tuple[str, str]:
    return given_name(call), str(call.kwargs.get("digest"))


def given_name(call: Call) -> str:
    """What the object is called."""
    return str(call.kwargs.get("name"))


def plain_name(call: Call) -> str:
    """What the object is called, as it may stand in the name of a folder."""
    return re.sub(r"\W", "", given_name(call)) or call.name


def object_name(thing: Any) -> str:
    """What a person calls a function, a class, what a partial is of, or the class of an object."""
    while isinstance(thing, partial):
        thing = thing.func
    is_named = inspect.isclass(thing) or inspect.isroutine(thing)
    return str(getattr(thing, "__name__", None) or type(thing).__name__) if is_named else type(thing).__name__


def import_path(thing: Any) -> str | None:
    """``module:Name`` by which a class or a function is imported; None for what cannot be, as of a notebook."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", "<")
    if not isinstance(module, str) or module in _MAIN or "<" in name:
        return None
    return f"{module}:{name}" if _reached(sys.modules.get(module), name) is thing else None


def given_calls(spec: str) -> list[Call]:
    """The calls in a spec that stand for objects."""
    return [call for whole in read(spec) for call in _calls(whole)] if "digest=" in spec else []


def _calls(value: Any) -> list[Call]:
    if isinstance(value, Call):
        own = [value] if {"name", "digest"} <= set(value.kwargs) else []
        return [*own, *(call for part in value.kwargs.values() for call in _calls(part))]
    return [call for part in value for call in _calls(part)] if isinstance(value, list | tuple) else []


def identity(spec: str) -> str:
    """A spec without what it says of where objects in it are found: what the digest of a recipe is over."""
    if "digest=" not in spec or not any(f"{word}=" in spec for word in _PLACE):
        return spec
    return format_calls([_without_place(call) for call in read(spec)])


def places(spec: str) -> dict[tuple[str, str], str]:
    """The import paths of objects in a spec, by their names and digests."""
    return {_key(call): str(call.kwargs["path"]) for call in given_calls(spec) if "path" in call.kwargs}


def with_places(spec: str, found: Mapping[tuple[str, str], str]) -> str:
    """The same spec, whose objects are found again at these paths."""
    if not found or not found.keys() & {_key(call) for call in given_calls(spec)}:
        return spec
    return format_calls([_placed(call, found) for call in read(spec)])


def _placed(value: Any, found: Mapping[tuple[str, str], str]) -> Any:
    if isinstance(value, Call):
        own = {"path": found[_key(value)]} if "digest" in value.kwargs and _key(value) in found else {}
        inner = {key: _placed(part, found) for key, part in value.kwargs.items()}
        return Call(value.name, tuple(_placed(part, found) for part in value.args), inner | own)
    return [_placed(part, found) for part in value] if isinstance(value, list | tuple) else value


def _without_place(value: Any) -> Any:
    if isinstance(value, Call):
        kept = {k: v for k, v in value.kwargs.items() if "digest" not in value.kwargs or k not in _PLACE}
        return Call(value.name, tuple(map(_without_place, value.args)), _without_place(kept))
    if isinstance(value, Mapping):
        return {key: _without_place(part) for key, part in value.items()}
    return [_without_place(part) for part in value] if isinstance(value, list | tuple) else value


def _imported(call: Call) -> Any:
    """The class or function at the path of a call.

    A record may come from anybody. So only what Python finds by itself is imported, nothing of its own library, and of
    packages that are installed, but for torch's, no function, which would be called.
    """
    path = call.kwargs.get("path")
    if not isinstance(path, str):
        raise NotFoundHereError(call, "")
    module_name, _, name = path.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), *name.split(".")]):
        raise NotFoundHereError(call, f"{in_short(path)} is no import path")
    if module_name.partition(".")[0] in sys.stdlib_module_names:
        raise NotFoundHereError(call, f"{in_short(module_name)} is a module of Python itself")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever a module of somebody's does when it is read
        raise NotFoundHereError(call, f"its module cannot be imported here: {in_short(str(error))}") from error
    found = _reached(module, name)
    is_own = not _INSTALLED & set(Path(getattr(module, "__file__", None) or "").parts)
    may_be_called = is_own or module_name.partition(".")[0] in _TRUSTED
    if not (inspect.isclass(found) or (inspect.isfunction(found) and may_be_called)) or found.__module__ != module_name:
        raise NotFoundHereError(call, f"{in_short(path)} is no class or function of its own there")
    return found


def _reached(module: Any, name: str) -> Any:
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
