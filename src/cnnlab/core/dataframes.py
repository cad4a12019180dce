"""Data frames that hold names of files and classes as they are."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Frame = TypeVar("Frame")


def any_text(made: Callable[P, Frame]) -> Callable[P, Frame]:
    """Has pandas keep text as Python does in a frame with names of files that are no valid text.

    Where pyarrow is installed pandas keeps it as Arrow does, which refuses such names.

    :param made: a function that makes a frame, and does nothing else.
    """

    @wraps(made)
    def with_any_text(*args: P.args, **kwargs: P.kwargs) -> Frame:
        try:
            return made(*args, **kwargs)
        except UnicodeEncodeError:
            import pandas as pd

            with pd.option_context("mode.string_storage", "python"):
                return made(*args, **kwargs)

    return with_any_text
