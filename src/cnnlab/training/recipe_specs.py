"""The keys of a recipe that hold spec strings, and what each is parsed into, once, when the recipe is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cnnlab import augment, data, models, objectives
from cnnlab.core.errors import SpecError
from cnnlab.core.hooks import perturbations
from cnnlab.core.registry import BoundCall
from cnnlab.core.spec import Call, ParsedSpec, format_calls, read
from cnnlab.training.normalization import OF_WEIGHTS, parse_normalization
from cnnlab.training.optimizers import parse_optimizer
from cnnlab.training.schedules import schedules
from cnnlab.training.spec_keys import SPECS


@dataclass(frozen=True)
class GivenInPython:
    """What a spec is parsed into that stands for an object: it was given in Python, and must be given again."""

    call: Call

    def __str__(self) -> str:
        return str(self.call)


_PARSERS: dict[str, Callable[[object], Any]] = {
    "data": data.parse_data,
    "model": models.parse_model,
    "objective": objectives.parse_objective,
    "augment": augment.pipeline,
    "adversary": perturbations.bind_all,
    "optimizer": parse_optimizer,
    "schedule": schedules.bind,
    "normalize": parse_normalization,
}
assert tuple(_PARSERS) == SPECS

_IN_PYTHON = {"data": "arrays", "model": "module"}
"""The name of the spec that stands for an object given in Python; its ``digest`` says which."""


def parse_specs(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a recipe with every spec in it parsed; one that is so already stays as it is.

    Where a model starts from weights and nothing is said of the normalization, it is theirs. Where these are not of a
    run, files of pictures for which no size is said are brought to that on which the network was trained.

    :raises SpecError: for a spec that does not fit its key.
    """
    texts = {key: _readable(key, content[key]) for key in SPECS if key in content}
    is_made = (ParsedSpec, GivenInPython)
    parsed = {key: text if isinstance(text, is_made) else _parsed(key, text) for key, text in texts.items()}
    model = parsed.get("model")
    starts = content.get("weights") or (isinstance(model, models.ModelSpec) and model.weights)
    if "normalize" not in content and starts:
        parsed["normalize"] = parse_normalization(OF_WEIGHTS)
    side = _side_for(model)
    if side is not None and isinstance(texts.get("data"), str) and data.leaves_size_open(texts["data"]):
        parsed["data"] = data.sized_data(texts["data"], side)
    return {**content, **{key: _with_text(value) for key, value in parsed.items()}}


def _side_for(model: Any) -> int | None:
    """The side of the pictures that a model is best given; None for one without published weights, which takes any."""
    if not isinstance(model, models.ModelSpec) or not models.are_published(model.weights):
        return None
    bound = model.bound
    return models.suitable_side(bound) if isinstance(bound, BoundCall) and "size" in bound.arguments else None


def _parsed(key: str, text: str) -> Any:
    try:
        return _PARSERS[key](text)
    except SpecError as error:
        raise error.under(key, text) from error


def parse_spec(key: str, value: object) -> ParsedSpec[Any]:
    """The value of one key, parsed.

    :raises SpecError: when it does not fit.
    """
    spec: ParsedSpec[Any] = parse_specs({key: value})[key]
    return spec


def is_given_in_python(key: str, value: object) -> bool:
    """Whether the spec of this key stands for an object that was given in Python and must be given again."""
    name = _IN_PYTHON.get(key)
    if name is None or (isinstance(value, str) and not value.lstrip().startswith(name)):
        return False
    try:
        calls = read(value)
    except SpecError:
        # It may still be the path of data, spaces and all.
        return False
    return len(calls) == 1 and calls[0].name == name


def _readable(key: str, value: object) -> str | GivenInPython:
    """The text of a spec, or what is parsed already."""
    if is_given_in_python(key, value):
        return GivenInPython(read(value)[0])
    # A string is passed on as it is, so that messages can point into it.
    return value if isinstance(value, str) else format_calls(read(value))


def _with_text(parsed: Any) -> ParsedSpec[Any]:
    """What a spec was parsed into, under its canonical text."""
    if isinstance(parsed, ParsedSpec):
        return parsed
    if isinstance(parsed, tuple):
        return ParsedSpec(format_calls([bound.call for bound in parsed]), parsed)
    return ParsedSpec("none" if parsed is None else str(parsed), parsed)
