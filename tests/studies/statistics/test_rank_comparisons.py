"""Claims about how long it takes to a level, which some trials never reach."""

import pytest
from known_values import KnownStudy, judged
from small_studies import study_of

from cnnlab.core.errors import UsageError
from cnnlab.core.measurements import Metric
from cnnlab.studies import Study

NAME = "epochs to 0.7 validation_accuracy"
METRIC = Metric(NAME, NAME.replace("_", " "), "epochs", "lower", is_level=True)


def verdict(claim, *rows):
    return judged(claim, rows, metric=METRIC)


SOON, LATE, NEVER = (2, 2, 3, 2, 3, 2), (2, None, 3, None, None, None), (None,) * 6


def test_what_every_repeat_reached_in_time_is_supported():
    found = verdict(f"{NAME} of augment=none is at most 4", SOON, NEVER)
    assert found.verdict == "supported" and "never" not in found.why


def test_repeats_that_never_got_there_are_not_left_out():
    found = verdict(f"{NAME} of augment=none is at most 3", LATE, SOON)
    assert found.verdict != "supported"
    assert "4 of these never reached it" in found.why and found.numbers["unreached"] == 4
    # What took longer than five epochs may have taken ten.
    assert verdict(f"{NAME} of augment=none is at most 20", LATE, SOON).verdict == "undecided"
    assert verdict(f"{NAME} of augment=none is at least 2", LATE, SOON).verdict == "supported"


def test_a_level_that_no_repeat_reached_contradicts_a_bound_below_what_was_trained():
    found = verdict(f"{NAME} of augment=none is at most 3", NEVER, SOON)
    assert found.verdict == "contradicted" and "6 of these never reached it" in found.why
    assert verdict(f"{NAME} of augment=none is at most 30", NEVER, SOON).verdict == "undecided"


def test_as_many_epochs_in_every_repeat_are_no_surer_than_an_epoch_is_long():
    same = verdict(f"{NAME} of augment=none is at most 3", (3, 3, 3), SOON[:3])
    assert same.verdict == "undecided" and same.numbers["low"] < 3 < same.numbers["high"]
    assert verdict(f"{NAME} of augment=none is at most 5", (3, 3, 3), SOON[:3]).verdict == "supported"
    assert verdict(f"{NAME} of augment=none is above 5", (3, 3, 3), SOON[:3]).verdict == "contradicted"


def test_settings_are_compared_by_ranks_where_some_never_got_there():
    claim = f"augment=flip is better than augment=none on {NAME}"
    found = verdict(claim, NEVER, SOON)
    assert found.verdict == "supported" and found.numbers["p"] == pytest.approx(2 / 924)
    assert "never reached by none in 6 of 6 repeats" in found.why
    assert verdict(claim, SOON, NEVER).verdict == "contradicted"
    assert verdict(f"augment=flip is higher than augment=none on {NAME}", SOON, NEVER).verdict == "supported"
    few = verdict(claim, NEVER[:3], SOON[:3])
    # Of 20 ways to divide six, two are as extreme.
    assert few.verdict == "undecided" and few.numbers["p"] == pytest.approx(0.1)
    # Of 70 ways to divide eight two are, which is 0.029.
    assert "3 of 3 repeats; 4 repeats of each that overlap as little would tell" in few.why
    assert "would tell" not in verdict(claim, LATE[:3], SOON[:3]).why


def test_claims_by_ranks_are_adjusted_for_one_another():
    rows = (NEVER, SOON, LATE)
    claim = f"augment=flip is better than augment=none on {NAME}"
    other = f"augment=erase is better than augment=none on {NAME}"
    two = KnownStudy(rows, claim, other, metric=METRIC, tables=()).claims
    assert two[0].numbers["p"] == pytest.approx(2 * 2 / 924)
    # The same thing claimed the other way round is no comparison more.
    back = f"augment=none is worse than augment=flip on {NAME}"
    same = KnownStudy(rows, claim, back, metric=METRIC, tables=()).claims
    assert same[0].numbers["p"] == same[1].numbers["p"] == pytest.approx(2 / 924)
    # Beside a table of the other pairs they have half of the 5%.
    beside = KnownStudy(rows, claim, metric=METRIC).claims
    assert beside[0].numbers["p"] == pytest.approx(2 * 2 / 924)


def test_there_is_no_amount_between_numbers_that_are_not_there():
    for claim in (
        f"augment=flip is better than augment=none on {NAME} by at least 1 epoch",
        f"augment=flip is no different from augment=none on {NAME} within 1 epoch",
    ):
        found = verdict(claim, NEVER, SOON)
        assert found.verdict == "undecided" and "no difference to hold this to" in found.why


def test_the_best_is_told_by_ranks_too():
    rows = (SOON, NEVER, NEVER)
    found = verdict(f"augment=none is the best on {NAME}", *rows)
    assert found.verdict == "supported" and found.numbers["better_than"] == 2
    assert verdict(f"augment=flip is the best on {NAME}", *rows).verdict != "supported"


def test_a_mean_of_those_that_got_there_is_not_given():
    tables = KnownStudy((LATE, SOON), metric=METRIC).tables
    flattered, whole = (tables.summary(METRIC, key) for key in tables.labels)
    assert (flattered.mean, flattered.low) == (None, None) and "4 of 6 never reached it" in flattered.interval
    assert whole.mean == pytest.approx(14 / 6)


@pytest.mark.parametrize(("baseline", "kind", "count"), [(None, "pairs", 3), ({"augment": "none"}, "baseline", 2)])
def test_comparisons_of_a_study_are_by_ranks_and_adjusted(baseline, kind, count):
    keys = {"baseline": baseline} if baseline else {}
    family = KnownStudy((NEVER, SOON, NEVER), metric=METRIC, **keys).table
    assert (family.kind, len(family.comparisons)) == (kind, count) and "Rank-sum" in family.method
    flip = next(
        comparison for comparison in family.comparisons if (comparison.setting, comparison.reference) == ("s1", "s0")
    )
    assert (flip.verdict, flip.difference) == ("better", None) and flip.p == pytest.approx(count * 2 / 924)


def test_one_setting_that_is_late_leaves_the_others_their_numbers():
    table = KnownStudy((SOON, tuple(value + 3 for value in SOON), LATE), metric=METRIC).table
    by_pair = {(one.setting, one.reference): one for one in table.comparisons}
    assert by_pair["s1", "s0"].difference == pytest.approx(3) and by_pair["s1", "s0"].test != "rank-sum"
    assert {by_pair["s2", other].test for other in ("s0", "s1")} == {"rank-sum"}


DIVERGED = (0.93, "nan", 0.93, "nan", "nan", "nan", 0.94, "nan")
CALM = (0.80, 0.81, 0.80, 0.82, 0.81, 0.80, 0.81, 0.80)


def test_trials_that_diverged_come_last_and_are_counted():
    found = judged("augment=none is better than augment=flip", (DIVERGED, CALM))
    assert found.verdict == "undecided" and found.numbers["test"] == "rank-sum"
    assert "none diverged in 5 of 8 repeats" in found.why
    lost = judged("augment=none is better than augment=flip", (("nan",) * 8, CALM))
    # Of the ways to divide 16 into eights, two are as extreme.
    assert lost.verdict == "contradicted" and lost.numbers["p"] == pytest.approx(2 / 12870, rel=0.5)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("the best test_accuracy is at least 150%", "goes from 0.00% to 100.00%"),
        ("the best test_accuracy is at least -3", "goes from 0.00% to 100.00%"),
        ("the best test_accuracy is at least 1e400", "goes from 0.00% to 100.00%"),
        ("optimizer.lr=0.5 is better than optimizer.lr=0.01 by at least -2 points", "above 0"),
        ("optimizer.lr=0.5 is no different from optimizer.lr=0.01 within 0 points", "above 0"),
        ("epochs to 9000% validation_accuracy of optimizer.lr=0.5 is at most 3", "never comes to 9000%"),
    ],
)
def test_amounts_that_cannot_be_are_refused_before_anything_trains(claim, message, runs):
    with pytest.raises(UsageError, match=message):
        Study(study_of(claims=[claim]), runs=runs).check()
