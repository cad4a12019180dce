"""A laboratory for image classifiers: train fast, keep an exact record, ask of it later.

>>> import cnnlab
>>> run = cnnlab.train(data="fashion-mnist", model="vgg-like", augment="flip|shift(0.1)", epochs=15)
>>> run.test.accuracy, run.history, run.classifier()

The names below are imported when they are first used, so that ``import cnnlab`` loads neither torch nor matplotlib.
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.attacks.api import attack as attack
    from cnnlab.core.errors import CnnlabError as CnnlabError
    from cnnlab.core.version import __version__ as __version__
    from cnnlab.data import Dataset as Dataset
    from cnnlab.data import ImageSet as ImageSet
    from cnnlab.data import load_data as load_data
    from cnnlab.ensembles import ensemble as ensemble
    from cnnlab.evaluation import evaluate as evaluate
    from cnnlab.evaluation import open_model as open_model
    from cnnlab.evaluation import predict as predict
    from cnnlab.evaluation import predict_to_file as predict_to_file
    from cnnlab.export import export as export
    from cnnlab.models import Classifier as Classifier
    from cnnlab.models import arithmetic as arithmetic
    from cnnlab.papers import Paper as Paper
    from cnnlab.runs import Predictions as Predictions
    from cnnlab.runs import Run as Run
    from cnnlab.runs import RunStore as RunStore
    from cnnlab.runs import compare as compare
    from cnnlab.studies import Study as Study
    from cnnlab.studies import load as load
    from cnnlab.training import Recipe as Recipe
    from cnnlab.training import extend as extend
    from cnnlab.training import find_lr as find_lr
    from cnnlab.training import resume as resume
    from cnnlab.training import train as train
    from cnnlab.transfer import transfer as transfer

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "attacks.api": ("attack",),
        "core.errors": ("CnnlabError",),
        "core.version": ("__version__",),
        "data": ("Dataset", "ImageSet", "load_data"),
        "ensembles": ("ensemble",),
        "evaluation": ("evaluate", "open_model", "predict", "predict_to_file"),
        "models": ("Classifier", "arithmetic"),
        "papers": ("Paper",),
        "runs": ("Predictions", "Run", "RunStore", "compare"),
        "studies": ("Study", "load"),
        "training": ("Recipe", "extend", "find_lr", "resume", "train"),
    },
    modules=(
        "attacks",
        "augment",
        "data",
        "evaluation",
        "explain",
        "export",
        "models",
        "objectives",
        "reports",
        "runs",
        "serving",
        "sklearn",
        "studies",
        "training",
        "transfer",
    ),
)
