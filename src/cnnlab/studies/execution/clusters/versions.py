"""Whether two machines compute by the same program."""

from collections.abc import Mapping
from typing import Any

from cnnlab.runs import environment


def what_differs(expected: Mapping[str, Any]) -> str | None:
    """What this machine has other than the study, and what to do about it; None where nothing that matters is.

    :param expected: the :func:`~cnnlab.runs.environment` of the study.
    """
    here = environment()
    for package in ("cnnlab", "torch"):
        # Builds for other devices are of one version.
        ours, theirs = (str(facts[package] or "").partition("+")[0] for facts in (here, expected))
        if ours != theirs:
            has = f"{package} {ours}" if ours else f"no {package}"
            return f"it has {has}, and the study {theirs}. Install the same there: pip install {package}=={theirs}"
    if here["code"] != expected["code"]:
        return (
            f"its cnnlab {here['cnnlab']} is not that of the study, though the version is the same. Install the same "
            "there, from the same sources"
        )
    return None
