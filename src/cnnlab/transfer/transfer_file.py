"""The keys of a transfer from a file: one of a person's own, or one that comes with cnnlab, by its name."""

from pathlib import Path
from typing import Any

from cnnlab.core import yaml
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.lookups import is_there
from cnnlab.core.packaged import packaged

SUFFIXES = (".yaml", ".yml")
_EXAMPLE = "backbones: efficientnet-lite0"


def names_transfer_file(given: object) -> bool:
    """Whether what may be data names a file of a transfer: by its suffix, or as one that comes with cnnlab."""
    if not isinstance(given, str | Path):
        return False
    return Path(given).suffix.lower() in SUFFIXES or (str(given) in packaged("transfer") and not Path(given).exists())


def find_transfer_file(name: str | Path) -> Path:
    """A path, or the file that comes with cnnlab under this name.

    :raises UsageError: naming the closest that there are.
    """
    if is_there(Path(name)) and Path(name).is_file():
        return Path(name)
    known = packaged("transfer")
    if str(name) in packaged("study"):
        raise UsageError(f"{name} is a study, and no transfer: cnnlab study run {name}.")
    if str(name) not in known:
        raise UsageError(
            f"there is no transfer file {name}. If it names data, write data={name}; else give a YAML file, or one "
            f"that comes with cnnlab. {suggestion(str(name), known)}"
        )
    return known[str(name)]


def read_transfer_file(name: str | Path) -> dict[str, Any]:
    """The keys and values of a file, found as by :func:`find_transfer_file`.

    :raises UsageError: when there is none, or it holds no transfer.
    """
    path = find_transfer_file(name)
    content = yaml.read_file(path, "a transfer")
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise UsageError(f"{path} holds no transfer: it needs lines such as {_EXAMPLE!r}.")
    return content
