"""The one loop, and all that a recipe is turned into: optimisers, schedules, checkpoints, runs."""

from cnnlab.training.api import extend, resume, store_at, train
from cnnlab.training.interruption import Interrupted
from cnnlab.training.loop import EpochEnd
from cnnlab.training.overrides import parse_pairs
from cnnlab.training.rate_test import RateTest, draw_rate_test, find_rate
from cnnlab.training.recipe import Phase, Recipe

__all__ = [
    "EpochEnd",
    "Interrupted",
    "Phase",
    "RateTest",
    "Recipe",
    "draw_rate_test",
    "extend",
    "find_rate",
    "parse_pairs",
    "resume",
    "store_at",
    "train",
]
