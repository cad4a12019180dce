"""The wait for PyTorch, which takes seconds to load."""

from collections.abc import Iterator
from contextlib import contextmanager

from cnnlab.core.messages import announcing, quietly


@contextmanager
def loading(quiet: bool = False) -> Iterator[None]:
    """A block of imports that says so when it lasts, unless quiet."""
    with quietly(quiet), announcing("loading PyTorch"):
        yield
