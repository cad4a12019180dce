"""What several processes that run one study know of it, put together."""

from collections.abc import Mapping
from typing import Any

_TOGETHER = ("execution", "asked")
"""How trials are carried out, and what that was settled for: who writes it first settles it for all."""
_SPENT = "wall_seconds"


def merged_state(before: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a study after two processes went on from one: what either changed is changed.

    :param before: what both began with, ``theirs`` what the other has written since.
    """
    result = _merged(before, ours, theirs)
    if theirs.get("asked") == ours.get("asked") and theirs.get("execution") and not before.get("execution"):
        result |= {key: theirs[key] for key in _TOGETHER}
    # They worked at the same time.
    result[_SPENT] = max(float(state.get(_SPENT) or 0.0) for state in (ours, theirs))
    return result


def _merged(before: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key in [*theirs, *(key for key in ours if key not in theirs)]:
        old, own, other = before.get(key), ours.get(key), theirs.get(key)
        if isinstance(own, Mapping) and isinstance(other, Mapping) and key not in _TOGETHER:
            result[key] = _merged(old if isinstance(old, Mapping) else {}, own, other)
        elif (key in ours) == (key in before) and own == old:
            if key in theirs:
                result[key] = other
        elif key in ours:
            result[key] = own
    return result
