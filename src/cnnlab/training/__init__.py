"""The one loop, and all that a recipe is turned into: optimisers, schedules, checkpoints, runs.

The names below are imported when they are first used: what is remembered of data and trainings is read without torch.
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy_imports import lazy_names

if TYPE_CHECKING:
    from cnnlab.training.api import extend as extend
    from cnnlab.training.api import resume as resume
    from cnnlab.training.api import train as train
    from cnnlab.training.callbacks import EpochEnd as EpochEnd
    from cnnlab.training.diagnosis.diagnose import diagnose as diagnose
    from cnnlab.training.lr_range_test import find_lr as find_lr
    from cnnlab.training.overrides import parse_pairs as parse_pairs
    from cnnlab.training.rate_curve import LRRangeTest as LRRangeTest
    from cnnlab.training.recipe import Phase as Phase
    from cnnlab.training.recipe import Recipe as Recipe
    from cnnlab.training.recipe import check_keys as check_keys
    from cnnlab.training.recipe import key_line as key_line
    from cnnlab.training.recipe import key_remedy as key_remedy
    from cnnlab.training.recipe import offered_keys as offered_keys
    from cnnlab.training.signals import Interrupted as Interrupted

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "api": ("extend", "resume", "train"),
        "callbacks": ("EpochEnd",),
        "diagnosis.diagnose": ("diagnose",),
        "lr_range_test": ("find_lr",),
        "overrides": ("parse_pairs",),
        "rate_curve": ("LRRangeTest",),
        "recipe": ("Phase", "Recipe", "check_keys", "key_line", "key_remedy", "offered_keys"),
        "signals": ("Interrupted",),
    },
)
