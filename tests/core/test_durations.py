"""Times as people read them."""

import pytest

from cnnlab.core.durations import clock_text, duration_in_words, short_duration


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (41.4, "0:41"), (187, "3:07"), (8100.2, "2:15:00")])
def test_as_on_a_clock(seconds: float, said: str) -> None:
    assert clock_text(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, ""), (0, ""), (0.44, "0.44 s"), (61, "1:01 min"), (3725, "1:02:05 h")]
)
def test_in_a_column(seconds: float | None, said: str) -> None:
    assert short_duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(3.21, "3.2 s"), (41, "41 s"), (187, "3 min 07 s"), (8100, "2 h 15 min")]
)
def test_in_a_sentence(seconds: float, said: str) -> None:
    assert duration_in_words(seconds) == said
