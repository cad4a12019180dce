"""Functions of one's own that are called after each epoch of a training."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from cnnlab.core.errors import UsageError
from cnnlab.core.given_objects import object_name
from cnnlab.core.sinks import in_short
from cnnlab.models import Classifier


@dataclass(frozen=True)
class EpochEnd:
    """What a callback sees after each epoch: the row of the history, and the classifier as it is."""

    epoch: int
    row: Mapping[str, Any]
    classifier: Classifier
    folder: Path


Callback: TypeAlias = Callable[[EpochEnd], object]


def check_callbacks(callbacks: Any) -> None:
    """Refuses what could not be called after an epoch.

    :raises UsageError: for anything but a list of functions that take one argument.
    """
    if not isinstance(callbacks, list | tuple) or not all(map(callable, callbacks)):
        kind = "a function by itself" if callable(callbacks) else in_short(repr(callbacks))
        raise UsageError(
            "callbacks takes a list of functions, each of which is called with an EpochEnd after every epoch, as in "
            f"callbacks=[f]; got {kind}."
        )
    for callback in callbacks:
        try:
            inspect.signature(callback).bind(None)
        except TypeError as error:
            raise UsageError(
                f"the callback {object_name(callback)} is called with one argument, an EpochEnd, and that fails: "
                f"{error}."
            ) from error
        except ValueError:
            # Written in another language, it tells nothing of its arguments.
            continue
