"""What is given in Python as an object, such as arrays or a module: a recipe holds a spec that stands for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnlab.core.errors import UsageError
from cnnlab.models import remember_network

NO_DATA = (
    "this recipe was trained on arrays given in Python, which its record does not hold. Give them again: "
    "cnnlab.resume(run, data=…)."
)


def extract_objects(recipe: Any, keys: Mapping[str, Any]) -> tuple[Any, dict[str, Any], Any]:
    """A recipe that is not a mapping, the keys of one that is with ``keys`` put over it, and data given as an object.

    The keys come back with every object replaced by a spec that stands for it; networks are known by theirs from now
    on, and data is handed back, for it may be large.
    """
    if isinstance(recipe, Mapping):
        recipe, keys = None, {**recipe, **keys}
    plain: dict[str, Any] = {key: str(value) if isinstance(value, Path) else value for key, value in keys.items()}
    data = None
    if not is_plain(plain.get("data")):
        data, plain["data"] = plain["data"], "arrays"
    if not is_plain(plain.get("model")):
        plain["model"] = remember_network(plain["model"])
    return recipe, plain, data


def is_plain(value: Any) -> bool:
    """Whether it is text, or what YAML makes of a spec, and not an object."""
    if isinstance(value, list):
        return all(isinstance(part, str | Mapping) for part in value)
    return value is None or isinstance(value, str) or (isinstance(value, Mapping) and "name" in value)


def given_data(data: Any) -> Any:
    """The data that was given.

    :raises UsageError: where none was.
    """
    if data is None:
        raise UsageError(NO_DATA)
    return data
