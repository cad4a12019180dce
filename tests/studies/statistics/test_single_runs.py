"""Studies without repeats: what their stored predictions can tell."""

import pytest
from small_studies import run_here, study_of

from cnnlab.evaluation import compare_predictions
from cnnlab.evaluation.comparison.multiple_comparisons import holm
from cnnlab.studies import Study

CLAIM = "optimizer.lr=0.5 is better than optimizer.lr=0.01"


def test_single_runs_are_compared_on_the_same_images(runs):
    study = Study(study_of(repeats=1, claims=[CLAIM]), runs=runs)
    result = run_here(study)
    trained = {setting.label: study.runs()[setting.trials[0].run].predictions("test") for setting in result.settings}
    expected = compare_predictions(trained["0.5"], trained["0.01"])
    (family,) = result.families
    (comparison,) = family.comparisons
    assert family.method == "Exact McNemar test" and "only repeats can tell" in family.why
    assert (comparison.difference, comparison.p, comparison.verdict) == (
        expected.difference,
        expected.p_value,
        expected.verdict,
    )
    # Of two recipes a single run of each decides nothing.
    (claim,) = result.claims
    assert claim.verdict == "undecided" and claim.numbers["p_value"] == expected.p_value
    assert "on these pictures" in claim.why and "only repeats can tell" in claim.why


@pytest.mark.parametrize(("baseline", "count"), [(None, 3), ({"optimizer.lr": 0.01}, 2)])
def test_several_are_adjusted_for_each_other(baseline, count, runs):
    keys = {"baseline": baseline} if baseline else {}
    result = run_here(Study(study_of(repeats=1, vary={"optimizer.lr": [0.01, 0.1, 0.5]}, **keys), runs=runs))
    (family,) = result.families
    assert (family.kind, len(family.comparisons)) == ("baseline" if baseline else "pairs", count)
    study = Study(study_of(repeats=1, vary={"optimizer.lr": [0.01, 0.1, 0.5]}), runs=runs)
    stored = {setting.key: study.runs()[setting.trials[0].run].predictions("test") for setting in result.settings}
    raw = [
        compare_predictions(stored[comparison.setting], stored[comparison.reference]).p_value
        for comparison in family.comparisons
    ]
    assert [comparison.p for comparison in family.comparisons] == pytest.approx(holm(raw))


def test_without_stored_predictions_nothing_is_tested_and_the_numbers_stay(runs):
    study = Study(study_of(repeats=1, claims=[CLAIM]), runs=runs)
    result = run_here(study)
    for setting in result.settings:
        (runs / setting.trials[0].run / "predictions" / "test.safetensors").unlink()
    (family,) = study.result().families
    assert family.comparisons[0].verdict == "untested" and "one repeat" in family.why
    assert study.result().claims[0].verdict == "undecided"


def test_with_repeats_the_repeats_are_compared(runs):
    (family,) = run_here(Study(study_of(repeats=2), runs=runs)).families
    assert "McNemar" not in family.method


def test_before_anything_is_trained_there_is_nothing_to_compare(runs):
    assert Study(study_of(repeats=2), runs=runs).result().families == ()
