"""Bringing other data to what a classifier knows: its size and channels, and its classes by their names."""

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnlab.core.errors import DataError, UsageError
from cnnlab.core.messages import warn
from cnnlab.core.registry import BoundCall
from cnnlab.core.sinks import in_short
from cnnlab.data import parse_data
from cnnlab.data.loading import is_spec
from cnnlab.models import Predictable

_CHANNELS = {1: "grey", 3: "colour"}
_SHOWN = 10


def in_the_classifiers_shape(data: Any, classifier: Predictable, data_dir: str | Path | None = None) -> Any:
    """A spec with the size, channels and way of resizing that the classifier was trained with; objects as they are."""
    if not is_spec(data):
        return data
    bound = parse_data(data, data_dir)
    channels, *sides = classifier.shape
    wanted: dict[str, Any] = {"size": sides[0] if sides[0] == sides[1] else tuple(sides)}
    wanted |= {"resize": classifier.resize, "resampling": classifier.resampling}
    is_said = bound.arguments.get("white") is not None
    wanted |= {} if is_said or classifier.whites == (None, None) else {"white": classifier.whites}
    wanted |= {"channels": _CHANNELS[channels]} if channels in _CHANNELS else {}
    return str(BoundCall(bound.entry, {**bound.arguments, **{k: v for k, v in wanted.items() if k in bound.arguments}}))


def in_the_classifiers_order(
    targets: Mapping[str, Tensor],
    classes: Mapping[str, Sequence[str]],
    classifier: Predictable,
    predicted: Sequence[str],
) -> dict[str, Tensor]:
    """Targets with class indices as the classifier counts them; columns of classes that it does not know are left out.

    :param classes: the class names of the data, for each column that holds classes.
    :param predicted: the columns that the classifier predicts; those that it merely knows need not be there.
    :raises DataError: when the data lacks a column, or has a class that the classifier does not know.
    """
    if not targets:
        return {}
    for name in predicted:
        if name not in targets:
            raise DataError(
                f"the classifier predicts {name}, and the data has no such column; it has {', '.join(targets)}."
            )
    aligned = {name: column for name, column in targets.items() if name not in classes}
    for name, known in classifier.classes.items():
        if name in targets:
            aligned[name] = _reordered(targets[name], name, classes.get(name), known)
    numbers = [name for name in predicted if name not in classifier.classes and name in classes]
    return aligned | {name: _as_numbers(targets[name], name, classes[name]) for name in numbers}


def _as_numbers(column: Tensor, name: str, given: Sequence[str]) -> Tensor:
    """Classes named by numbers as the numbers that they stand for."""
    try:
        numbers = [float(word) for word in given]
    except ValueError as error:
        raise UsageError(
            f"{name} holds classes in the data that are no numbers ({_listed(given)}), and the classifier predicts it "
            "as a number."
        ) from error
    return torch.tensor(numbers, dtype=torch.float32)[column]


def _reordered(column: Tensor, name: str, given: Sequence[str] | None, known: Sequence[str]) -> Tensor:
    if given is None:
        raise UsageError(f"{name} holds numbers in the data, and classes in the classifier: {_listed(known)}.")
    # Composed and decomposed letters, as systems differ in, are the same.
    given, known = ([unicodedata.normalize("NFC", word) for word in words] for words in (given, known))
    unknown = [word for word in given if word not in known]
    if unknown:
        raise DataError(
            f"the classes of the data do not match the classifier's: it does not know {_listed(unknown)}. "
            f"It knows {_listed(known)}. Classes are matched by their names; rename those of the data, or leave out "
            "the pictures of others."
        )
    missing = [word for word in known if word not in given]
    if missing:
        warn(
            f"the data has no pictures of {_listed(missing)}, which the classifier knows; the scores are on the others."
        )
    places = torch.tensor([list(known).index(word) for word in given], dtype=torch.int64)
    return places[column]


def _listed(words: Sequence[str]) -> str:
    return ", ".join(map(in_short, words[:_SHOWN])) + (f", … ({len(words)} in all)" if len(words) > _SHOWN else "")
