"""The wait for PyTorch, which takes seconds to load, whoever imports it."""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from cnnlab.core.messages import announcing


class _AnnouncedLoading(MetaPathFinder):
    """Has the first import of a package say so when it lasts, unless it is done quietly.

    :param package: its name to Python; ``title`` to people.
    """

    def __init__(self, package: str, title: str) -> None:
        self.package, self.title = package, title

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """What the other finders find; the loader of the package is made to tell."""
        if name != self.package:
            return None
        self.leave()
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            self._tell(spec.loader)
        return spec

    def leave(self) -> None:
        """Other imports are none of its business."""
        with suppress(ValueError):
            sys.meta_path.remove(self)

    def _tell(self, loader: Loader) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            with announcing(f"loading {self.title}"), _no_garbage():
                execute(module)

        loader.exec_module = exec_module  # type: ignore[method-assign]


@contextmanager
def _no_garbage() -> Iterator[None]:
    """A block whose objects stay as long as the process: to look for garbage among them takes long."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


@contextmanager
def announced_loading() -> Iterator[None]:
    """A block in which whoever imports PyTorch first says so when it lasts."""
    finder = _AnnouncedLoading("torch", "PyTorch")
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        finder.leave()
