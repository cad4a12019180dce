"""Imports that wait until they are needed, and say in one sentence when they cannot be had."""

import importlib
from types import ModuleType

from cnnlab.core.errors import UsageError


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
