"""What comparisons of settings say: their verdicts, what they leave out, and what it takes to see more."""

import numpy as np
import pytest
from known_values import KnownStudy, judged

from cnnlab.core.measurements import Metric
from cnnlab.evaluation import compare_settings
from cnnlab.studies.statistics.timing import untimed

SECONDS = Metric("seconds", "training time", "seconds", "lower")
BETTER = "augment=flip is better than augment=none"
SAME = "augment=flip is no different from augment=none"
LOW = (0.9900, 0.9902, 0.9899, 0.9903, 0.9901)
HIGH = (0.9952, 0.9955, 0.9951, 0.9954, 0.9953)
"""Half a point apart, seed by seed."""


def test_a_difference_that_is_there_and_does_not_matter_is_told_as_both():
    better, same = KnownStudy((LOW, HIGH), BETTER, SAME, tables=()).claims
    assert (better.verdict, same.verdict) == ("supported", "supported")
    assert same.why.startswith(
        "flip is better than none, by less than the margin of 1.00 points, which is taken where a claim names none "
        "(+0.52 points, "
    )
    named = judged(f"{SAME} within 2 points", (LOW, HIGH))
    assert "by less than the margin of 2.00 points (+0.52" in named.why
    # So too where the study says what matters.
    study = KnownStudy((LOW, HIGH), smallest=0.01)
    assert study.table.comparisons[0].sentence.startswith("flip is better than none, by less than 1.00 points (+0.52")


@pytest.mark.parametrize(
    ("margin", "verdict", "words"),
    [
        (0.1, "contradicted", "flip is better than none, by more than the margin of 0.10 points (+0.52"),
        (0.52, "undecided", "better than none, and not enough repeats to tell whether by more than the margin of 0.52"),
    ],
)
def test_the_margin_of_no_difference_is_always_written_out(margin, verdict, words):
    found = judged(f"{SAME} within {margin} points", (LOW, HIGH))
    assert found.verdict == verdict and words in found.why


def test_without_a_call_the_margin_is_written_out_too():
    wide = (0.97, 1.0, 0.98, 1.0, 0.99)
    found = judged(SAME, (LOW, wide))
    assert found.verdict == "undecided"
    assert "not enough repeats to tell whether they differ by more than the margin of 1.00 points" in found.why


def test_what_is_lacking_is_told_for_the_difference_seen_and_for_the_smallest_that_matters():
    generator = np.random.default_rng(2)
    rows = (generator.normal(0.9, 0.004, (4, 5)) + np.array([[0], [0.003], [0.0], [0.0]])).tolist()
    study = KnownStudy(rows, baseline={"augment": "none"}, smallest=0.01)
    frame = study.tables.frame("test_accuracy")
    seen, mattering = (compare_settings(frame, baseline="none", smallest=small) for small in (None, 0.01))
    undecided = [one for one in study.table.comparisons if one.verdict == "undecided"]
    assert undecided
    for one in undecided:
        label = study.tables.labels[one.setting]
        expected = [
            (abs(one.difference), "seen", seen.between(label, "none").more_repeats),
            (0.01, "smallest", mattering.between(label, "none").more_repeats),
        ]
        assert [(need.difference, need.what, need.more) for need in one.needed] == [
            (pytest.approx(size), what, more) for size, what, more in expected
        ]
        assert f"a difference of {100 * abs(one.difference):.2f} points, the one seen, takes " in one.sentence
        assert "and a difference of 1.00 points, the smallest that matters, " in one.sentence


@pytest.mark.parametrize("failure", ["memory", "crash", "error"])
def test_a_verdict_in_favour_of_what_failures_left_is_withheld(failure):
    rows = (LOW, (*HIGH[:4], failure))
    (one,) = KnownStudy(rows).table.comparisons
    assert one.verdict == "undecided" and one.p < 0.05 and not one.needed
    assert "undecided" in one.sentence and "what is left may look better than it is" in one.sentence
    assert judged(BETTER, rows).verdict == "undecided"
    assert judged(f"{BETTER} by at least 0.1 points", rows).verdict == "undecided"
    # Against the setting of which one failed it stands, and says what it leaves out.
    (other,) = KnownStudy(((*LOW[:4], failure), HIGH)).table.comparisons
    assert other.verdict == "better" and "1 of 5 repeats of none is left out: seed 4 " in other.sentence


def test_what_is_not_there_yet_is_told():
    (one,) = KnownStudy(((*LOW[:3], "missing", "missing"), HIGH)).table.comparisons
    assert one.sentence.endswith("2 of 5 repeats of none are left out: seeds 3 and 4 are not trained to the end yet.")


def test_settings_that_share_no_seed_have_no_verdict():
    rows = ((0.90, 0.91, 0.90, "missing", "missing", "missing"), ("missing",) * 3 + (0.99, 0.98, 0.99))
    (one,) = KnownStudy(rows).table.comparisons
    assert (one.verdict, one.p, one.low) == ("untested", None, None)
    assert "share fewer than two seeds" in one.sentence
    # A third setting may tell the spread, but not what the seeds do to these two.
    once = ((0.90, 0.91, 0.90, "missing"), ("missing", "missing", 0.99, 0.98), (0.80, 0.81, 0.80, 0.80))
    one = KnownStudy(once).table.comparisons[0]
    assert (one.setting, one.reference, one.verdict, one.repeats) == ("s1", "s0", "untested", 1)


def test_intervals_stay_within_what_is_possible():
    (one,) = KnownStudy(((0.60, 0.62, 0.61), (0.10, 0.60, 0.10))).table.comparisons
    assert one.low == -1.0 and one.high < 1.0


def test_pairs_of_settings_are_no_repeats():
    # What a seed does to the left side it does at every rate: three values a seed, and one of them new.
    vary = {"augment": ["none", "flip"], "optimizer.lr": [0.01, 0.1, 1.0]}
    generator, called = np.random.default_rng(4), 0
    for _ in range(100):
        seeds = generator.normal(0, 0.01, 3)
        left = [(0.9 + seeds + generator.normal(0, 0.001, 3)).tolist() for _ in range(3)]
        right = [(0.9 + generator.normal(0, 0.001, 3)).tolist() for _ in range(3)]
        called += judged(BETTER, [*right, *left], vary=vary).verdict != "undecided"
    assert called <= 9


def test_training_times_are_compared_only_where_each_run_was_timed_alone():
    rows, claim = ((10.0, 11.0, 10.5), (20.0, 21.0, 21.4)), f"{BETTER} on seconds"
    alone = KnownStudy(rows, claim, metric=SECONDS)
    assert alone.claims[0].verdict == "contradicted"
    assert alone.table.why.endswith("Each run was timed alone on one machine.")
    why = "training times are compared only where each run was timed alone on one machine, and here some were not"
    quicker = judged("augment=none is faster than augment=flip", rows, metric=SECONDS, untimed=why)
    assert quicker.verdict == "undecided" and why in quicker.why
    shared = KnownStudy(rows, claim, metric=SECONDS, untimed=why)
    assert shared.claims[0].verdict == "undecided" and why in shared.claims[0].why
    assert shared.table.comparisons[0].verdict == "untested"
    # Other metrics do not depend on what else ran.
    assert KnownStudy((LOW, HIGH), untimed=why).table.comparisons[0].verdict == "better"


class Timed:
    """A run's record of where and when."""

    def __init__(self, started, finished, processor="A", threads=1):
        self.started = started
        self.info = {
            "finished": finished,
            "environment": {"processor": processor, "cores": 2},
            "execution": {"device": "cpu", "threads": threads},
        }


def test_runs_are_timed_alone_where_none_began_before_another_ended():
    first, second, third = Timed("10:00", "10:10"), Timed("10:10", "10:30"), Timed("10:40", "10:50")
    assert untimed([third, first, second]) == ""
    assert "at the same time" in untimed([first, second, Timed("10:05", "10:06")])
    # One within another, and begun long after that began.
    assert "at the same time" in untimed([Timed("10:00", "11:00"), Timed("10:10", "10:11"), third])
    assert "processor (A, B)" in untimed([first, Timed("10:10", "10:30", "B")])
    assert "threads (1, 2)" in untimed([first, Timed("10:10", "10:30", threads=2)])
    assert untimed([]) == ""
