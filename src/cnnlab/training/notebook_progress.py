"""The progress of a training in a notebook: tqdm's bar, and learning curves that grow."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cnnlab.core import hooks, notebook
from cnnlab.core.notebook import Place
from cnnlab.runs import Run

_SECONDS_BETWEEN = 2.0
_WIDTH = 760
"""Pixels of the page."""


class NotebookBar:
    """A bar that starts anew with every epoch, and the curves of the run in ``folder``, which grow."""

    def __init__(self, folder: Path | None) -> None:
        self.folder, self.drawn_at, self.is_behind = folder, 0.0, False
        self.bar: Any = None
        self.curves: Place | None = None

    def begin(self, title: str, steps: int, done: int, facts: str) -> None:
        """The first time the bar is made, and a place for the curves under it."""
        if self.bar is None:
            self.bar = notebook.bar(total=steps, initial=done, desc=title, bar_format=_FORMAT)
            self.curves = Place()
        self.bar.reset(total=steps)
        self.bar.set_description_str(title, refresh=False)
        self.show(done, facts)

    def show(self, done: int, facts: str) -> None:
        """As it is now."""
        self.bar.n = done
        self.bar.set_postfix_str(facts)

    def end_epoch(self) -> None:
        """Draws the curves, but not more often than can be looked at: that takes a tenth of a second."""
        self.is_behind = True
        if time.monotonic() - self.drawn_at > _SECONDS_BETWEEN:
            self._draw()

    def close(self) -> None:
        """The bar goes, the curves stay."""
        if self.bar is not None:
            self.bar.close()
        if self.is_behind:
            self._draw()

    def _draw(self) -> None:
        if self.curves is None or self.folder is None:
            return
        run = Run(self.folder)
        # What stands at the end of the lines.
        label = "validation" if any(str(name).startswith("validation_") for name in run.history) else "train"
        with TemporaryDirectory() as folder:
            path = hooks.draw("curves", {label: run}, Path(folder) / "curves.png")
            self.curves.show_png(path.read_bytes(), _WIDTH)
        self.drawn_at, self.is_behind = time.monotonic(), False


_FORMAT = "{desc} {bar} {n_fmt}/{total_fmt}{postfix}"
