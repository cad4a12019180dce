"""The result of a study goes to JSON and comes back the same."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.core.measurements import Metric
from cnnlab.studies.result import (
    Axis,
    AxisValue,
    Claim,
    Family,
    MetricSummary,
    Published,
    PublishedRow,
    Setting,
    SettingComparison,
    StudyResult,
    Trial,
)
from cnnlab.studies.search_record import Search, SearchStep

ACCURACY = Metric("test_accuracy", "test accuracy", "share", "higher")


def setting(key: str, *values: float | None) -> Setting:
    known = tuple(v for v in values if v is not None)
    trials = tuple(
        Trial(seed, "finished", f"run-{seed}", "ab" * 32, metrics={"test_accuracy": value}, seconds=1.5, epochs=2)
        if value is not None
        else Trial(seed, "failed", reason="the loss became nan", failure="nan", attempts=1)
        for seed, value in enumerate(values)
    )
    mean = sum(known) / len(known) if known else None
    summary = MetricSummary("test_accuracy", tuple(range(len(known))), known, mean, None, None, None, "none")
    return Setting(key, f"label {key}", {"augment": key}, {"data": "digits"}, trials, (summary,))


def result(*settings: Setting) -> StudyResult:
    comparison = SettingComparison("test_accuracy", "s1", "s0", 0.01, -0.01, 0.03, 0.2, "better", "better by 1 point")
    return StudyResult(
        name="a",
        question="which?",
        design="grid()",
        seeds=(0, 1),
        base={"data": "digits", "epochs": 2},
        axes=(Axis("augment", ("augment",), (AxisValue("none", "none"), AxisValue("x", {"epochs": 3}))),),
        metrics=(ACCURACY,),
        settings=settings,
        baseline="s0",
        families=(Family("test_accuracy", "baseline", "Dunnett", "one baseline", (comparison,), facts={"df": 3}),),
        claims=(Claim("a is better than b", "undecided", "too few", {"difference": 0.01}),),
        published=(
            Published("book", "test_accuracy", (PublishedRow("a", 0.9, "s0", 0.8, -0.1, -0.2, 0.0, "reproduced"),)),
        ),
        search=Search("validation_accuracy", (SearchStep(0, "s0", 0.5, "complete"),)),
        notes=("a note",),
    )


def test_result_comes_back_from_json_the_same():
    whole = result(setting("s0", 0.9, 0.8), setting("s1", 0.7, None))
    assert StudyResult.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole


@given(st.lists(st.floats(0, 1) | st.none(), max_size=4))
def test_any_values_come_back(values):
    whole = result(setting("s0", *values))
    assert StudyResult.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole


def test_unknown_keys_of_a_later_version_are_passed_over():
    whole = result(setting("s0", 0.9))
    assert StudyResult.from_dict({**whole.to_dict(), "later": 1}) == whole


def test_a_number_that_is_not_finite_is_stored_as_none():
    assert result(setting("s0", float("nan"))).to_dict()["settings"][0]["trials"][0]["metrics"] == {
        "test_accuracy": None
    }


@pytest.mark.parametrize("change", [{"name": None}, {"settings": [{"key": "s0"}]}, {"seeds": ["one"]}])
def test_what_is_no_result_is_refused(change):
    with pytest.raises(ValueError, match=r"name|settings|seeds"):
        StudyResult.from_dict(result(setting("s0", 0.9)).to_dict() | change)


def test_best_setting_goes_by_the_mean_and_its_direction():
    whole = result(setting("s0", 0.9, 0.7), setting("s1", 0.85), setting("s2"))
    assert whole.best.key == "s1"
    lower = replace(whole, metrics=(replace(ACCURACY, better="lower"),))
    assert lower.best.key == "s0"


def test_a_setting_of_which_trainings_diverged_is_the_best_only_where_there_is_no_other():
    whole = result(setting("s0", 0.9, 0.7), setting("s1", 0.99, None))
    assert whole.best.key == "s0" and [trial.seed for _, trial in whole.missing] == [1]
    assert result(setting("s0", None), setting("s1", 0.5, None)).best.key == "s1"
