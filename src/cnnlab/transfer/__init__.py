"""Features of pretrained networks into scikit-learn: computed once, compared fairly, the best kept as a classifier.

The module itself is what makes a transfer: ``cnnlab.transfer("photos.zip", backbones="efficientnet-lite0")`` is
:func:`cnnlab.transfer.api.transfer`, for a function and the package that holds it cannot have one name.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.transfer.api import transfer as transfer
    from cnnlab.transfer.classifier import TransferClassifier as TransferClassifier
    from cnnlab.transfer.classifiers import classifiers as classifiers
    from cnnlab.transfer.record import read_record as read_record
    from cnnlab.transfer.request import TransferRequest as TransferRequest
    from cnnlab.transfer.result import TransferResult as TransferResult

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "api": ("transfer",),
        "classifier": ("TransferClassifier",),
        "classifiers": ("classifiers",),
        "record": ("read_record",),
        "request": ("TransferRequest",),
        "result": ("TransferResult",),
    },
)


class _CallableModule(ModuleType):
    def __call__(self, *arguments: Any, **keys: Any) -> Any:
        return self.transfer(*arguments, **keys)


sys.modules[__name__].__class__ = _CallableModule
