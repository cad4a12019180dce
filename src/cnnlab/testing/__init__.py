"""For those who extend cnnlab: what an operation of one's own, an objective or a tool over a model has to hold to.

>>> from cnnlab.testing import check_operation
>>> def test_darken():
...     check_operation("darken(0.2)")

Each ``check_…`` raises :class:`AssertionError`, saying what was broken; each ``…_checks`` gives the same checks one by
one, for ``pytest.mark.parametrize``. And tiny networks whose answers can be worked out on paper.
"""

from cnnlab.testing.image_sets import check_image_set, image_set_checks
from cnnlab.testing.objectives import check_objective, objective_checks
from cnnlab.testing.operations import check_operation, operation_checks
from cnnlab.testing.readers import check_reader, reader_checks
from cnnlab.testing.suite import Check

__all__ = [
    "Check",
    "check_image_set",
    "check_objective",
    "check_operation",
    "check_reader",
    "image_set_checks",
    "objective_checks",
    "operation_checks",
    "reader_checks",
]
