"""What the annotations of a function let a spec hold, and how that is said."""

from typing import Annotated, Any, Literal

import pytest

from cnnlab.core.arguments import Count, Fraction, NonNegative, Positive, Range, convert, describe_type
from cnnlab.core.spec import Call

Small = Annotated[float, Range(0, 1, open_high=True)]


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, 3, 3),
        (float, 3, 3.0),
        (float, 0.5, 0.5),
        (bool, True, True),
        (str, "he-normal", "he-normal"),
        (Any, [1], [1]),
        (None, None, None),
        (int | None, None, None),
        (float | None, 2, 2.0),
        (int | Literal["all"], "all", "all"),
        (Literal["same", "valid"], "valid", "valid"),
        (Literal["auto", "none"], None, "none"),
        (list[int], [1, 2], (1, 2)),
        (tuple[float, ...], [1, 2.5], (1.0, 2.5)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (Call, Call("a", (1,)), Call("a", (1,))),
        (Call, "classes", Call("classes")),
        (Call, "classes(12)", Call("classes", (12,))),
        (Fraction, 0, 0.0),
        (Fraction, 1, 1.0),
        (Positive, 1e-9, 1e-9),
        (NonNegative, 0, 0.0),
        (Count, 1, 1),
        (Small, 0, 0.0),
        (Annotated[int, Range(1)] | None, None, None),
    ],
)
def test_fitting_value_is_converted(annotation: Any, value: object, expected: object) -> None:
    converted = convert(value, annotation)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 3.0),
        (int, True),
        (int, "3"),
        (float, True),
        (float, "0.5"),
        (float, float("nan")),
        (float, float("inf")),
        (float, 10**400),
        (bool, 1),
        (str, 3),
        (None, 0),
        (int | None, "none"),
        (Literal["same", "valid"], "full"),
        (Literal["same", "valid"], None),
        (Literal[1, 2], True),
        (list[int], "12"),
        (list[int], 3),
        (list[int], [1, "a"]),
        (tuple[int, int], [1]),
        (tuple[int, int], [1, 2, 3]),
        (Call, 3),
        (Call, "a|b"),
        (Call, "a("),
        (Fraction, 1.0001),
        (Fraction, -1e-9),
        (Positive, 0),
        (Count, 0),
        (Small, 1),
    ],
)
def test_value_that_does_not_fit_is_refused(annotation: Any, value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the message is made by the registry)
        convert(value, annotation)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "a whole number"),
        (float, "a number"),
        (bool, "true or false"),
        (str, "text"),
        (float | None, "a number or none"),
        (Literal["same", "valid"], "same or valid"),
        (list[int], "a list of values, each a whole number"),
        (tuple[float, float], "a list of 2 values, each a number"),
        (tuple[int, str], "a list of 2 values, each a whole number or text"),
        (Call, "a spec such as name(key=value)"),
        (Fraction, "a number from 0 to 1"),
        (Positive, "a number above 0"),
        (NonNegative, "a number at least 0"),
        (Count, "a whole number at least 1"),
        (Small, "a number at least 0 and below 1"),
        (Annotated[int, Range(high=8)] | None, "a whole number at most 8 or none"),
    ],
)
def test_type_is_told_in_words(annotation: Any, words: str) -> None:
    assert describe_type(annotation) == words
