"""Trainings as scikit-learn's estimators."""

from cnnlab.sklearn.image_classifier import ImageClassifier

__all__ = ["ImageClassifier"]
