"""Augmentation: random changes of pictures that leave their meaning, drawn first and applied as a batch."""

from cnnlab.augment import erasing as erasing
from cnnlab.augment import geometric as geometric
from cnnlab.augment.catalogue import augmentations
from cnnlab.augment.operation import Info
from cnnlab.augment.pipeline import Pipeline, canonical, pipeline

__all__ = ["Info", "Pipeline", "augmentations", "canonical", "pipeline"]
