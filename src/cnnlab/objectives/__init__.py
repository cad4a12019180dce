"""What a network predicts and how it is scored: the head's size, targets, loss, decoding and metrics in one object."""

from cnnlab.objectives.base import Objective, Targets, build, canonical, objectives
from cnnlab.objectives.classes import Classes

__all__ = ["Classes", "Objective", "Targets", "build", "canonical", "objectives"]
