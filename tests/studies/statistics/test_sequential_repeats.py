"""Repeats that are added until claims are decided: looks, their error, and what is told of them."""

from dataclasses import replace

import numpy as np
import pytest
from known_values import ACCURACY, KnownStudy
from scipy import stats
from small_studies import run_here, study_of

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import until
from cnnlab.evaluation.comparison.pair_tests import PairTest
from cnnlab.studies import Study
from cnnlab.studies.sequential_repeats import Until, looks_of
from cnnlab.studies.statistics.comparisons import StudyComparisons
from cnnlab.studies.statistics.multiplicity import SequentialLook
from cnnlab.studies.statistics.verdicts import judge_claim
from cnnlab.studies.study_file import read_study

CLAIM = "optimizer.lr=5e-1 is better than optimizer.lr=1e-6"
RATES = {"vary": {"optimizer.lr": [1e-6, 0.5]}}


def test_it_is_written_as_a_call_and_read_back() -> None:
    file = read_study(study_of(repeats="until(claims, most=6)", claims=["augment=flip is the best"]))
    assert file.adds_repeats == Until("claims", most=6)
    assert file.repeats == "until(what=claims, most=6, first=3, every=1)"
    assert read_study(file.model_dump(exclude_none=True)).adds_repeats == file.adds_repeats


@pytest.mark.parametrize(
    ("repeats", "message"),
    [
        ("until(claim, most=6)", "claims"),
        ("until(claims)", "most"),
        ("until(claims, most=1)", "at least 2"),
        ("until(claims, most=5)", "needs claims to decide"),
    ],
)
def test_what_cannot_be_meant_is_refused(repeats: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_study(study_of(repeats=repeats))


def test_a_search_has_its_repeats_fixed() -> None:
    search = {"vary": {"optimizer.lr": "log(1e-3, 1)"}, "design": "random(trials=3)"}
    with pytest.raises(UsageError, match="give repeats as a number"):
        Study(study_of(repeats="until(claims, most=5)", claims=["the best test_accuracy is at least 0.1"], **search))


def test_it_stops_when_its_claims_are_decided_and_tells_of_its_looks(runs) -> None:
    study = Study(study_of(**RATES, claims=[CLAIM], repeats="until(claims, most=6, first=2, every=2)"), runs=runs)
    result = run_here(study)
    assert result.looks is not None and result.looks.planned == (2, 4, 6)
    made = result.looks.made
    assert result.claims[0].verdict == "supported" or made == (2, 4, 6)
    assert made == (2, 4, 6)[: len(made)] and result.seeds == tuple(range(made[-1]))
    assert all(len(setting.finished) == made[-1] for setting in result.settings)
    assert result.finished is not None
    # What was decided stays so, and nothing more is trained.
    again = Study.load(study.name, runs=runs)
    assert again.result().seeds == result.seeds
    assert run_here(again).looks == result.looks


def test_undecided_claims_take_all_repeats_there_may_be(runs) -> None:
    same = {"vary": {"optimizer.momentum": [0.0, 1e-7]}}
    claim = "optimizer.momentum=0.0 is better than optimizer.momentum=1e-7 by at least 50 points"
    rule = "until(claims, most=3, first=2)"
    opposite = claim.replace("at least 50", "at least 0.001")
    result = run_here(Study(study_of(**same, claims=[opposite], repeats=rule), runs=runs))
    assert result.looks is not None and result.looks.made[-1] == len(result.seeds) <= 3


def test_before_the_first_look_nothing_is_told(runs) -> None:
    study = Study(study_of(**RATES, claims=[CLAIM], repeats="until(claims, most=5)"), runs=runs)
    result = study.result()
    assert result.seeds == (0, 1, 2)
    assert (result.claims[0].verdict, result.finished) == ("undecided", None)
    assert "next look at the numbers comes after 3 repeats" in result.claims[0].why
    assert result.looks is not None and result.looks.words.endswith("There was no look yet.")


def test_repeats_that_are_raised_after_a_look_are_counted_and_their_price_is_told(runs) -> None:
    for repeats in (2, 3):
        result = run_here(Study(study_of(**RATES, claims=[CLAIM], repeats=repeats), runs=runs))
    assert result.looks is not None and result.looks.made == (2, 3)
    assert "looks after 2 and 3" in result.looks.words and "not in 5%" in result.looks.words
    other = run_here(Study(study_of(vary={"optimizer.lr": [1e-6, 0.4]}, repeats=2), runs=runs))
    assert other.looks is None


def test_the_price_of_looks_is_how_often_equal_settings_are_called_at_one_of_them() -> None:
    found = looks_of((3, 4, 5, 6), None)
    drawn = np.random.default_rng(1).normal(0, 1, (20_000, 6))
    p = [stats.ttest_1samp(drawn[:, :repeats], 0, axis=1).pvalue for repeats in (3, 4, 5, 6)]
    assert found is not None and found.false_call == pytest.approx((np.array(p) <= 0.05).any(axis=0).mean(), abs=0.008)
    assert looks_of((3,), None) is None


def test_equal_settings_are_seldom_called_at_any_look_of_a_study(monkeypatch) -> None:
    # How many repeats are lacking is told of each, takes nine tenths of the time, and changes no verdict.
    monkeypatch.setattr(PairTest, "more", lambda pair_test: None)
    design, generator, calls = until(5), np.random.default_rng(2), 0
    for _ in range(60):
        rows = 0.9 + generator.normal(0, 0.004, (3, 5)) + generator.normal(0, 0.004, 5)
        calls += any(_is_called(rows[:, :repeats], SequentialLook(design, repeats)) for repeats in design.looks)
    assert calls <= stats.binom.ppf(0.999, 60, 0.05)


def _is_called(rows: np.ndarray, look: SequentialLook) -> bool:
    study = KnownStudy(rows.tolist(), "augment=flip is better than augment=none", tables=[ACCURACY])
    comparisons = StudyComparisons(study.tables, replace(study.comparisons.family, look=look))
    table = comparisons.table(ACCURACY)
    claimed = [judge_claim(resolved, comparisons).verdict for resolved in study.resolved]
    assert table is not None
    return claimed != ["undecided"] or any(one.verdict in ("better", "worse") for one in table.comparisons)


def test_each_look_has_less_than_the_whole_error() -> None:
    rows = ((0.90, 0.91, 0.90), (0.95, 0.96, 0.955))
    alone = KnownStudy(rows, tables=[ACCURACY])
    first = StudyComparisons(alone.tables, replace(alone.comparisons.family, look=SequentialLook(until(10), 3)))
    once, looked = alone.comparisons.between("test_accuracy", "s1", "s0"), first.between("test_accuracy", "s1", "s0")
    assert once.p is not None and looked.p is not None
    # Of 5% the first of the looks at 3, 4, … 10 repeats has 0.09.
    assert looked.p / once.p == pytest.approx(1 / 0.09, rel=0.05)
    assert looked.low is not None and once.low is not None and looked.low < once.low
