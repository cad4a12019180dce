"""What a trained classifier says of other data, what its predictions amount to, and whether one is better than another.

The names below are imported when they are first used: an interval of an accuracy needs neither torch nor scipy.
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.evaluation.bulk_prediction.predict_to_file import PredictedFile as PredictedFile
    from cnnlab.evaluation.bulk_prediction.predict_to_file import predict_to_file as predict_to_file
    from cnnlab.evaluation.comparison.best_setting import BestBound as BestBound
    from cnnlab.evaluation.comparison.best_setting import best_setting_bound as best_setting_bound
    from cnnlab.evaluation.comparison.compare_settings import compare_over_pairs as compare_over_pairs
    from cnnlab.evaluation.comparison.compare_settings import compare_settings as compare_settings
    from cnnlab.evaluation.comparison.mcnemar import McNemarResult as McNemarResult
    from cnnlab.evaluation.comparison.mcnemar import compare_predictions as compare_predictions
    from cnnlab.evaluation.comparison.power import power as power
    from cnnlab.evaluation.comparison.power import required_repeats as required_repeats
    from cnnlab.evaluation.comparison.published_value_tests import ReferenceComparison as ReferenceComparison
    from cnnlab.evaluation.comparison.published_value_tests import compare_to_mean as compare_to_mean
    from cnnlab.evaluation.comparison.published_value_tests import compare_to_number as compare_to_number
    from cnnlab.evaluation.comparison.results import Comparisons as Comparisons
    from cnnlab.evaluation.comparison.results import Difference as Difference
    from cnnlab.evaluation.comparison.results import SettingSummary as SettingSummary
    from cnnlab.evaluation.comparison.sequential import SequentialDesign as SequentialDesign
    from cnnlab.evaluation.comparison.sequential import until as until
    from cnnlab.evaluation.comparison.spread_ratio import SpreadRatio as SpreadRatio
    from cnnlab.evaluation.comparison.spread_ratio import spread_ratio as spread_ratio
    from cnnlab.evaluation.cross_validation import FoldScore as FoldScore
    from cnnlab.evaluation.cross_validation import corrected_interval as corrected_interval
    from cnnlab.evaluation.cross_validation import cross_validated as cross_validated
    from cnnlab.evaluation.crossed_effects import CrossedIntervals as CrossedIntervals
    from cnnlab.evaluation.crossed_effects import crossed_difference as crossed_difference
    from cnnlab.evaluation.crossed_effects import crossed_intervals as crossed_intervals
    from cnnlab.evaluation.image_scores import ImageScores as ImageScores
    from cnnlab.evaluation.image_scores import mean_scores as mean_scores
    from cnnlab.evaluation.image_scores import scores_by_image as scores_by_image
    from cnnlab.evaluation.intervals import Estimate as Estimate
    from cnnlab.evaluation.intervals import Interval as Interval
    from cnnlab.evaluation.intervals import mean_interval as mean_interval
    from cnnlab.evaluation.intervals import paired_interval as paired_interval
    from cnnlab.evaluation.intervals import score_interval as score_interval
    from cnnlab.evaluation.intervals import two_sample_interval as two_sample_interval
    from cnnlab.evaluation.intervals import wilson as wilson
    from cnnlab.evaluation.metric_intervals import class_estimates as class_estimates
    from cnnlab.evaluation.metric_intervals import run_intervals as run_intervals
    from cnnlab.evaluation.metric_intervals import score_intervals as score_intervals
    from cnnlab.evaluation.metrics.auc_interval import ClassAreas as ClassAreas
    from cnnlab.evaluation.metrics.auc_interval import class_areas as class_areas
    from cnnlab.evaluation.metrics.calibration import Bin as Bin
    from cnnlab.evaluation.metrics.calibration import Calibration as Calibration
    from cnnlab.evaluation.metrics.calibration import CalibrationErrorInterval as CalibrationErrorInterval
    from cnnlab.evaluation.metrics.calibration import calibration as calibration
    from cnnlab.evaluation.metrics.calibration import calibration_error_interval as calibration_error_interval
    from cnnlab.evaluation.metrics.class_probabilities import ClassPredictions as ClassPredictions
    from cnnlab.evaluation.metrics.class_probabilities import class_predictions as class_predictions
    from cnnlab.evaluation.metrics.confusion_matrix import Confusion as Confusion
    from cnnlab.evaluation.metrics.confusion_matrix import confusion as confusion
    from cnnlab.evaluation.metrics.per_class import PerClass as PerClass
    from cnnlab.evaluation.metrics.per_class import per_class as per_class
    from cnnlab.evaluation.metrics.precision_recall import PrecisionRecall as PrecisionRecall
    from cnnlab.evaluation.metrics.precision_recall import PrecisionRecallCurves as PrecisionRecallCurves
    from cnnlab.evaluation.metrics.precision_recall import precision_recall as precision_recall
    from cnnlab.evaluation.metrics.regression import NumberPredictions as NumberPredictions
    from cnnlab.evaluation.metrics.regression import number_predictions as number_predictions
    from cnnlab.evaluation.metrics.roc import Roc as Roc
    from cnnlab.evaluation.metrics.roc import RocCurves as RocCurves
    from cnnlab.evaluation.metrics.roc import roc as roc
    from cnnlab.evaluation.metrics.roc import top_k_accuracy as top_k_accuracy
    from cnnlab.evaluation.metrics.stored_predictions import metrics_of as metrics_of
    from cnnlab.evaluation.prediction.chosen_data import chosen_data as chosen_data
    from cnnlab.evaluation.prediction.chosen_data import image_sets_of as image_sets_of
    from cnnlab.evaluation.prediction.chosen_data import own_data as own_data
    from cnnlab.evaluation.prediction.chosen_data import targets_of as targets_of
    from cnnlab.evaluation.prediction.chosen_data import usual_split as usual_split
    from cnnlab.evaluation.prediction.evaluate import Evaluation as Evaluation
    from cnnlab.evaluation.prediction.evaluate import evaluate as evaluate
    from cnnlab.evaluation.prediction.evaluate import predictions_on as predictions_on
    from cnnlab.evaluation.prediction.leakage import warn_of_seen_pictures as warn_of_seen_pictures
    from cnnlab.evaluation.prediction.looking import looking as looking
    from cnnlab.evaluation.prediction.open_model import open_model as open_model
    from cnnlab.evaluation.prediction.predict import ImagePredictions as ImagePredictions
    from cnnlab.evaluation.prediction.predict import predict as predict
    from cnnlab.evaluation.prediction.predictor import Predictor as Predictor
    from cnnlab.evaluation.prediction.predictor import predictor_of as predictor_of
    from cnnlab.evaluation.units import MINUTES as MINUTES
    from cnnlab.evaluation.units import NUMBER as NUMBER
    from cnnlab.evaluation.units import POINTS as POINTS
    from cnnlab.evaluation.units import SECONDS as SECONDS
    from cnnlab.evaluation.units import Unit as Unit
    from cnnlab.evaluation.units import unit_of as unit_of

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "bulk_prediction.predict_to_file": ("PredictedFile", "predict_to_file"),
        "comparison.best_setting": ("BestBound", "best_setting_bound"),
        "comparison.compare_settings": ("compare_over_pairs", "compare_settings"),
        "comparison.mcnemar": ("McNemarResult", "compare_predictions"),
        "comparison.power": ("power", "required_repeats"),
        "comparison.published_value_tests": ("ReferenceComparison", "compare_to_mean", "compare_to_number"),
        "comparison.results": ("Comparisons", "Difference", "SettingSummary"),
        "comparison.sequential": ("SequentialDesign", "until"),
        "comparison.spread_ratio": ("SpreadRatio", "spread_ratio"),
        "cross_validation": ("FoldScore", "corrected_interval", "cross_validated"),
        "crossed_effects": ("CrossedIntervals", "crossed_difference", "crossed_intervals"),
        "image_scores": ("ImageScores", "mean_scores", "scores_by_image"),
        "intervals": (
            "Estimate",
            "Interval",
            "mean_interval",
            "paired_interval",
            "score_interval",
            "two_sample_interval",
            "wilson",
        ),
        "metrics.auc_interval": ("ClassAreas", "class_areas"),
        "metrics.calibration": (
            "Bin",
            "Calibration",
            "CalibrationErrorInterval",
            "calibration",
            "calibration_error_interval",
        ),
        "metrics.class_probabilities": ("ClassPredictions", "class_predictions"),
        "metrics.confusion_matrix": ("Confusion", "confusion"),
        "metrics.per_class": ("PerClass", "per_class"),
        "metrics.precision_recall": ("PrecisionRecall", "PrecisionRecallCurves", "precision_recall"),
        "metrics.regression": ("NumberPredictions", "number_predictions"),
        "metrics.roc": ("Roc", "RocCurves", "roc", "top_k_accuracy"),
        "metrics.stored_predictions": ("metrics_of",),
        "prediction.chosen_data": ("chosen_data", "own_data", "image_sets_of", "targets_of", "usual_split"),
        "prediction.leakage": ("warn_of_seen_pictures",),
        "prediction.evaluate": ("Evaluation", "evaluate", "predictions_on"),
        "prediction.looking": ("looking",),
        "prediction.open_model": ("open_model",),
        "prediction.predict": ("ImagePredictions", "predict"),
        "prediction.predictor": ("Predictor", "predictor_of"),
        "metric_intervals": ("class_estimates", "run_intervals", "score_intervals"),
        "units": ("MINUTES", "NUMBER", "POINTS", "SECONDS", "Unit", "unit_of"),
    },
)
