"""A laboratory for image classifiers: train fast, keep an exact record, ask of it later.

>>> import cnnlab
>>> run = cnnlab.train(data="fashion-mnist", model="vgg-like", augment="flip|shift(0.1)", epochs=15)
>>> run.test.accuracy, run.history, run.classifier()

The names below are imported when they are first used, so that ``import cnnlab`` loads neither torch nor matplotlib.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnlab.core.errors import CnnlabError as CnnlabError
    from cnnlab.data import Dataset as Dataset
    from cnnlab.data import ImageSet as ImageSet
    from cnnlab.data import load_data as load_data
    from cnnlab.evaluation import evaluate as evaluate
    from cnnlab.evaluation import predict as predict
    from cnnlab.models import Classifier as Classifier
    from cnnlab.models import arithmetic as arithmetic
    from cnnlab.runs import Predictions as Predictions
    from cnnlab.runs import Run as Run
    from cnnlab.runs import RunStore as RunStore
    from cnnlab.studies import Study as Study
    from cnnlab.training import Recipe as Recipe
    from cnnlab.training import extend as extend
    from cnnlab.training import find_lr as find_lr
    from cnnlab.training import resume as resume
    from cnnlab.training import train as train

    __version__: str

__all__ = [
    "Classifier",
    "CnnlabError",
    "Dataset",
    "ImageSet",
    "Predictions",
    "Recipe",
    "Run",
    "RunStore",
    "Study",
    "__version__",
    "arithmetic",
    "evaluate",
    "extend",
    "find_lr",
    "load_data",
    "predict",
    "resume",
    "train",
]

_HOMES = {
    "Classifier": ("cnnlab.models", "Classifier"),
    "CnnlabError": ("cnnlab.core.errors", "CnnlabError"),
    "Dataset": ("cnnlab.data", "Dataset"),
    "ImageSet": ("cnnlab.data", "ImageSet"),
    "Predictions": ("cnnlab.runs", "Predictions"),
    "Recipe": ("cnnlab.training", "Recipe"),
    "Run": ("cnnlab.runs", "Run"),
    "RunStore": ("cnnlab.runs", "RunStore"),
    "arithmetic": ("cnnlab.models", "arithmetic"),
    "Study": ("cnnlab.studies", "Study"),
    "evaluate": ("cnnlab.evaluation", "evaluate"),
    "extend": ("cnnlab.training", "extend"),
    "find_lr": ("cnnlab.training", "find_lr"),
    "load_data": ("cnnlab.data", "load_data"),
    "predict": ("cnnlab.evaluation", "predict"),
    "resume": ("cnnlab.training", "resume"),
    "train": ("cnnlab.training", "train"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("cnnlab")
    elif name in _HOMES:
        module, inner = _HOMES[name]
        value = getattr(importlib.import_module(module), inner)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Kept, so that the next use is an ordinary look-up.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
