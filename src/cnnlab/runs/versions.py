"""Whether two machines compute by the same program."""

from collections.abc import Mapping
from typing import Any

from cnnlab.runs.environment import environment

_COMPARED = ("cnnlab", "torch", "code")


def versions() -> dict[str, Any]:
    """What :func:`what_differs` compares, of this machine."""
    facts = environment()
    return {fact: facts[fact] for fact in _COMPARED}


def what_differs(expected: Mapping[str, Any], of: str = "the study") -> str | None:
    """What this machine has other than another, and what to do about it; None where nothing that matters is.

    :param expected: the :func:`~cnnlab.runs.environment` of that one, and ``of`` whose it is.
    """
    here = environment()
    for package in ("cnnlab", "torch"):
        # Builds for other devices are of one version.
        ours, theirs = (str(facts[package] or "").partition("+")[0] for facts in (here, expected))
        if ours != theirs:
            has = f"{package} {ours}" if ours else f"no {package}"
            return f"it has {has}, and {of} {theirs}. Install the same there: pip install {package}=={theirs}"
    if here["code"] != expected["code"]:
        return (
            f"its cnnlab {here['cnnlab']} is not that of {of}, though the version is the same. Install the same "
            "there, from the same sources"
        )
    return None
