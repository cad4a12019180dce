"""What a trained classifier says of other data, and what its predictions amount to."""

from cnnlab.evaluation.confusions import Confusion, confusion
from cnnlab.evaluation.pictures import PicturePredictions, predict
from cnnlab.evaluation.scoring import Evaluation, evaluate
from cnnlab.evaluation.subjects import Subject, subject

__all__ = [
    "Confusion",
    "Evaluation",
    "PicturePredictions",
    "Subject",
    "confusion",
    "evaluate",
    "predict",
    "subject",
]
