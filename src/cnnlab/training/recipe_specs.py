"""The keys of a recipe that hold spec strings, and what each is parsed into, once, when the recipe is read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cnnlab import augment, data, models, objectives
from cnnlab.core.errors import SpecError
from cnnlab.core.hooks import perturbations
from cnnlab.core.registry import BoundCall
from cnnlab.core.spec import format_calls, read
from cnnlab.training.normalization import OF_WEIGHTS, parse_normalization
from cnnlab.training.optimizers import optimizers
from cnnlab.training.schedules import schedules

T = TypeVar("T")


class ParsedSpec(str, Generic[T]):
    """A spec in its canonical form, with what it was parsed into.

    >>> recipe.augment, recipe.augment.parsed(images, targets, seed=0, epoch=0, step=0, ids=ids)
    """

    parsed: T

    def __new__(cls, text: str, parsed: T) -> "ParsedSpec[T]":
        """The text with what it means."""
        spec = super().__new__(cls, text)
        spec.parsed = parsed
        return spec

    def __getnewargs__(self) -> tuple[str, T]:  # type: ignore[override]
        return str(self), self.parsed

    @property
    def name(self) -> str:
        """The name that it begins with."""
        return re.split(r"[(|]", self, maxsplit=1)[0]


@dataclass(frozen=True)
class GivenInPython:
    """What a spec is parsed into that stands for an object: it was given in Python, and must be given again."""


_Parse = Callable[[object], tuple[str, Any]]


def _bound(parse: Callable[[object], Any]) -> _Parse:
    """A parser whose results say their canonical form themselves."""

    def with_text(value: object) -> tuple[str, Any]:
        parsed = parse(value)
        return str(parsed), parsed

    return with_text


def _pipeline(value: object) -> tuple[str, augment.Pipeline]:
    pipeline = augment.pipeline(value)
    return pipeline.spec, pipeline


def _schedule(value: object) -> tuple[str, Any]:
    bound = schedules.bind(value)
    return str(bound), bound.build()


def _adversaries(value: object) -> tuple[str, tuple[BoundCall[Any], ...]]:
    bound = perturbations.bind_all(value)
    return format_calls([each.call for each in bound]), bound


def _normalization(value: object) -> tuple[str, Any]:
    bound = parse_normalization(value)
    return "none" if bound is None else str(bound), bound


_PARSERS: dict[str, _Parse] = {
    "data": _bound(data.parse_data),
    "model": _bound(models.parse_model),
    "objective": _bound(objectives.parse_objective),
    "augment": _pipeline,
    "adversary": _adversaries,
    "optimizer": _bound(optimizers.bind),
    "schedule": _schedule,
    "normalize": _normalization,
}
SPECS = tuple(_PARSERS)

_IN_PYTHON = {"data": "arrays", "model": "module"}
"""The name of the spec that stands for an object given in Python; its ``digest`` says which."""


def parse_specs(content: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a recipe with every spec in it parsed; one that is so already stays as it is.

    :param defaults: of the specs, by key. The normalization is that of the weights where a model starts from some.
    :raises SpecError: for a spec that does not fit its key.
    """
    own = {key: parse_spec(key, content[key]) for key in SPECS if key in content}
    model = own["model"].parsed if "model" in own else None
    if "normalize" in defaults and isinstance(model, models.ModelSpec) and model.weights is not None:
        defaults = {**defaults, "normalize": OF_WEIGHTS}
    left = {key: parse_spec(key, value) for key, value in defaults.items() if key not in own}
    return {**content, **left, **own}


def parse_spec(key: str, value: object) -> ParsedSpec[Any]:
    """The value of one key, parsed.

    :raises SpecError: when it does not fit.
    """
    if isinstance(value, ParsedSpec):
        return value
    if is_given_in_python(key, value):
        return ParsedSpec(str(read(value)[0]), GivenInPython())
    # A string is passed on as it is, so that messages can point into it.
    return ParsedSpec(*_PARSERS[key](value if isinstance(value, str) else format_calls(read(value))))


def is_given_in_python(key: str, value: object) -> bool:
    """Whether the spec of this key stands for an object that was given in Python and must be given again."""
    if key not in _IN_PYTHON:
        return False
    try:
        calls = read(value)
    except SpecError:
        # It may still be the path of data, spaces and all.
        return False
    return len(calls) == 1 and calls[0].name == _IN_PYTHON[key]
