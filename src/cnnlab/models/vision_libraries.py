"""torchvision and timm, imported without PyTorch's compiler, which they do not need to build a network."""

import importlib
from types import ModuleType

from cnnlab.core.compiler import compiler_put_off


def vision_library(name: str) -> ModuleType:
    """``timm``, ``torchvision.models`` or the like, imported."""
    with compiler_put_off():
        return importlib.import_module(name)
