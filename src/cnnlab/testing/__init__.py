"""For those who extend cnnlab: what an operation of one's own, an objective or a tool over a model has to hold to.

>>> from cnnlab.testing import check_operation
>>> def test_darken():
...     check_operation("darken(0.2)")

Each ``check_…`` raises :class:`AssertionError`, saying what was broken; each ``…_checks`` gives the same checks one by
one, for ``pytest.mark.parametrize``. And tiny networks whose answers can be worked out on paper.
"""

from cnnlab.testing.executors import check_executor, executor_checks
from cnnlab.testing.image_sets import check_image_set, image_set_checks
from cnnlab.testing.model_tools import check_tool, tool_checks
from cnnlab.testing.objectives import check_objective, objective_checks
from cnnlab.testing.operations import check_operation, operation_checks
from cnnlab.testing.readers import check_reader, reader_checks
from cnnlab.testing.suite import Check
from cnnlab.testing.tiny_networks import (
    batch_norm_classifier,
    conv_classifier,
    linear_classifier,
    tiny_image,
    two_head_classifier,
)

__all__ = [
    "Check",
    "batch_norm_classifier",
    "check_executor",
    "check_image_set",
    "check_objective",
    "check_operation",
    "check_reader",
    "check_tool",
    "conv_classifier",
    "executor_checks",
    "image_set_checks",
    "linear_classifier",
    "objective_checks",
    "operation_checks",
    "reader_checks",
    "tiny_image",
    "tool_checks",
    "two_head_classifier",
]
