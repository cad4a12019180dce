"""What a trained classifier says of other data, what its predictions amount to, and whether one is better than another.

The names below are imported when they are first used: an interval of an accuracy needs neither torch nor scipy.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnlab.evaluation.against import AgainstNumber as AgainstNumber
    from cnnlab.evaluation.against import against_number as against_number
    from cnnlab.evaluation.against_spread import against_summary as against_summary
    from cnnlab.evaluation.class_scores import PerClass as PerClass
    from cnnlab.evaluation.class_scores import per_class as per_class
    from cnnlab.evaluation.comparing import compare_settings as compare_settings
    from cnnlab.evaluation.comparisons import Comparisons as Comparisons
    from cnnlab.evaluation.comparisons import Difference as Difference
    from cnnlab.evaluation.comparisons import Summary as Summary
    from cnnlab.evaluation.confusions import Confusion as Confusion
    from cnnlab.evaluation.confusions import confusion as confusion
    from cnnlab.evaluation.intervals import Interval as Interval
    from cnnlab.evaluation.intervals import mean_interval as mean_interval
    from cnnlab.evaluation.intervals import paired_interval as paired_interval
    from cnnlab.evaluation.intervals import score_interval as score_interval
    from cnnlab.evaluation.intervals import two_sample_interval as two_sample_interval
    from cnnlab.evaluation.intervals import wilson as wilson
    from cnnlab.evaluation.paired_runs import PairedRuns as PairedRuns
    from cnnlab.evaluation.paired_runs import compare_predictions as compare_predictions
    from cnnlab.evaluation.pictures import PicturePredictions as PicturePredictions
    from cnnlab.evaluation.pictures import predict as predict
    from cnnlab.evaluation.predicted_numbers import NumberPredictions as NumberPredictions
    from cnnlab.evaluation.predicted_numbers import number_predictions as number_predictions
    from cnnlab.evaluation.probabilities import ClassPredictions as ClassPredictions
    from cnnlab.evaluation.probabilities import class_predictions as class_predictions
    from cnnlab.evaluation.ranking import Roc as Roc
    from cnnlab.evaluation.ranking import RocCurves as RocCurves
    from cnnlab.evaluation.ranking import roc as roc
    from cnnlab.evaluation.ranking import top_k_accuracy as top_k_accuracy
    from cnnlab.evaluation.reliability import Bin as Bin
    from cnnlab.evaluation.reliability import Calibration as Calibration
    from cnnlab.evaluation.reliability import calibration as calibration
    from cnnlab.evaluation.repeats import power as power
    from cnnlab.evaluation.repeats import required_repeats as required_repeats
    from cnnlab.evaluation.scoring import Evaluation as Evaluation
    from cnnlab.evaluation.scoring import evaluate as evaluate
    from cnnlab.evaluation.subjects import Subject as Subject
    from cnnlab.evaluation.subjects import subject as subject
    from cnnlab.evaluation.units import MINUTES as MINUTES
    from cnnlab.evaluation.units import NUMBER as NUMBER
    from cnnlab.evaluation.units import POINTS as POINTS
    from cnnlab.evaluation.units import SECONDS as SECONDS
    from cnnlab.evaluation.units import Unit as Unit
    from cnnlab.evaluation.units import unit_of as unit_of

_HOMES = {
    "against": (
        "AgainstNumber",
        "against_number",
    ),
    "against_spread": ("against_summary",),
    "class_scores": (
        "PerClass",
        "per_class",
    ),
    "comparing": ("compare_settings",),
    "comparisons": (
        "Comparisons",
        "Difference",
        "Summary",
    ),
    "confusions": (
        "Confusion",
        "confusion",
    ),
    "intervals": (
        "Interval",
        "mean_interval",
        "paired_interval",
        "score_interval",
        "two_sample_interval",
        "wilson",
    ),
    "predicted_numbers": (
        "NumberPredictions",
        "number_predictions",
    ),
    "paired_runs": (
        "PairedRuns",
        "compare_predictions",
    ),
    "pictures": (
        "PicturePredictions",
        "predict",
    ),
    "probabilities": (
        "ClassPredictions",
        "class_predictions",
    ),
    "ranking": (
        "Roc",
        "RocCurves",
        "roc",
        "top_k_accuracy",
    ),
    "reliability": (
        "Bin",
        "Calibration",
        "calibration",
    ),
    "repeats": (
        "power",
        "required_repeats",
    ),
    "scoring": (
        "Evaluation",
        "evaluate",
    ),
    "subjects": (
        "Subject",
        "subject",
    ),
    "units": (
        "MINUTES",
        "NUMBER",
        "POINTS",
        "SECONDS",
        "Unit",
        "unit_of",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"cnnlab.evaluation.{_HOME[name]}"), name)
    # Kept, so that the next use is an ordinary look-up.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
