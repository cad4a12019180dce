"""Showing that a check can fail."""

from collections.abc import Sequence

import pytest

from cnnlab.testing import Check


def refusal(checks: Sequence[Check], name: str) -> str:
    """What the check of that name says of a member that breaks its promise."""
    (check,) = [check for check in checks if check.__name__ == name]
    with pytest.raises(AssertionError) as caught:
        check()
    assert check.promise in str(caught.value) and check.subject in str(caught.value)
    return str(caught.value).partition(check.promise)[2].strip()
