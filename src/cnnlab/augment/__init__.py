"""Augmentation: random changes of pictures that leave their meaning, drawn first and applied as a batch."""

from cnnlab.augment import erasing as erasing
from cnnlab.augment import geometric as geometric
from cnnlab.augment import mixing as mixing
from cnnlab.augment import noise as noise
from cnnlab.augment import photometric as photometric
from cnnlab.augment import policies as policies
from cnnlab.augment.ablations import ablations
from cnnlab.augment.catalogue import augmentations
from cnnlab.augment.custom_operations import register
from cnnlab.augment.operation import Info
from cnnlab.augment.pipeline import Pipeline, canonical_pipeline, pipeline

__all__ = [
    "Info",
    "Pipeline",
    "ablations",
    "augmentations",
    "canonical_pipeline",
    "pipeline",
    "register",
]
