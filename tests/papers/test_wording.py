"""Numbers of entries as people read them."""

import pytest

from cnnlab.papers.wording import mean_text, range_text, value_text


@pytest.mark.parametrize(
    ("value", "of", "text"),
    [
        (0.5511, "share", "55.11%"),
        (0.42, "validation accuracy", "42.00%"),
        (838, "training time", "838 s"),
        (5.61467, "seconds", "5.6 s"),
        (180.4303, "test clock mean error", "180.43 min"),
        (1384019, "number", "1,384,019"),
        (0.29274, "test loss", "0.29274"),
        (None, "share", None),
    ],
)
def test_a_value_bears_the_unit_of_what_it_is_of(value: float | None, of: str, text: str | None) -> None:
    assert value_text(value, of) == text


@pytest.mark.parametrize(
    ("value", "of", "text"),
    [
        (1.155307, "test loss", "1.1553"),
        (25.361806, "number", "25.36"),
        (366.6667, "number", "366.67"),
        (12345.678, "number", "12,346"),
        (126.0, "number", "126"),
        (0.5511, "share", "55.11%"),
    ],
)
def test_a_mean_has_no_more_digits_than_tell_something(value: float, of: str, text: str) -> None:
    assert mean_text(value, of) == text


@pytest.mark.parametrize(
    ("ends", "of", "sign", "text"),
    [
        ((-0.245, -0.2128), "test accuracy", True, "−24.50 to −21.28 points"),
        ((0.535, 0.5672), "share", False, "53.50 to 56.72"),
        ((-697.0833, -672.9167), "training time", True, "−697.1 to −672.9 s"),
        ((-0.00001, 0.5), "test loss", True, "−0.00001 to +0.50000"),
        ((24.6005, 26.1231), "number", False, "24.60 to 26.12"),
        ((None, 1.0), "number", False, None),
    ],
)
def test_ends_of_an_interval_have_equally_many_digits_and_a_difference_its_unit(
    ends: tuple[float | None, float | None], of: str, sign: bool, text: str | None
) -> None:
    assert range_text(*ends, of, sign=sign) == text
