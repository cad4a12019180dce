"""Specs as a person would have typed them: without the arguments that have their default."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from cnnlab.core.errors import CnnlabError
from cnnlab.core.registry import Registry
from cnnlab.core.spec import Call, format_calls, format_value, read


def short_spec(key: str, value: Any) -> Any:
    """The value of one key of a recipe; a spec without what is left at its default, anything else as it is."""
    if not isinstance(value, str) or "(" not in value:
        return value
    try:
        return format_calls([_stripped(call, _registries().get(key, ())) for call in read(value)])
    except CnnlabError:
        return value


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


def shortened(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Every value of a recipe."""
    return {key: short_spec(key, value) for key, value in recipe.items()}


@cache
def _registries() -> dict[str, tuple[Registry[Any], ...]]:
    """Which names each key may hold."""
    from cnnlab.augment import augmentations
    from cnnlab.data import readers
    from cnnlab.models import architectures, layers
    from cnnlab.objectives import objectives
    from cnnlab.training.normalization import normalizations
    from cnnlab.training.optimizers import optimizers
    from cnnlab.training.schedules import schedules

    return {
        "data": (readers,),
        "model": (architectures, layers),
        "augment": (augmentations,),
        "objective": (objectives,),
        "optimizer": (optimizers,),
        "schedule": (schedules,),
        "normalize": (normalizations,),
    }


def _stripped(call: Call, registries: Sequence[Registry[Any]]) -> Call:
    registry = next((registry for registry in registries if call.name in registry), None)
    if registry is None:
        return call
    arguments = registry.entry(call).arguments
    defaults = {name: argument.default for name, argument in arguments.items() if not argument.is_required}
    kept = {
        name: _stripped(value, registries) if isinstance(value, Call) else value
        for name, value in call.kwargs.items()
        if not _is_default(name, value, defaults)
    }
    return Call(call.name, call.args, kept)


def _is_default(name: str, value: Any, defaults: Mapping[str, Any]) -> bool:
    if name not in defaults:
        return False
    default = defaults[name]
    if isinstance(default, tuple | list):
        return isinstance(value, tuple | list) and list(value) == list(default)
    return value is default or (type(value) is type(default) and bool(value == default))
