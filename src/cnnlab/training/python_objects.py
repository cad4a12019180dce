"""What is given in Python as an object, such as arrays, a module or a loss: a recipe holds a spec of it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from cnnlab.core.errors import UsageError
from cnnlab.core.given_objects import GIVEN, given_calls, object_name, recall, remember
from cnnlab.core.object_digests import object_digests
from cnnlab.core.spec import Call, read_one
from cnnlab.models import remember_network
from cnnlab.objectives import CUSTOM, Objective, is_batch_metric, objectives
from cnnlab.training.optimizers import word_for
from cnnlab.training.own_optimizers import remember_optimizer
from cnnlab.training.recipe import Recipe

_OF_OBJECTIVE = ("loss", "metrics")
"""Keys of Python alone: what they hold becomes part of the objective."""


def extract_objects(recipe: Any, keys: Mapping[str, Any]) -> tuple[Any, dict[str, Any], Any]:
    """A recipe that is not a mapping, the keys of one that is with ``keys`` put over it, and data given as an object.

    The keys come back with every object replaced by a spec that stands for it, by which this process knows it from now
    on; data is handed back, for it may be large.
    """
    if isinstance(recipe, Mapping):
        recipe, keys = None, {**recipe, **keys}
    plain: dict[str, Any] = dict(keys)
    data = None
    if not isinstance(plain.get("data"), Path) and not is_plain(plain.get("data")):
        data, plain["data"] = plain["data"], "arrays"
    return recipe, specs_for_objects(plain, recipe), data


def specs_for_objects(keys: Mapping[str, Any], recipe: Any = None) -> dict[str, Any]:
    """Keys of a recipe with every object but data replaced by a spec that stands for it.

    :param recipe: over which they are put, whose objective gets a loss or metrics where the keys name no other.
    :raises UsageError: for objects that can be nothing of the kind.
    """
    plain = {key: spec_for_object(key, value) for key, value in keys.items() if key not in _OF_OBJECTIVE}
    if any(_is_object(keys.get(key)) for key in _OF_OBJECTIVE):
        objective = plain.get("objective") or (Recipe.read(recipe).objective if recipe is not None else "classes")
        plain["objective"] = _custom(str(objective), keys.get("loss"), keys.get("metrics"))
        return plain
    return plain | {key: keys[key] for key in _OF_OBJECTIVE if keys.get(key) is not None}


def spec_for_object(key: str, value: Any) -> Any:
    """The spec of an object that was given for this key; what is none, as it is, paths as text."""
    if isinstance(value, Path):
        return str(value)
    if key == "phases" and isinstance(value, list | tuple):
        return [specs_for_objects(phase) if isinstance(phase, Mapping) else phase for phase in value]
    if key in _KINDS and not is_plain(value):
        return _KINDS[key](value)
    return value


def is_plain(value: Any) -> bool:
    """Whether it is text, or what YAML makes of a spec, and not an object."""
    if isinstance(value, list):
        return all(isinstance(part, str | Mapping | Call) for part in value)
    return value is None or isinstance(value, str | Call) or (isinstance(value, Mapping) and "name" in value)


def given_data(data: Any) -> Any:
    """The data that was given.

    :raises UsageError: where none was.
    """
    if data is None:
        raise UsageError(
            "this recipe was trained on arrays given in Python, which its record does not hold. Give them again: "
            "cnnlab.resume(run, data=…)."
        )
    return data


def check_given(spec: str) -> None:
    """Refuses a spec that stands for an object which this process does not know.

    :raises NotFoundHereError: naming it.
    """
    for call in given_calls(spec):
        recall(call)


def _is_object(value: Any) -> bool:
    return value is not None and not isinstance(value, str)


def _custom(objective: str, loss: Any, metrics: Any) -> str:
    """An objective with a loss and metrics of one's own, in place of those that it may have already."""
    call = read_one(objective, "An objective")
    own: dict[str, Any] = dict(call.kwargs) if call.name == CUSTOM else {"objective": call}
    if loss is not None:
        if read_one(own["objective"], "An objective").name == GIVEN:
            raise UsageError("an objective of your own brings its loss along; leave loss out.")
        own["loss"] = _remembered(loss, "loss")
    if metrics is not None:
        own["metrics"] = [_remembered(metric, "metric", metric=name) for name, metric in _named(metrics).items()]
    return str(Call(CUSTOM, (), own))


def _named(metrics: Any) -> dict[str, Any]:
    """Metrics by the names under which they are told."""
    if isinstance(metrics, Mapping):
        named = {str(name): metric for name, metric in metrics.items()}
    else:
        listed = metrics if isinstance(metrics, Sequence) else [metrics]
        named = {_metric_name(metric): metric for metric in listed}
        if len(named) < len(listed):
            raise UsageError("two metrics have one name. Name them: metrics={'first': f, 'second': g}.")
    for name in named:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise UsageError(f"{name!r} cannot name a metric. Name it in small letters: metrics={{'mine': f}}.")
    return named


def _metric_name(metric: Any) -> str:
    """That of the function or class in small letters; of one that is the better the lower, it ends in ``_error``."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", object_name(metric)).lower()
    is_lower_better = getattr(metric, "higher_is_better", None) is False
    return f"{name}_error" if is_lower_better and not name.endswith(("loss", "_error")) else name


def _remembered(thing: Any, what: str, **more: Any) -> Call:
    if not callable(thing) and not (what == "metric" and is_batch_metric(thing)):
        raise UsageError(f"{what} takes a function of outputs and targets; got {type(thing).__name__}.")
    return remember(GIVEN, thing, *object_digests(thing), **more)


def _objective_spec(given: Any) -> str:
    registered = next((entry.name for entry in objectives if entry.make is given), None)
    if registered is not None:
        return registered
    if not isinstance(given, Objective) and not callable(given):
        raise UsageError(
            "objective takes a spec, an Objective, or a function that makes one of the data's columns; got "
            f"{type(given).__name__}."
        )
    return str(remember(GIVEN, given, *object_digests(given)))


def _network_spec(given: Any) -> str:
    if not isinstance(given, nn.Module) and not callable(given):
        raise UsageError(f"model takes a spec, an nn.Module or a function that makes one; got {type(given).__name__}.")
    return remember_network(given)


_KINDS = {
    "model": _network_spec,
    "optimizer": lambda given: remember_optimizer(given, word_for),
    "objective": _objective_spec,
}
