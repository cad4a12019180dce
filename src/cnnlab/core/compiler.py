"""PyTorch's compiler, which takes longer to load than all else that a training or a network needs, put off.

PyTorch's optimisers ask it at each step to be left alone, timm and torchvision once for a function of one transformer
and of detectors, ``DistributedDataParallel`` whether it is to add up gradients in what is compiled. Where it is not
loaded, nothing is being compiled, and there is nothing to leave alone.
"""

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_COMPILER, _UTILS = "torch._dynamo", "torch._dynamo.utils"


@contextmanager
def compiler_put_off() -> Iterator[None]:
    """A block in which the compiler, where it is not loaded yet, is loaded when something is to be compiled."""
    if _COMPILER in sys.modules:
        yield
        return
    sys.modules |= {name: _StandIn(name) for name in (_COMPILER, _UTILS)}
    compiler, utils = sys.modules[_COMPILER], sys.modules[_UTILS]
    vars(compiler).update(disable=_disable, graph_break=_graph_break, utils=utils)
    vars(utils).update(is_compile_supported=_is_compile_supported, get_optimize_ddp_mode=_optimize_ddp_mode)
    try:
        yield
    finally:
        _remove_stand_ins()


class _StandIn(ModuleType):
    """A module of the compiler, until something is asked of it that is not in here."""

    def __getattr__(self, name: str) -> Any:
        # ``inspect`` asks every module for its file, an import whether it is a package.
        if name.startswith("__") and (self.__name__, name) != (_COMPILER, "__path__"):
            raise AttributeError(name)
        _remove_stand_ins()
        return getattr(importlib.import_module(self.__name__), name)


def _remove_stand_ins() -> None:
    for name in (_COMPILER, _UTILS):
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]


def _disable(function: Callable[..., Any], *arguments: Any, **options: Any) -> Callable[..., Any]:
    """What ``torch.compiler.disable`` makes of a function, made when the compiler is loaded."""

    @functools.cache
    def made() -> Callable[..., Any]:
        disabled: Callable[..., Any] = sys.modules[_COMPILER].disable(function, *arguments, **options)
        return disabled

    @functools.wraps(function)
    def disabled(*given: Any, **named: Any) -> Any:
        is_loaded = not isinstance(sys.modules.get(_COMPILER), _StandIn | None)
        return (made() if is_loaded else function)(*given, **named)

    return disabled


def _graph_break(*unused: Any, **options: Any) -> None:
    """Nothing, as while nothing is compiled."""


def _optimize_ddp_mode() -> str:
    """The default, which is something to the compiler alone."""
    return "ddp_optimizer"


def _is_compile_supported(device_type: str) -> Any:
    return importlib.import_module(_UTILS).is_compile_supported(device_type)
