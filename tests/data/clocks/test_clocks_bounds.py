"""Counts that nobody can mean: told before anything is drawn."""

import time

import pytest

from cnnlab import data
from cnnlab.core.errors import CnnlabError


@pytest.mark.parametrize(
    "count", ["1e9", "-1", "0", "nan", "inf", "1e400", "99999999999999999999", "0.5", "none", "true"]
)
def test_a_count_out_of_bounds_is_refused_with_the_bounds(count: str) -> None:
    with pytest.raises(CnnlabError, match=r"n of data set clocks takes a whole number from 1 to 10,000,000|clocks\("):
        data.load_data(f"clocks({count})")


def test_more_pixels_than_there_is_room_for_are_refused_before_the_first_is_drawn() -> None:
    began = time.monotonic()
    with pytest.raises(CnnlabError, match=r"10,000,000 clocks of 1024×1024 are 29,296\.9 GB of pixels.* Take fewer"):
        data.load_data("clocks(10000000, size=1024)")
    # Drawing so many would take days.
    assert time.monotonic() - began < 60
