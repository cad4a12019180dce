"""What a person reads: figures of stored runs. A function works out the information, another draws it."""

from cnnlab.reports.confusion_matrix import draw_confusion
from cnnlab.reports.learning_curves import Curve, draw_learning_curves, learning_curves

__all__ = ["Curve", "draw_confusion", "draw_learning_curves", "learning_curves"]
