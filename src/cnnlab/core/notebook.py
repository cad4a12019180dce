"""Whether this is a notebook, and what is shown in one."""

import importlib
import sys
from importlib.util import find_spec
from typing import Any


def is_here() -> bool:
    """Whether the code runs in a notebook: IPython with a kernel behind it."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def bar(items: Any = None, **options: Any) -> Any:
    """tqdm's bar, which goes when it is closed: that of notebooks where widgets are installed, else one of text."""
    kind = "tqdm.std" if find_spec("ipywidgets") is None else "tqdm.notebook"
    return importlib.import_module(kind).tqdm(items, leave=False, **options)


class Place:
    """A place in the output of a cell, whose content can be replaced."""

    def __init__(self) -> None:
        # IPython is there whenever a notebook is, and no dependency.
        self._ipython = importlib.import_module("IPython.display")
        self._handle: Any = self._ipython.display(self._ipython.HTML(""), display_id=True)

    def show_png(self, png: bytes, width: int) -> None:
        """A picture.

        :param width: in pixels of the page; the picture may have more.
        """
        self._handle.update(self._ipython.Image(png, format="png", width=width))
