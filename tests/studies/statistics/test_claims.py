"""Claims: the grammar, what is refused beforehand, and verdicts worked out by hand."""

import pandas as pd
import pytest
from known_values import ACCURACY, judged
from small_studies import run_here, study_of

from cnnlab.core.errors import UsageError
from cnnlab.core.measurements import Metric
from cnnlab.evaluation import compare_settings
from cnnlab.studies import Study
from cnnlab.studies.claim_grammar import (
    Amount,
    BestClaim,
    BoundClaim,
    ChosenSettings,
    ComparisonClaim,
    NoDifferenceClaim,
    read_claim,
)

SECONDS = Metric("seconds", "training time", "seconds", "lower")
CLOCK = Metric("test_clock_mean_error", "test clock mean error", "minutes", "lower")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "augment='flip' is worse than augment='rotate(30)' on test_accuracy",
            ComparisonClaim(
                "",
                ChosenSettings({"augment": "flip"}, ""),
                "worse",
                ChosenSettings({"augment": "rotate(30)"}, ""),
                "test_accuracy",
            ),
        ),
        (
            "augment=mixup(0.5)|rotate(10) and epochs=3  is  better than the baseline by at least 0.5 points",
            ComparisonClaim(
                "",
                ChosenSettings({"augment": "mixup(0.5)|rotate(10)", "epochs": "3"}, ""),
                "better",
                ChosenSettings(None, ""),
                None,
                Amount(0.5, "points"),
            ),
        ),
        (
            'model="cnn(filters=[8, 16], dense=[4])" is no different from model=mlp on seconds within 2 minutes',
            NoDifferenceClaim(
                "",
                ChosenSettings({"model": "cnn(filters=[8, 16], dense=[4])"}, ""),
                ChosenSettings({"model": "mlp"}, ""),
                "seconds",
                Amount(2, "minutes"),
            ),
        ),
        ("the best test_accuracy is at least 0.90", BoundClaim("", None, "test_accuracy", "at least", Amount(0.9))),
        ("best test_loss is below 1e-1", BoundClaim("", None, "test_loss", "below", Amount(0.1))),
        (
            "recall of 'cat' on validation of augment=none is above 70%",
            BoundClaim(
                "",
                ChosenSettings({"augment": "none"}, ""),
                "recall of 'cat' on validation",
                "above",
                Amount(70, "points"),
            ),
        ),
        (
            "epochs to 90% validation_accuracy of optimizer.lr=0.1 is at most 3 epochs",
            BoundClaim(
                "",
                ChosenSettings({"optimizer.lr": "0.1"}, ""),
                "epochs to 90% validation_accuracy",
                "at most",
                Amount(3, "epochs"),
            ),
        ),
        (
            "augment=none, epochs=3 is the best on gap",
            BestClaim("", ChosenSettings({"augment": "none", "epochs": "3"}, ""), "gap"),
        ),
        (
            "the gap with augment=none is above 0",
            BoundClaim("", ChosenSettings({"augment": "none"}, ""), "the gap", "above", Amount(0)),
        ),
    ],
)
def test_claims_are_read(text, expected):
    assert stripped(read_claim(text)) == expected


def stripped(claim):
    """Without the texts, which serve messages."""
    from dataclasses import replace

    changed = {
        name: ChosenSettings(value.values, "")
        for name, value in vars(claim).items()
        if isinstance(value, ChosenSettings)
    }
    return replace(claim, text="", **changed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("augment=flip is nicer than augment=none", "one of better, worse, higher, lower"),
        ("augment=flip is better augment=none", "'than' is expected"),
        ("augment=, epochs=3 is the best", "a value is expected"),
        ("the best test_accuracy is at least", "a number is expected"),
        ("the best test_accuracy is at least 0.9 bananas", "nothing more is expected"),
        ("augment=flip, augment=none is the best", "given twice"),
        ("test_accuracy is at least 3", "'of' and a setting"),
    ],
)
def test_what_does_not_follow_the_grammar_points_at_the_place(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        read_claim(text)
    assert "▸" in str(caught.value)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("optimizer.lr=0.3 is better than optimizer.lr=0.5", "has no value 0.3"),
        ("lr=0.3 is better than lr=0.5", "no axis of this study"),
        ("optimizer.lr=0.5 is better than optimizer.lr=5e-1", "with itself"),
        ("optimizer.lr=0.5 is better than the baseline", "names no baseline"),
        ("optimizer.lr=0.5 is better than optimizer.lr=0.01 on test_acuracy", "Did you mean test_accuracy"),
        ("the best test_accuracy is at least 90", "write 90%"),
        ("the best test_loss is at most 3 points", "points and % are of shares"),
        ("the best test_accuracy is at most 3 seconds", "not measured in seconds"),
        ("recall of 'cat' of optimizer.lr=0.5 is at least 0.3", "no class 'cat'"),
        ("optimizer.lr=0.5 is no different from optimizer.lr=0.01 on test_loss", "say what difference counts"),
        ("epochs to 0.9 test_accuracy of optimizer.lr=0.5 is at most 3", "not followed epoch by epoch"),
    ],
)
def test_a_claim_that_names_nothing_there_is_is_refused_before_anything_trains(claim, message, runs):
    with pytest.raises(UsageError, match=message):
        Study(study_of(claims=[claim]), runs=runs).check()
    assert not runs.exists()


def test_a_search_takes_claims_of_the_best_only(runs):
    search = {"vary": {"optimizer.lr": "log(0.01, 1)"}, "design": "random(trials=2)"}
    Study(study_of(claims="the best test_accuracy is at least 0.1", **search), runs=runs).check()
    with pytest.raises(UsageError, match="nobody knows what a search will try"):
        Study(study_of(claims="optimizer.lr=0.1 is the best", **search), runs=runs).check()


def verdict(claim, values, vary=None, metric=ACCURACY, baseline=None):
    """What becomes of a claim where the settings, in order, have these values by seed, and nothing else is tested."""
    keys = {"vary": vary or {"augment": ["none", "flip"]}} | ({"baseline": baseline} if baseline else {})
    return judged(claim, values, metric=metric, **keys)


LOW = (0.70, 0.71, 0.70, 0.72, 0.71)
HIGH = (0.80, 0.81, 0.81, 0.82, 0.80)
WIDE = (0.60, 0.85, 0.70, 0.90, 0.55)


def test_clear_differences_are_supported_or_contradicted():
    assert verdict("augment=flip is better than augment=none", (LOW, HIGH)).verdict == "supported"
    assert verdict("augment=flip is worse than augment=none", (LOW, HIGH)).verdict == "contradicted"
    assert verdict("augment=none is worse than augment=flip", (LOW, HIGH)).verdict == "supported"
    assert verdict("augment=flip is lower than augment=none", (LOW, HIGH)).verdict == "contradicted"


def test_of_times_the_shorter_is_the_better():
    times = ((10.0, 11.0, 10.0, 12.0, 11.0), (20.0, 21.0, 21.0, 22.0, 20.0))
    assert verdict("augment=none is better than augment=flip", times, metric=SECONDS).verdict == "supported"
    assert verdict("augment=none is higher than augment=flip", times, metric=SECONDS).verdict == "contradicted"


def test_faster_and_slower_are_of_the_training_time_unless_another_is_named():
    times = ((10.0, 11.0, 10.0, 12.0, 11.0), (20.0, 21.0, 21.0, 22.0, 20.0))
    claim = read_claim("augment=none is faster than augment=flip by at least 5 seconds")
    assert isinstance(claim, ComparisonClaim) and (claim.relation, claim.metric) == ("faster", None)
    for text, expected in {
        "augment=none is faster than augment=flip": "supported",
        "augment=none is slower than augment=flip": "contradicted",
        "augment=flip is slower than augment=none by at least 5 s": "supported",
        "augment=none is the fastest": "supported",
    }.items():
        assert verdict(text, times, metric=SECONDS).verdict == expected
    why = verdict("augment=none is faster than augment=flip", times, metric=SECONDS).why
    assert why.startswith("none is faster than flip (−10.0 s, ")
    why = verdict("augment=flip is no different from augment=none within 1 s", times, metric=SECONDS).why
    assert why.startswith("flip is slower than none, by more than the margin of 1.0 s (+10.0 s, ")
    speed = Metric("images_per_second", "images per second", "images/s", "higher")
    rates = tuple(tuple(1000 / time for time in row) for row in times)
    text = "augment=none is faster than augment=flip on images_per_second"
    assert verdict(text, rates, metric=speed).verdict == "supported"


@pytest.mark.parametrize("claim", ["augment=none is faster than augment=flip", "augment=none is the fastest"])
def test_what_is_no_time_is_neither_faster_nor_the_fastest(claim):
    with pytest.raises(UsageError, match="test_accuracy is no time"):
        verdict(f"{claim} on test_accuracy", (LOW, HIGH))


@pytest.mark.parametrize(
    "claim",
    ["is better than augment=none", "is no different from augment=none", "is better than augment=none by at least 1%"],
)
def test_a_reason_names_the_metric_that_a_claim_names(claim):
    assert verdict(f"augment=flip {claim} on test_accuracy", (LOW, HIGH)).why.startswith(
        "On test accuracy, where higher is better: "
    )
    assert verdict(f"augment=flip {claim}", (LOW, HIGH)).why.startswith("flip ")
    why = verdict("augment=flip is the best on test_accuracy", (LOW, HIGH)).why
    assert why.startswith("On test accuracy, where higher is better: Better than 1 of 1 others. flip ")


def test_a_verdict_names_the_settings_that_it_is_about():
    assert verdict("augment=flip is better than augment=none", (LOW, HIGH)).settings == ("s1", "s0")
    assert verdict("the best test_accuracy is at least 0.7", (LOW, HIGH)).settings == ()


def test_a_clock_is_held_to_minutes_and_seconds():
    errors = ((1.8, 1.9, 2.0, 1.9, 1.9), (11.0, 12.0, 11.5, 11.0, 12.0))
    close = verdict("test_clock_mean_error of augment=none is below 3 minutes", errors, metric=CLOCK)
    assert close.verdict == "supported"
    assert close.why.startswith("test clock mean error of none: 1.90 min (95% interval 1.81 to 1.99, n=5)")
    assert close.why.endswith("against 3.00 min.")
    assert (
        verdict("augment=none is lower than augment=flip by at least 9 minutes", errors, metric=CLOCK).verdict
        == verdict("augment=none is lower than augment=flip by at least 540 s", errors, metric=CLOCK).verdict
        == "supported"
    )


def test_values_that_scatter_leave_it_undecided_and_say_how_many_repeats_lack():
    found = verdict("augment=flip is better than augment=none", (LOW, (0.70, 0.74, 0.70, 0.75, 0.72)))
    assert found.verdict == "undecided"
    assert "not enough repeats to tell" in found.why
    (needed,) = found.numbers["needed"]
    assert (needed["what"], needed["difference"]) == ("seen", found.numbers["difference"])
    assert f"a difference of 1.40 points, the one seen, takes about {needed['more']} more repeat" in found.why


def test_a_margin_must_lie_outside_the_interval():
    # The mean difference is 10 points, each seed's within one of it.
    for points, expected in ((5, "supported"), (15, "contradicted"), (10, "undecided")):
        claim = f"augment=flip is better than augment=none by at least {points} points"
        assert verdict(claim, (LOW, HIGH)).verdict == expected


def test_no_different_needs_an_interval_within_the_margin():
    near = tuple(value + shift for value, shift in zip(LOW, (0.001, -0.001, 0.0005, 0, -0.0005), strict=True))
    same = "augment=flip is no different from augment=none"
    assert verdict(same, (LOW, near)).verdict == "supported"
    assert verdict(same, (LOW, LOW)).verdict == "supported"
    assert verdict(same, (LOW, HIGH)).verdict == "contradicted"
    assert verdict(same, (LOW, WIDE)).verdict == "undecided"
    assert verdict(f"{same} within 20 points", (LOW, HIGH)).verdict == "supported"


def test_levels_are_judged_by_the_interval_of_the_mean():
    for level, expected in ((0.75, "supported"), (0.9, "contradicted"), (0.808, "undecided")):
        assert verdict(f"the best test_accuracy is at least {level}", (LOW, HIGH)).verdict == expected
    assert verdict("test_accuracy of augment=none is below 75%", (LOW, HIGH)).verdict == "supported"
    assert verdict("test_accuracy of augment=none is above 75%", (LOW, HIGH)).verdict == "contradicted"


def test_the_best_is_better_than_every_other():
    vary = {"augment": ["none", "flip", "erase"]}
    assert verdict("augment=flip is the best", (LOW, HIGH, LOW), vary).verdict == "supported"
    assert verdict("augment=none is the best", (LOW, HIGH, LOW), vary).verdict == "contradicted"
    assert verdict("augment=flip is the best", (LOW, HIGH, WIDE), vary).verdict == "undecided"


def test_what_is_as_good_as_another_is_not_the_best():
    found = judged("augment=flip is the best", (LOW, HIGH, HIGH), smallest=0.02)
    assert found.verdict == "contradicted"
    assert found.why.startswith("Better than 1 of 2 others. flip and erase ")
    nearly = tuple(value + 0.0001 * (seed % 2) for seed, value in enumerate(HIGH))
    assert judged("augment=flip is the best", (LOW, HIGH, nearly), smallest=0.02).verdict == "contradicted"
    assert judged("augment=flip is the best", (LOW, HIGH, nearly)).verdict == "undecided"


def test_claimed_comparisons_are_not_corrected_for_those_that_nobody_claimed():
    near = tuple(value + shift for value, shift in zip(LOW, (0.013, 0.012, 0.014, 0.011, 0.013), strict=True))
    rows = (LOW, near, HIGH, HIGH[::-1], LOW[::-1], near[::-1])
    claim = "augment=flip is better than augment=none"
    alone = judged(claim, rows)
    beside = judged(claim, rows, tables=[ACCURACY])
    # The spread is that of all six settings, whichever are compared.
    raw = compare_settings(pd.DataFrame(dict(enumerate(rows)))).between("1", "0").p_single
    assert alone.numbers["p"] == pytest.approx(raw)
    # Half of the 5% is for the claims; the other 14 pairs have the other half.
    assert beside.numbers["p"] == pytest.approx(2 * raw)
    assert 15 * raw > 0.05 > 2 * raw and beside.verdict == "supported"


def test_a_partial_setting_is_compared_pair_by_pair_over_the_other_axes():
    # Epochs matter much more than the flip; in pairs the flip's two points are seen all the same.
    vary = {"augment": ["none", "flip"], "epochs": [1, 2]}
    up = tuple(value + 0.02 + shift for value, shift in zip(LOW, (0.001, 0, -0.001, 0.002, 0), strict=True))
    upper = tuple(value + 0.02 for value in HIGH)
    found = verdict("augment=flip is better than augment=none", (LOW, HIGH, up, upper), vary)
    assert found.verdict == "supported" and "2 pairs" in found.why
    assert found.numbers["difference"] == pytest.approx(0.0202)


@pytest.mark.parametrize("word", ["brightness(0.2)", "left", "right", "leftright"])
def test_a_verdict_calls_settings_as_the_claim_does(word):
    # Names may hold the words that the comparison goes by itself, left and right among them.
    vary = {"augment": ["none", "flip"], "epochs": [1, 2]}
    named = {"augment": {word: "brightness(0.2)", "none": "none"}, "epochs": [1, 2]}
    claim = f"augment={word} is better than augment=none"
    found = verdict(claim, (HIGH, HIGH, LOW, LOW), {**vary, **named})
    assert found.why.startswith(f"augment={word} is better than augment=none (+10.00 points, ")
    assert found.why.endswith(". Over 2 pairs of settings.")
    again = verdict(f"augment=none is worse than augment={word}", (HIGH, HIGH, LOW, LOW), {**vary, **named})
    assert again.why.startswith(f"augment=none is worse than augment={word} (−10.00 points, ")


def test_names_that_are_parts_of_others_stand_whole_in_a_verdict_over_several_pairs():
    vary = {"augment": ["none", "brightness(0.2)"], "epochs": [1, 2]}
    found = verdict("augment=brightness(0.2) is better than augment=none", (LOW, LOW, HIGH, HIGH), vary)
    assert found.why.startswith("augment=brightness(0.2) is better than augment=none (+10.00 points, ")
    assert found.why.endswith("Over 2 pairs of settings.")


def test_without_numbers_nothing_is_decided():
    for claim in ("augment=flip is better than augment=none", "the best test_accuracy is at least 0.1"):
        assert verdict(claim, ((), ())).verdict == "undecided"


def test_claims_are_judged_over_what_was_trained(runs):
    claims = [
        "optimizer.lr=5e-1 is better than the baseline",
        "recall of '0' of optimizer.lr=0.5 is at least 0%",
        "epochs to 1% validation_accuracy of optimizer.lr=0.5 is at most 5",
    ]
    result = run_here(Study(study_of(repeats=3, claims=claims, baseline={"optimizer.lr": 0.01}), runs=runs))
    assert [claim.verdict for claim in result.claims][1:] == ["supported", "supported"]
    assert result.claims[0].numbers["repeats"] == 3
    assert {"recall of '0'", "epochs to 0.01 validation_accuracy", "gap"} <= {m.name for m in result.metrics}


def test_published_numbers_get_a_word_and_a_reason(runs):
    rows = [
        {"optimizer.lr": "5e-1", "value": "1%"},
        {"optimizer.lr": 0.01, "value": 0.99},
        {"optimizer.lr": 7, "value": 0.5},
    ]
    table = {"source": "a book", "rows": rows}
    other = {"source": "another", "data": "mnist", "rows": rows[:1]}
    result = run_here(Study(study_of(published=[table, other], repeats=3), runs=runs))
    first, second = result.published
    assert [row.word for row in first.rows] == ["better", "worse", "not measured"]
    measured = [trial.metrics["test_accuracy"] for trial in result.settings[1].trials]
    assert first.rows[0].difference == pytest.approx(sum(measured) / 3 - 0.01)
    assert first.rows[0].low < first.rows[0].difference < first.rows[0].high
    assert second.rows[0].word == "not comparable" and "another data set: mnist" in second.rows[0].reason


@pytest.mark.parametrize("claim", ["is better than {} by at least 0.1 points", "is better than {}"])
def test_no_claim_in_favour_of_a_setting_rests_on_the_survivors_of_its_failures(claim):
    higher = (*HIGH[:3], "crash", "crash")
    text = "augment=flip " + claim.format("augment=none")
    assert judged(text, (LOW[:3], HIGH[:3])).verdict == "supported"
    found = judged(text, (LOW, higher))
    assert found.verdict == "undecided" and "seeds 3 and 4 died" in found.why


def test_settings_are_not_called_alike_by_the_survivors_of_one_of_them():
    near = tuple(value + 0.0001 * (-1) ** place for place, value in enumerate(LOW))
    claim = "augment=flip is no different from augment=none within 1 point"
    assert judged(claim, (LOW, near)).verdict == "supported"
    found = judged(claim, (LOW, (*near[:3], "error", "error")))
    assert found.verdict == "undecided" and "may differ by more" in found.why
