"""Which objectives a data set's columns allow."""

from collections.abc import Mapping

import pytest
import torch

from cnnlab import objectives
from cnnlab.core.errors import DataError, UsageError

HOUR = tuple(map(str, range(12)))
Columns = Mapping[str, tuple[str, ...] | None]


def test_column_is_chosen_by_name() -> None:
    objective = objectives.build_objective(
        "classes(column=hour)", {"hour": HOUR, "side": ("left", "right"), "minute": None}
    )
    assert dict(objective.heads) == {"hour": 12}


def test_arguments_left_open_are_settled_by_the_columns() -> None:
    columns: Columns = {"hour": HOUR, "minute": tuple(map(str, range(60)))}
    assert objectives.canonical_objective("circular(720, column=[hour, minute])") == (
        "circular(period=720.0, column=[hour, minute], units=none)"
    )
    objective = objectives.build_objective("multi-head(hour=classes(12), minute=scalar)", columns)
    assert objective.spec == (
        "multi-head(weights=none, hour=classes(column=hour), "
        "minute=scalar(column=minute, range=none, units=[1.0], loss=mse, delta=0.1, mean=29.5, std=29.5))"
    )


def test_head_without_a_column_is_for_that_of_its_name() -> None:
    columns: Columns = {"left": HOUR, "right": HOUR}
    objective = objectives.build_objective("multi-head(right=classes, left=classes)", columns)
    assert objective.predicts == ("right", "left")
    assert dict(objective.class_heads) == {"right": "right", "left": "left"}
    named = objectives.build_objective("multi-head(a=classes(right))", columns)
    assert dict(named.class_heads) == {"right": "a"}


@pytest.mark.parametrize("spec", ["bins(4, [0, 2])", "bins(4, [0.5, 3])"])
def test_numbers_outside_the_bins_are_refused_with_the_range_that_would_do(spec: str) -> None:
    objective = objectives.build_objective(spec, {"size": None})
    with pytest.raises(DataError, match=r"size runs from 0.25 to 2.5.*range=\[0, 3\]"):
        objective.check({"size": torch.tensor([0.25, 2.5])})
    objectives.build_objective("bins(4, [0, 2.5])", {"size": None}).check({"size": torch.tensor([0.25, 2.5])})
    # A circle has no outside.
    objectives.build_objective("bins(4, [0, 2], circular=true)", {"size": None}).check(
        {"size": torch.tensor([0.25, 2.5])}
    )


def test_a_predicted_column_that_data_lacks_is_named() -> None:
    objective = objectives.build_objective("circular(720, column=[hour, minute])", {"hour": HOUR, "minute": None})
    with pytest.raises(DataError, match="minute is predicted, and the data has no such column; it has hour"):
        objective.check({"hour": torch.tensor([1])})


@pytest.mark.parametrize("spec", ["classes(hour)", "classes(column=hour)", {"name": "classes", "column": "hour"}])
def test_canonical_form_is_one_for_all_ways_of_writing(spec: object) -> None:
    assert objectives.canonical_objective(spec) == "classes(column=hour)"
    assert objectives.build_objective(spec, {"hour": HOUR}).spec == "classes(column=hour)"


@pytest.mark.parametrize(
    ("spec", "columns", "words"),
    [
        ("classes", {}, ["one target column", "columns are: none"]),
        ("classes", {"minute": None}, ["columns are: minute"]),
        ("classes", {"hour": HOUR, "side": ("l", "r")}, ["columns are: hour, side", "classes(column="]),
        ("classes(column=huor)", {"hour": HOUR}, ["no column of classes called 'huor'", "Did you mean hour?"]),
        (
            "classes(column=minute)",
            {"hour": HOUR, "minute": None},
            ["no column of classes called 'minute'", "holds numbers", "objective=scalar(column=minute"],
        ),
        ("classes", {"minute": None}, ["objective=scalar(column=minute"]),
        ("classes(10)", {"hour": HOUR}, ["expects 10 classes", "'hour' has 12"]),
        ("binary", {"hour": HOUR}, ["tells two classes apart", "'hour' has 12", "objective=classes(column=hour)"]),
        ("binary", {"minute": None}, ["objective=binary needs one target column that holds classes"]),
        ("scalar", {"side": ("l", "r")}, ["objective=scalar needs one target column that holds numbers"]),
        ("scalar(column=side)", {"side": ("l", "r")}, ["'side' holds classes that are no numbers (l, r)"]),
        ("scalar(range=[0, 1], mean=0)", {"minute": None}, ["range, or mean and std, and not both"]),
        ("scalar(std=3)", {"minute": None}, ["mean and std together"]),
        ("scalar(mean=0, std=0)", {"minute": None}, ["std of objective scalar", "above 0"]),
        ("scalar(range=[1, 1])", {"minute": None}, ["from the least to the largest", "[1.0, 1.0]"]),
        ("scalar(range=[1])", {"minute": None}, ["range of objective scalar", "a list of 2 values"]),
        ("bins(24)", {"hour": HOUR}, ["objective=bins(24) needs the range", "range=[0, 12]"]),
        ("bins(24)", {"minute": None}, ["needs the range"]),
        ("bins", {"minute": None}, ["needs count"]),
        ("bins(1, [0, 1])", {"minute": None}, ["count of objective bins", "at least 2"]),
        ("circular", {"minute": None}, ["needs period"]),
        ("circular(0)", {"minute": None}, ["period of objective circular", "above 0"]),
        ("circular(720)", {"hour": HOUR, "minute": HOUR}, ["column=[hour, minute]"]),
        ("multi-head", {"hour": HOUR}, ["needs heads", "multi-head(hour=classes, minute=scalar)"]),
        ("multi-head(hour=classes, weights=[1, 2])", {"hour": HOUR}, ["a number for each of 1 heads (hour)"]),
        ("multi-head(hour=classes, weights=[0])", {"hour": HOUR}, ["not all 0"]),
        ("multi-head(hour=clases)", {"hour": HOUR}, ["no objective called 'clases'"]),
        ("multi-head(hour=12)", {"hour": HOUR}, ["hour of objective multi-head", "a spec such as"]),
        ("multi-head(a=binary)", {"hour": HOUR}, ["head a of objective=multi-head", "tells two classes apart"]),
        ("multi-head(a=multi-head(hour=classes))", {"hour": HOUR}, ["head a", "several heads itself"]),
        ("multi-head(columns=classes)", {"hour": HOUR}, ["no argument 'columns'"]),
        ("classes", {"label": ("only",)}, ["'label' holds fewer than two classes"]),
        ("clases", {"label": HOUR}, ["no objective called 'clases'", "Did you mean classes?"]),
        ("classes(col=x)", {"label": HOUR}, ["no argument 'col'", "column"]),
        ("none", {"label": HOUR}, ["exactly one"]),
    ],
)
def test_objective_that_does_not_suit_is_refused(spec: str, columns: Columns, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        objectives.build_objective(spec, columns)
    for word in words:
        assert word in str(caught.value)
