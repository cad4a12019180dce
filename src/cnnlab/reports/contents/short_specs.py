"""What tells values of a recipe apart in figures."""

from collections.abc import Sequence
from typing import Any

from cnnlab.core.errors import CnnlabError
from cnnlab.core.spec import Call, format_value, read


def telling(labels: Sequence[str]) -> dict[str, str]:
    """What tells values apart: of calls of one name the arguments that differ, else the values as they are."""
    same = {label: label for label in labels}
    try:
        pipelines = [read(label) for label in labels]
    except CnnlabError:
        return same
    calls = [pipeline[0] for pipeline in pipelines if len(pipeline) == 1]
    shapes = {(call.name, len(call.args), tuple(call.kwargs)) for call in calls}
    if len(calls) < 2 or len(calls) < len(labels) or len(shapes) > 1:
        return same
    columns = [[*call.args, *(Call(name, (value,), {}) for name, value in call.kwargs.items())] for call in calls]
    differing = [i for i in range(len(columns[0])) if any(column[i] != columns[0][i] for column in columns)]
    return {
        label: ", ".join(_argument(column[i]) for i in differing) or label
        for label, column in zip(labels, columns, strict=True)
    }


def _argument(value: Any) -> str:
    """As it stands in a call; one given by name was wrapped in a call of that name."""
    if isinstance(value, Call) and len(value.args) == 1:
        return f"{value.name}={format_value(value.args[0])}"
    return format_value(value)
