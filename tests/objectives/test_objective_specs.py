"""Which objectives a data set's columns allow."""

from collections.abc import Mapping

import pytest

from cnnlab import objectives
from cnnlab.core.errors import UsageError

HOUR = tuple(map(str, range(12)))
Columns = Mapping[str, tuple[str, ...] | None]


def test_column_is_chosen_by_name() -> None:
    objective = objectives.build("classes(column=hour)", {"hour": HOUR, "side": ("left", "right"), "minute": None})
    assert dict(objective.heads) == {"hour": 12}


@pytest.mark.parametrize("spec", ["classes(hour)", "classes(column=hour)", {"name": "classes", "column": "hour"}])
def test_canonical_form_is_one_for_all_ways_of_writing(spec: object) -> None:
    assert objectives.canonical(spec) == "classes(column=hour)"
    assert objectives.build(spec, {"hour": HOUR}).spec == "classes(column=hour)"


@pytest.mark.parametrize(
    ("spec", "columns", "words"),
    [
        ("classes", {}, ["one target column", "columns are: none"]),
        ("classes", {"minute": None}, ["columns are: minute"]),
        ("classes", {"hour": HOUR, "side": ("l", "r")}, ["columns are: hour, side", "classes(column="]),
        ("classes(column=huor)", {"hour": HOUR}, ["no column of classes called 'huor'", "Did you mean hour?"]),
        ("classes(column=minute)", {"hour": HOUR, "minute": None}, ["no column of classes called 'minute'"]),
        ("classes", {"label": ("only",)}, ["'label' holds fewer than two classes"]),
        ("clases", {"label": HOUR}, ["no objective called 'clases'", "Did you mean classes?"]),
        ("classes(col=x)", {"label": HOUR}, ["no argument 'col'", "column"]),
        ("none", {"label": HOUR}, ["exactly one"]),
    ],
)
def test_objective_that_does_not_suit_is_refused(spec: str, columns: Columns, words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        objectives.build(spec, columns)
    for word in words:
        assert word in str(caught.value)
