"""Recipes as a person would have typed them: without the keys and the arguments that have their default."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from cnnlab.core.errors import CnnlabError
from cnnlab.core.registry import Registry
from cnnlab.core.spec import Call, format_calls, read
from cnnlab.training.recipe import Recipe
from cnnlab.training.recipe_specs import parse_specs

_TELLING = ("data", "model", "epochs", "steps", "phases", "seed")
"""Keys that a reader wants to know of, whatever they are."""


def given(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What was set, in the order of the recipe: of keys those that are not at their default, of specs likewise.

    Data, model, length and seed are always there.

    :param recipe: as ``recipe.yaml`` has it.
    """
    usual = {**_defaults(), **_normalization_of_weights(recipe)}
    nothing: tuple[Any, ...] = (None, [], "")
    return {
        key: value
        for key, value in shortened(recipe).items()
        if key in _TELLING or (value != usual[key] if key in usual else value not in nothing)
    }


def short_spec(key: str, value: Any) -> Any:
    """The value of one key of a recipe; a spec without what is left at its default, anything else as it is."""
    if not isinstance(value, str) or "(" not in value:
        return value
    try:
        return format_calls([_stripped(call, _registries().get(key, ())) for call in read(value)])
    except CnnlabError:
        return value


def shortened(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Every value of a recipe, which reads back as the same."""
    return {key: short_spec(key, value) for key, value in recipe.items()} | _own_size(recipe)


def _own_size(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a recipe that says ``size=none`` where saying nothing means the size of its backbone."""
    data, model = recipe.get("data"), recipe.get("model")
    is_transfer = "backbones" in recipe
    if not isinstance(data, str) or "size=none" not in data or not (is_transfer or "weights=" in str(model)):
        return {}
    with suppress(CnnlabError):
        (call,) = read(short_spec("data", data))
        if is_transfer or parse_specs({"data": str(call), "model": model})["data"] != data:
            return {"data": str(Call(call.name, call.args, {**call.kwargs, "size": None}))}
    return {}


def _normalization_of_weights(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """How pixels are normalized where nothing is said of it, of a model that starts from weights."""
    if not recipe.get("weights") and "weights=" not in str(recipe.get("model")).replace("weights=none", ""):
        return {}
    with suppress(CnnlabError):
        read_again = parse_specs({key: recipe[key] for key in ("model", "weights") if recipe.get(key)})
        return {key: str(value) for key, value in read_again.items() if key == "normalize"}
    return {}


@cache
def _defaults() -> Mapping[str, Any]:
    """Of every key that has one, specs in short."""
    usual = shortened(Recipe.read({"data": "digits"}).to_dict())
    return {key: value for key, value in usual.items() if key != "data"}


@cache
def _registries() -> dict[str, tuple[Registry[Any], ...]]:
    """Which names each key may hold."""
    from cnnlab.augment import augmentations
    from cnnlab.data import readers
    from cnnlab.models import architectures, layers
    from cnnlab.objectives import objectives
    from cnnlab.runs.mirrors import mirrors
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
        "mirror": (mirrors,),
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
