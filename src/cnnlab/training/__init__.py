"""The one loop, and all that a recipe is turned into: optimisers, schedules, checkpoints, runs."""

from cnnlab.training.api import extend, resume, train
from cnnlab.training.callbacks import EpochEnd
from cnnlab.training.lr_range_test import LRRangeTest, find_lr
from cnnlab.training.overrides import parse_pairs
from cnnlab.training.recipe import Phase, Recipe, check_keys, offered_keys
from cnnlab.training.signals import Interrupted

__all__ = [
    "EpochEnd",
    "Interrupted",
    "LRRangeTest",
    "Phase",
    "Recipe",
    "check_keys",
    "extend",
    "find_lr",
    "offered_keys",
    "parse_pairs",
    "resume",
    "train",
]
