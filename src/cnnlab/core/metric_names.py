"""What the name of a metric says of it: in which unit it is, and whether more of it is better.

Names may bear what they are of in front, such as ``test_``, ``hour_`` or ``clock_``.
"""

import re
from typing import Literal, TypeAlias

from cnnlab.core.measurements import Direction

MetricUnit: TypeAlias = Literal["share", "loss", "minutes", "number"]
"""Shares are numbers from 0 to 1, which people read in percent."""

_SHARE = re.compile(r"(.*[_ .])?(accuracy|precision|recall|f1|auc|share|rate|within_\d+)")
_CLOCK = re.compile(r"(.*[_ .])?clock_(mean|median)_error")


def better(metric: str) -> Direction:
    """Whether a higher or a lower value of the metric is the better one."""
    return "lower" if metric.endswith(("loss", "_error")) else "higher"


def unit(metric: str) -> MetricUnit:
    """The unit of a metric; a bare number where the name tells of none."""
    if metric.endswith("loss"):
        return "loss"
    if _CLOCK.fullmatch(metric):
        return "minutes"
    return "share" if _SHARE.fullmatch(metric) and "learning_rate" not in metric else "number"
