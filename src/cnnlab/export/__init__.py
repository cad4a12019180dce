"""Trained classifiers as files for other programs: ONNX, PyTorch's exported programs, folders for the Hugging Face Hub.

The module itself is what exports: ``cnnlab.export("last", "model.onnx")`` is :func:`cnnlab.export.api.export`, for a
function and the package that holds it cannot have one name.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.export.api import Exported as Exported
    from cnnlab.export.api import export as export
    from cnnlab.export.golden import read_golden as read_golden
    from cnnlab.export.onnx_model import OnnxModel as OnnxModel

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "api": ("Exported", "export"),
        "golden": ("read_golden",),
        "onnx_model": ("OnnxModel",),
    },
)


class _CallableModule(ModuleType):
    def __call__(self, *arguments: Any, **keys: Any) -> Any:
        return self.export(*arguments, **keys)


sys.modules[__name__].__class__ = _CallableModule
