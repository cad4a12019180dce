"""All that is tested in a study is one family with 5% in total."""

import numpy as np
import pytest
from known_values import ACCURACY, KnownStudy
from small_studies import study_of

from cnnlab.core.measurements import Measure, Metric
from cnnlab.evaluation.comparison.pair_tests import PairTest
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.statistics.comparisons import StudyComparisons
from cnnlab.studies.statistics.multiplicity import study_family
from cnnlab.studies.statistics.resolved_claims import resolve_claim
from cnnlab.studies.statistics.tables import Tables
from cnnlab.studies.statistics.verdicts import judge_claim
from cnnlab.studies.study_file import read_study

LOSS = Metric("test_loss", "test loss", "loss", "lower")
VARY = {"vary": {"augment": ["none", "flip", "erase", "invert"]}}


def family_of(*claims, metrics=(ACCURACY,), **keys):
    study_settings = StudySettings(read_study(study_of(**VARY, **keys)))

    def measure(name):
        return Measure(LOSS if name == "test_loss" else ACCURACY, lambda run: None)

    resolved = [resolve_claim(text, study_settings, measure) for text in claims]
    labels = [setting.key for setting in study_settings.settings]
    return study_family(resolved, metrics, labels, study_settings.baseline)


def shares(family):
    return [(group.metric, len(group.pairs), pytest.approx(group.share)) for group in family.groups]


def test_without_claims_the_tables_share_all_of_it_by_their_comparisons():
    # Six pairs of four settings, on each of two metrics.
    assert shares(family_of()) == [("test_accuracy", 6, 1.0)]
    assert shares(family_of(metrics=(ACCURACY, LOSS))) == [("test_accuracy", 6, 0.5), ("test_loss", 6, 0.5)]
    assert shares(family_of(baseline={"augment": "none"})) == [("test_accuracy", 3, 1.0)]


def test_claims_have_one_half_in_equal_parts_and_the_rest_of_the_tables_the_other():
    family = family_of(
        "augment=flip is better than augment=none",
        "augment=none is worse than augment=flip",
        "augment=erase is no different from augment=none on test_loss within 0.1",
        "the best test_accuracy is at least 0.5",
        "the best test_accuracy is at least 0.6",
    )
    # Three tests of claims: two pairs, of which one is claimed twice, and the best with both its levels.
    assert (family.claims, family.claim_share) == (3, pytest.approx(1 / 6))
    assert shares(family) == [("test_accuracy", 1, 1 / 6), ("test_loss", 1, 1 / 6), ("test_accuracy", 5, 0.5)]
    total = sum(group.share for group in family.groups) + family.claim_share
    assert total == pytest.approx(1)


def test_who_is_the_best_is_one_claim_and_its_comparisons_share_one_part():
    family = family_of("augment=flip is the best", "augment=flip is better than augment=none")
    # One pair is claimed by itself; the best has the other two with it; the table has the three without flip.
    assert shares(family) == [("test_accuracy", 1, 0.25), ("test_accuracy", 2, 0.25), ("test_accuracy", 3, 0.5)]


def test_a_search_tests_its_claims_alone():
    assert family_of("the best test_accuracy is at least 0.5", metrics=()).claim_share == 1


def test_what_the_family_is_stands_in_words():
    one = family_of("augment=flip is better than augment=none", metrics=(ACCURACY, LOSS))
    assert one.words.startswith(
        "All that is tested here is one family: 1 test of claims and 12 comparisons of settings on test accuracy and "
        "test loss. 1 of these comparisons is tested with the claims. The chance of any false call among them is 5% in "
        "total: half of it is for the claims, in equal parts, and half for the other comparisons."
    )
    assert family_of("the best test_accuracy is at least 0.5", metrics=()).words.endswith(
        "A false call has a chance of 5%."
    )
    assert family_of(metrics=()).words == ""


def test_the_comparisons_counted_are_those_that_stand_in_the_tables():
    # Among them are three of the setting claimed to be the best and one that is claimed by itself.
    claims = ("augment=flip is the best", "augment=erase is better than augment=none")
    rows = np.random.default_rng(0).normal(0.9, 0.004, (4, 3)).tolist()
    study = KnownStudy(rows, *claims)
    words = study.comparisons.family.words
    assert f"2 tests of claims and {len(study.table.comparisons)} comparisons of settings on test accuracy. " in words
    assert "4 of these comparisons are tested with the claims." in words


def test_where_all_comparisons_are_claimed_the_claims_have_all_of_the_error():
    study = KnownStudy([[0.9, 0.91, 0.9], [0.91, 0.9, 0.9]], "augment=flip is better than augment=none")
    assert study.comparisons.family.words == (
        "All that is tested here is one family: 1 test of claims and 1 comparison of settings on test accuracy. "
        "This comparison is tested with the claims. A false call has a chance of 5%."
    )
    (group,) = study.comparisons.family.groups
    assert group.share == 1


def test_a_comparison_is_adjusted_once_and_the_same_in_table_and_claim():
    generator = np.random.default_rng(3)
    rows = generator.normal(0.9, 0.004, (4, 3)) + np.array([[0.0], [0.008], [0.001], [0.0]])
    study = KnownStudy(
        rows.tolist(),
        "augment=flip is better than augment=none",
        "augment=none is worse than augment=flip",
        "augment=flip is no different from augment=none",
    )
    table = next(one for one in study.table.comparisons if (one.setting, one.reference) == ("s1", "s0"))
    assert {claim.numbers["p"] for claim in study.claims} == {table.p}
    assert [claim.numbers["verdict"] for claim in study.claims] == [
        table.verdict,
        {"better": "worse"}.get(table.verdict, table.verdict),
        table.verdict,
    ]
    assert study.claims[0].why == table.sentence
    for one in study.table.comparisons:
        is_called = one.p <= 0.05
        assert (one.verdict in ("better", "worse")) == is_called
        assert (f" is {one.verdict} than " in one.sentence) == is_called and ("not enough" in one.sentence) != is_called


def test_of_studies_in_which_nothing_differs_5_percent_call_anything(monkeypatch):
    monkeypatch.setattr(PairTest, "more", lambda self: None)
    claims = (
        "augment=flip is better than augment=erase",
        "augment=flip is the best on test_loss",
        "test_accuracy of augment=none is at least 0.9",
        "the best test_accuracy is at least 0.9",
    )
    study_settings = StudySettings(read_study(study_of(**VARY, repeats=4, baseline={"augment": "none"})))
    metrics = {"test_accuracy": ACCURACY, "test_loss": LOSS}
    resolved = [
        resolve_claim(text, study_settings, lambda name: Measure(metrics[name or "test_accuracy"], lambda run: None))
        for text in claims
    ]
    labels = {setting.key: setting.label for setting in study_settings.settings}
    family = study_family(resolved, list(metrics.values()), list(labels), study_settings.baseline)
    generator = np.random.default_rng(5)
    called, studies = 0, 100
    for _ in range(studies):
        drawn = {name: generator.normal(0.9, 0.004, (4, 4)) + generator.normal(0, 0.004, 4) for name in metrics}
        values = {
            name: {key: dict(enumerate(row)) for key, row in zip(labels, rows.tolist(), strict=True)}
            for name, rows in drawn.items()
        }
        tables = Tables(labels, range(4), metrics, values, study_settings.baseline)
        comparisons = StudyComparisons(tables, family)
        words = [one.verdict for metric in metrics.values() for one in comparisons.table(metric).comparisons]
        decided = [judge_claim(claim, comparisons).verdict for claim in resolved]
        called += bool({"better", "worse"} & set(words)) or decided != ["undecided"] * 4
    # Five expected at most; ten or more would come about once in forty.
    assert called <= 9
