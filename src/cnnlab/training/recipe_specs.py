"""The keys of a recipe that hold spec strings, and how each is brought to its canonical form."""

from collections.abc import Callable

from cnnlab import augment, data, models, objectives
from cnnlab.core.errors import SpecError
from cnnlab.core.hooks import perturbations
from cnnlab.core.spec import format_calls, read
from cnnlab.training.normalization import normalizations
from cnnlab.training.optimizers import optimizers
from cnnlab.training.schedules import schedules

_CANONICAL: dict[str, Callable[[object], str]] = {
    "data": data.canonical_data,
    "model": models.canonical_model,
    "objective": objectives.canonical_objective,
    "augment": augment.canonical_pipeline,
    "adversary": perturbations.canonical,
    "optimizer": optimizers.canonical,
    "schedule": schedules.canonical,
    "normalize": normalizations.canonical,
}
SPECS = tuple(_CANONICAL)

_IN_PYTHON = {"arrays", "module"}
"""Specs that stand for an object given in Python; their ``digest`` says which."""


def canonical_spec(key: str, value: object) -> str:
    """The canonical spec string of the value of one key.

    :raises SpecError: when the value does not fit.
    """
    if is_in_python(value):
        return str(read(value)[0])
    # A string is passed on as it is, so that messages can point into it.
    return _CANONICAL[key](value if isinstance(value, str) else format_calls(read(value)))


def is_in_python(spec: object) -> bool:
    """Whether a spec stands for an object that was given in Python and must be given again."""
    try:
        calls = read(spec)
    except SpecError:
        # It may still be the path of data, spaces and all.
        return False
    return len(calls) == 1 and calls[0].name in _IN_PYTHON
