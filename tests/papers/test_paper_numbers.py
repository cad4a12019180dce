"""Numbers that commands tell: where they stand, rules on them, and published ones beside them."""

import math

import pytest

from cnnlab.core.errors import UsageError
from cnnlab.papers.numbers import NumberFile, PublishedNumber, beside, judge, measured, read_rule, value_at

ANSWERS = {"made": {"rows": [{"name": "a", "value": 1}, {"name": "b", "value": 2.5}], "deep": {"er": 3}}}
SHARE = NumberFile(of="made.deep.er", unit="share")
EXACT = NumberFile(of="made.deep.er", exact=True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("made.deep.er", 3), ("made.rows[1].value", 2.5), ("made.rows[-1].value", 2.5), ("made.rows[name=a].value", 1)],
)
def test_a_path_leads_to_a_number(path: str, expected: float) -> None:
    assert value_at(path, ANSWERS) == expected


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("made.depe", "Did you mean deep"),
        ("made.deep", "a mapping with er, and no number"),
        ("made.rows[name=c].value", "chooses 0 of 2"),
        ("made.rows[7].value", "chooses 0 of 2"),
        ("made.deep.er.more", "before '.more' stands 3"),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_ended(path: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        value_at(path, ANSWERS)
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("rule", "values", "verdict"),
    [
        # Student's t of 0.90, 0.91, 0.92 with 2 degrees of freedom: 0.91 ± 4.303 · 0.01 / √3 = 0.885 to 0.935.
        ("x is at least 88%", [0.90, 0.91, 0.92], "supported"),
        ("x is at least 89%", [0.90, 0.91, 0.92], "undecided"),
        ("x is above 94%", [0.90, 0.91, 0.92], "contradicted"),
        ("x is at most 94%", [0.90, 0.91, 0.92], "supported"),
        ("x is below 0.88", [0.90, 0.91, 0.92], "contradicted"),
        ("x is equal to 91% within 3%", [0.90, 0.91, 0.92], "supported"),
        ("x is equal to 91%", [0.90, 0.91, 0.92], "undecided"),
        ("x is equal to 80% within 3%", [0.90, 0.91, 0.92], "contradicted"),
        ("x is at least 50%", [0.9], "undecided"),
        ("x is at least 50%", [0.9, 0.9], "undecided"),
    ],
)
def test_a_rule_is_judged_by_the_interval_over_repeats(rule: str, values: list[float], verdict: str) -> None:
    numbers = {"x": SHARE}
    assert judge(read_rule(rule, numbers), {"x": values}, numbers, 1)[0] == verdict


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("x is equal to 91% within much", "'much' is no margin"),
        ("x is above nan", "no number 'nan'"),
        ("x is above 91% within 1%", "only what is equal"),
    ],
)
def test_a_rule_that_cannot_be_read_is_refused(rule: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_rule(rule, {"x": SHARE})
    assert complaint in str(refused.value)


def test_two_numbers_are_compared_repeat_by_repeat() -> None:
    numbers = {"a": SHARE, "b": SHARE}
    # Each varies by 20 points, their difference by half a point about 10.
    values = {"a": [0.5, 0.7, 0.905], "b": [0.4, 0.6, 0.8]}
    assert judge(read_rule("a is above b", numbers), values, numbers, 1)[0] == "supported"
    assert judge(read_rule("a is at most b", numbers), values, numbers, 1)[0] == "contradicted"


@pytest.mark.parametrize(
    ("rule", "values", "why"),
    [
        ("n is equal to m", {"n": [60000.0], "m": [60000.0]}, "pictures: 60,000; m: 60,000."),
        ("n is above 3", {"n": [2.5]}, "pictures: 2.5000."),
        ("x is at least 88%", {"x": [0.90, 0.91, 0.92]}, "x: 91.00% (95% interval 88.52 to 93.48 over 3 repeats)."),
        (
            "x is above y",
            {"x": [0.90, 0.91, 0.92], "y": [0.80, 0.80, 0.80]},
            "x minus y: +11.00 points (95% interval +8.52 to +13.48 over 3 repeats).",
        ),
        ("x is above y", {"x": [0.9], "y": [0.8]}, "x minus y: +10.00 points; one training tells nothing"),
    ],
)
def test_why_names_both_numbers_with_their_values(rule: str, values: dict[str, list[float]], why: str) -> None:
    numbers = {"n": NumberFile(of="a", label="pictures", exact=True), "m": EXACT, "x": SHARE, "y": SHARE}
    assert judge(read_rule(rule, numbers), values, numbers, 1)[1].startswith(why)


def test_repeats_that_agree_decide_where_it_is_known_of_how_many_they_are_shares() -> None:
    number = NumberFile(of="made.success", counted="made.attacked", unit="share")
    numbers, steps = {"x": number}, {"x": number.step({"made": {"success": 1.0, "attacked": 100}})}
    values = {"x": [1.0, 1.0, 1.0]}
    # Half a picture of a hundred, over the root of three, times Student's 4.303: 1.24 points.
    assert judge(read_rule("x is at least 98.7%", numbers), values, numbers, 1, steps)[0] == "supported"
    assert judge(read_rule("x is at least 99%", numbers), values, numbers, 1, steps)[0] == "undecided"
    assert judge(read_rule("x is at least 90%", numbers), values, numbers, 1)[0] == "undecided"
    found = beside(PublishedNumber(number="x", value=0.97), values["x"], number, None, steps["x"])
    assert (found.word, round(found.low or 0, 4)) == ("better", 0.0176)


def test_a_share_of_nothing_changes_in_no_steps() -> None:
    number = NumberFile(of="made.success", counted="made.attacked", unit="share")
    assert number.step({"made": {"attacked": 0}}) == 0
    assert SHARE.step({}) == 0
    assert number.commands == ("made", "made")


def test_more_rules_are_judged_more_strictly() -> None:
    numbers, values = {"x": SHARE}, {"x": [0.90, 0.91, 0.92]}
    rule = read_rule("x is at least 88%", numbers)
    assert judge(rule, values, numbers, 1)[0] == "supported"
    assert judge(rule, values, numbers, 10)[0] == "undecided"


def test_what_depends_on_no_training_is_decided_by_one_value() -> None:
    numbers = {"x": EXACT}
    assert judge(read_rule("x is equal to 3", numbers), {"x": [3.0]}, numbers, 1)[0] == "supported"
    assert judge(read_rule("x is above 3", numbers), {"x": [3.0]}, numbers, 1)[0] == "contradicted"
    assert judge(read_rule("x is at least 3", numbers), {"x": [3.0]}, numbers, 1)[0] == "supported"


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("x is big", "is no rule"),
        ("y is at least 3", "there is no number 'y'"),
        ("x is at least z", "there is no number 'z'"),
        ("x is at least 3 within 2", "only what is equal"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_rule(rule, {"x": SHARE})
    assert complaint in str(refused.value)


def test_a_published_number_stands_beside_ours_with_a_word() -> None:
    row = {"number": "x", "value": "97%"}
    assert beside(PublishedNumber(**row), [0.90, 0.91, 0.92], SHARE, None).word == "worse"
    assert beside(PublishedNumber(**row), [0.90, 0.91, 0.92], SHARE, "other data").word == "not comparable"
    assert beside(PublishedNumber(**{**row, "value": "92%"}), [0.90, 0.91, 0.92], SHARE, None).word == "compatible"
    assert (
        beside(PublishedNumber(**{**row, "value": "91%", "tolerance": 0.03}), [0.90, 0.91, 0.92], SHARE, None).word
        == "reproduced"
    )
    assert beside(PublishedNumber(**row), [0.9], SHARE, None).word == "undecided"
    assert beside(PublishedNumber(**row), [], SHARE, None).word == "not measured"
    assert beside(PublishedNumber(number="x", value=3), [3.0], EXACT, None).word == "reproduced"


def test_a_share_stays_between_nothing_and_all() -> None:
    found = measured("x", SHARE, [0.95, 0.99])
    assert found.mean == pytest.approx(0.97)
    assert found.high == 1.0


def test_a_number_that_a_command_could_not_tell_is_not_measured() -> None:
    assert math.isnan(value_at("made.none", {"made": {"none": None}}))
    assert beside(PublishedNumber(number="x", value="97%"), [math.nan], SHARE, None).word == "not measured"
    assert judge(read_rule("x is at least 1%", {"x": SHARE}), {"x": [math.nan]}, {"x": SHARE}, 1)[0] == "undecided"


def test_a_part_may_be_taken_off_a_number_before_it_is_divided() -> None:
    answers = {"made": {"seconds": 12.0, "rows": [{"features": 4.0}], "count": 2}}
    number = NumberFile(of="made.seconds", less="made.rows.0.features", per="made.count")
    assert number.value(answers) == 4.0
    assert NumberFile(of="made.seconds", less="made.rows.0.features").value(answers) == 8.0
    assert number.commands == ("made", "made", "made")
    with pytest.raises(UsageError, match="no 'labels'"):
        NumberFile(of="made.seconds", less="made.rows.0.labels").value(answers)
