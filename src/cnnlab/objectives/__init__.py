"""What a network predicts and how it is scored: the head's size, targets, loss, decoding and metrics in one object."""

from cnnlab.objectives.base import (
    Objective,
    build_objective,
    canonical_objective,
    objectives,
    parse_objective,
    restore_objective,
    without_scales,
)
from cnnlab.objectives.binary import Binary
from cnnlab.objectives.bins import Bins
from cnnlab.objectives.circular import Circular
from cnnlab.objectives.classes import Classes
from cnnlab.objectives.columns import Columns, Targets
from cnnlab.objectives.multi_head import MultiHead
from cnnlab.objectives.own import CUSTOM, is_batch_metric
from cnnlab.objectives.quantity import Quantity
from cnnlab.objectives.scalar import Scalar

__all__ = [
    "CUSTOM",
    "Binary",
    "Bins",
    "Circular",
    "Classes",
    "Columns",
    "MultiHead",
    "Objective",
    "Quantity",
    "Scalar",
    "Targets",
    "build_objective",
    "canonical_objective",
    "is_batch_metric",
    "objectives",
    "parse_objective",
    "restore_objective",
    "without_scales",
]
