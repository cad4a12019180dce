"""torchvision and timm, imported without PyTorch's compiler, which they do not need to build a network."""

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_COMPILER, _UTILS = "torch._dynamo", "torch._dynamo.utils"


def vision_library(name: str) -> ModuleType:
    """``timm``, ``torchvision.models`` or the like, imported.

    Either asks the compiler for one function, for detectors and for one transformer, and the compiler takes longer to
    load than the rest of both together.
    """
    with _compiler_put_off():
        return importlib.import_module(name)


class _StandIn(ModuleType):
    """A module of the compiler, until something is asked of it that is not in here."""

    def __getattr__(self, name: str) -> Any:
        # ``inspect`` asks every module for its file, an import whether it is a package.
        if name.startswith("__") and (self.__name__, name) != (_COMPILER, "__path__"):
            raise AttributeError(name)
        _remove_stand_ins()
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _compiler_put_off() -> Iterator[None]:
    """A block in which the compiler, where it is not loaded yet, has a stand-in."""
    if _COMPILER not in sys.modules:
        sys.modules |= {name: _StandIn(name) for name in (_COMPILER, _UTILS)}
        vars(sys.modules[_COMPILER])["disable"] = _disable
        vars(sys.modules[_UTILS])["is_compile_supported"] = _is_compile_supported
    try:
        yield
    finally:
        _remove_stand_ins()


def _remove_stand_ins() -> None:
    for name in (_COMPILER, _UTILS):
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]


def _disable(function: Callable[..., Any], *arguments: Any, **options: Any) -> Callable[..., Any]:
    """What ``torch.compiler.disable`` makes of a function, made when it is first called."""

    @functools.wraps(function)
    def disabled(*given: Any, **named: Any) -> Any:
        return importlib.import_module(_COMPILER).disable(function, *arguments, **options)(*given, **named)

    return disabled


def _is_compile_supported(device_type: str) -> Any:
    return importlib.import_module(_UTILS).is_compile_supported(device_type)
