"""Where a run found its data, for reading it again from another folder than the one that it was started in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnlab.core import spec
from cnnlab.core.errors import SpecError


def data_folder(recipe: Mapping[str, Any], info: Mapping[str, Any]) -> Path | None:
    """The folder from which the relative path of a recipe's data led to it, by what ``run.json`` says of the data.

    None where the data has no such path, or it is not on record where it lay.
    """
    source = (info.get("data") or {}).get("source") or {}
    path, origin = _path(recipe.get("data")), Path(str(source.get("from", "")))
    if path is None or not origin.is_absolute():
        return None
    # Of a single file some readers record the folder.
    for tail in (path.parts, path.parts[:-1]):
        above = len(origin.parts) - len(tail)
        if origin.parts[above:] == tail:
            return Path(*origin.parts[:above])
    return None


def _path(data: Any) -> Path | None:
    """The relative path that a spec of data names."""
    try:
        calls = spec.read(data)
    except SpecError:
        return None
    named = calls[0].kwargs.get("path") if len(calls) == 1 else None
    if not isinstance(named, str) or named.startswith("~") or Path(named).is_absolute():
        return None
    return Path(named)
