"""Numbers made of target columns."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.core.errors import UsageError
from cnnlab.objectives import Columns, Quantity

COLUMNS: Columns = {
    "hour": tuple(map(str, range(1, 13))),
    "minute": tuple(map(str, range(60))),
    "second": None,
    "animal": ("cat", "dog"),
}


def test_hour_and_minute_make_up_minutes_in_whatever_order_they_are_named() -> None:
    quantity = Quantity.read(COLUMNS, ("hour", "minute"), None, "scalar")
    assert quantity == Quantity.read(COLUMNS, ("minute", "hour"), None, "scalar")
    assert quantity.units == (60, 1)
    assert quantity.name == "hour-minute"
    assert quantity.span == (60, 12 * 60 + 59)


def test_classes_count_as_the_numbers_that_they_are_named_by() -> None:
    # The first class is one o'clock, whatever its index.
    hour = Quantity.read(COLUMNS, "hour", None, "scalar")
    assert hour.of({"hour": torch.tensor([0, 11])}).tolist() == [1, 12]
    assert hour.decode(torch.tensor([1.2, 11.7]))["hour"].tolist() == [0, 11]


def test_units_of_ones_own_hold_for_columns_of_any_name() -> None:
    feet = Quantity.read({"feet": None, "inch": None}, ("inch", "feet"), (1, 12), "scalar")
    assert feet.columns == ("feet", "inch")
    assert feet.of({"feet": torch.tensor([5.0]), "inch": torch.tensor([7.5])}).tolist() == [67.5]
    assert {name: part.tolist() for name, part in feet.decode(torch.tensor([67.5])).items()} == {
        "feet": [5.0],
        "inch": [7.5],
    }
    assert feet.span is None


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 719), st.sampled_from([(60.0, 1.0), (1.0, 1 / 60), (3600.0, 60.0)]))
def test_a_number_taken_apart_is_what_it_was_made_of(minutes: int, units: tuple[float, float]) -> None:
    columns: Columns = {"hour": tuple(map(str, range(12))), "minute": tuple(map(str, range(60)))}
    time = Quantity.read(columns, ("hour", "minute"), units, "scalar")
    wanted = {"hour": torch.tensor([minutes // 60]), "minute": torch.tensor([minutes % 60])}
    assert {name: part.item() for name, part in time.decode(time.of(wanted)).items()} == {
        "hour": minutes // 60,
        "minute": minutes % 60,
    }


def test_decoded_minutes_are_rounded_before_hours_are_taken_off() -> None:
    columns: Columns = {"hour": tuple(map(str, range(12))), "minute": tuple(map(str, range(60)))}
    time = Quantity.read(columns, ("hour", "minute"), None, "circular")
    decoded = time.decode(torch.tensor([179.7, 719.8, 0.2]), 720)
    assert (decoded["hour"].tolist(), decoded["minute"].tolist()) == ([3, 0, 0], [0, 0, 0])


@pytest.mark.parametrize(
    ("wanted", "units", "words"),
    [
        ("animal", None, ["'animal'", "cat, dog", "objective=classes(column=animal)"]),
        ("hours", None, ["no target column called 'hours'", "Did you mean hour?"]),
        (("hour", "hour"), None, ["a list of different ones"]),
        (("hour", "minute"), (60.0,), ["one number for each of hour, minute"]),
        (("minute", "animal"), None, ["what one of each is worth", "units=[60, 1]"]),
        (None, None, ["one target column that holds numbers", "hour, minute, second, animal", "column=[hour, minute]"]),
    ],
)
def test_columns_that_make_no_number_are_refused(wanted: object, units: object, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        Quantity.read(COLUMNS, wanted, units, "scalar")  # type: ignore[arg-type]
    for word in words:
        assert word in str(caught.value)
