"""Claims about how long it takes to a level, which some trials never reach."""

import pytest
from small_studies import study_of

from cnnlab.core.errors import UsageError
from cnnlab.core.measurements import Measure, Metric
from cnnlab.studies import Study
from cnnlab.studies.result import Setting, Trial
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.statistics.families import over_repeats
from cnnlab.studies.statistics.tables import Tables
from cnnlab.studies.statistics.verdicts import judge_claim, planned_pairs, resolve_claim
from cnnlab.studies.study_file import read_study

NAME = "epochs to 0.7 validation_accuracy"
METRIC = Metric(NAME, NAME.replace("_", " "), "epochs", "lower", is_level=True)
TRAINED = 5


def settings(study_settings, rows):
    """Settings with a finished trial a seed; None where it never reached the level in the five epochs it had."""
    return [
        Setting(
            planned.key,
            planned.label,
            planned.values,
            {},
            tuple(Trial(seed, "finished", metrics={NAME: value}, epochs=TRAINED) for seed, value in enumerate(row)),
        )
        for planned, row in zip(study_settings.settings, rows, strict=True)
    ]


def tables_of(rows, claim=None, values=("none", "flip"), baseline=None, besides=()):
    more = {"baseline": baseline} if baseline else {}
    study_settings = StudySettings(read_study(study_of(repeats=len(rows[0]), vary={"augment": list(values)}, **more)))
    resolved = (
        None if claim is None else resolve_claim(claim, study_settings, lambda name: Measure(METRIC, lambda run: None))
    )
    more_resolved = [
        resolve_claim(text, study_settings, lambda name: Measure(METRIC, lambda run: None)) for text in besides
    ]
    named = {} if resolved is None else planned_pairs([resolved, *more_resolved], study_settings.baseline)
    made = settings(study_settings, rows)
    return Tables.of(made, range(len(rows[0])), [METRIC], baseline=study_settings.baseline, planned=named), resolved


def verdict(claim, *rows, values=("none", "flip")):
    tables, resolved = tables_of(rows, claim, values)
    return judge_claim(resolved, tables)


SOON, LATE, NEVER = (2, 2, 3, 2, 3, 2), (2, None, 3, None, None, None), (None,) * 6


def test_what_every_repeat_reached_in_time_is_supported():
    judged = verdict(f"{NAME} of augment=none is at most 4", SOON, NEVER)
    assert judged.verdict == "supported" and "never" not in judged.why


def test_repeats_that_never_got_there_are_not_left_out():
    judged = verdict(f"{NAME} of augment=none is at most 3", LATE, SOON)
    assert judged.verdict != "supported"
    assert "4 of these never reached it" in judged.why and judged.numbers["unreached"] == 4
    # What took longer than five epochs may have taken ten.
    assert verdict(f"{NAME} of augment=none is at most 20", LATE, SOON).verdict == "undecided"
    assert verdict(f"{NAME} of augment=none is at least 2", LATE, SOON).verdict == "supported"


def test_a_level_that_no_repeat_reached_contradicts_a_bound_below_what_was_trained():
    judged = verdict(f"{NAME} of augment=none is at most 3", NEVER, SOON)
    assert judged.verdict == "contradicted" and "6 of these never reached it" in judged.why
    assert verdict(f"{NAME} of augment=none is at most 30", NEVER, SOON).verdict == "undecided"


def test_as_many_epochs_in_every_repeat_are_taken_as_they_are():
    judged = verdict(f"{NAME} of augment=none is at most 3", (3, 3, 3), SOON[:3])
    assert judged.verdict == "supported" and "3.0 epochs in each of 3 repeats" in judged.why
    assert verdict(f"{NAME} of augment=none is above 3.5", (3, 3, 3), SOON[:3]).verdict == "contradicted"


def test_settings_are_compared_by_ranks_where_some_never_got_there():
    claim = f"augment=flip is better than augment=none on {NAME}"
    judged = verdict(claim, NEVER, SOON)
    assert judged.verdict == "supported" and judged.numbers["p"] == pytest.approx(2 / 924)
    assert "never reached by none in 6 of 6 repeats" in judged.why
    assert verdict(claim, SOON, NEVER).verdict == "contradicted"
    assert verdict(f"augment=flip is higher than augment=none on {NAME}", SOON, NEVER).verdict == "supported"
    few = verdict(claim, NEVER[:3], SOON[:3])
    # Of 20 ways to divide six, two are as extreme.
    assert few.verdict == "undecided" and few.numbers["p"] == pytest.approx(0.1)


def test_claims_by_ranks_are_adjusted_for_one_another_and_with_the_baseline_for_all():
    rows, values = (NEVER, SOON, LATE), ("none", "flip", "rotate")
    claim = f"augment=flip is better than augment=none on {NAME}"
    other = f"augment=rotate is better than augment=none on {NAME}"
    tables, resolved = tables_of(rows, claim, values, besides=[other])
    assert judge_claim(resolved, tables).numbers["p"] == pytest.approx(2 * 2 / 924)
    # The same thing claimed the other way round is no comparison more.
    tables, resolved = tables_of(rows, claim, values, besides=[f"augment=none is worse than augment=flip on {NAME}"])
    assert judge_claim(resolved, tables).numbers["p"] == pytest.approx(2 / 924)
    tables, resolved = tables_of(rows, claim, values, baseline={"augment": "none"})
    assert judge_claim(resolved, tables).numbers["p"] == pytest.approx(2 * 2 / 924)


def test_there_is_no_amount_between_numbers_that_are_not_there():
    for claim in (
        f"augment=flip is better than augment=none on {NAME} by at least 1 epoch",
        f"augment=flip is no different from augment=none on {NAME} within 1 epoch",
    ):
        judged = verdict(claim, NEVER, SOON)
        assert judged.verdict == "undecided" and "never came to the level" in judged.why


def test_the_best_is_told_by_ranks_too():
    rows = (SOON, NEVER, NEVER)
    judged = verdict(f"augment=none is the best on {NAME}", *rows, values=("none", "flip", "rotate"))
    assert judged.verdict == "supported" and judged.numbers["better_than"] == 2
    assert (
        verdict(f"augment=flip is the best on {NAME}", *rows, values=("none", "flip", "rotate")).verdict != "supported"
    )


def test_a_mean_of_those_that_got_there_is_not_given():
    tables, _ = tables_of((LATE, SOON))
    flattered, whole = (tables.summary(METRIC, key) for key in tables.labels)
    assert (flattered.mean, flattered.low) == (None, None) and "4 of 6 never reached it" in flattered.interval
    assert whole.mean == pytest.approx(14 / 6)


@pytest.mark.parametrize(("baseline", "kind", "count"), [(None, "pairs", 3), ({"augment": "none"}, "baseline", 2)])
def test_comparisons_of_a_study_are_by_ranks_and_adjusted(baseline, kind, count):
    tables, _ = tables_of((NEVER, SOON, NEVER), values=("none", "flip", "rotate"), baseline=baseline)
    family = over_repeats(tables, NAME)
    assert (family.kind, len(family.comparisons)) == (kind, count) and "Rank-sum" in family.method
    flip = next(
        comparison for comparison in family.comparisons if (comparison.setting, comparison.reference) == ("s1", "s0")
    )
    assert (flip.verdict, flip.difference) == ("better", None) and flip.p == pytest.approx(count * 2 / 924)


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
