"""Studies without repeats: what their stored predictions can tell, and what not."""

import numpy as np
import pytest
from known_values import KnownStudy
from small_studies import run_here, study_of

from cnnlab.evaluation import compare_predictions
from cnnlab.evaluation.comparison.multiple_comparisons import holm
from cnnlab.runs import Predictions
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
    assert (comparison.difference, comparison.p) == (expected.difference, expected.p_value)
    assert expected.verdict == comparison.verdict == "differ"
    # Of two recipes a single run of each decides nothing.
    (claim,) = result.claims
    assert claim.verdict == "undecided" and claim.numbers["p"] == expected.p_value
    assert "differ on these pictures" in claim.why and "only repeats can tell" in claim.why
    assert result.to_dict()["families"][0]["comparisons"][0]["verdict"] == "differ"


@pytest.mark.parametrize(("baseline", "count"), [(None, 3), ({"optimizer.lr": 0.01}, 2)])
def test_several_are_adjusted_for_each_other(baseline, count, runs):
    keys = {"baseline": baseline} if baseline else {}
    study = Study(study_of(repeats=1, vary={"optimizer.lr": [0.01, 0.1, 0.5]}, **keys), runs=runs)
    result = run_here(study)
    (family,) = result.families
    assert (family.kind, len(family.comparisons)) == ("baseline" if baseline else "pairs", count)
    stored = {setting.key: study.runs()[setting.trials[0].run].predictions("test") for setting in result.settings}
    raw = [
        compare_predictions(stored[comparison.setting], stored[comparison.reference]).p_value
        for comparison in family.comparisons
    ]
    assert [comparison.p for comparison in family.comparisons] == pytest.approx(holm(raw))


def predictions(right) -> Predictions:
    return Predictions(
        outputs={"label": np.where(np.asarray(right)[:, None], [1, 0], [0, 1]).astype(np.float32)},
        targets={"label": np.zeros(len(right), dtype=np.int64)},
        ids=[str(place) for place in range(len(right))],
        objective="classes(column=none)",
        classes={"label": ("zero", "one")},
        data="digest",
        split="test",
    )


def single_runs(rights, *claims, **keys) -> KnownStudy:
    """A study of one training each, which has these pictures right."""
    rows = [[float(np.mean(right))] for right in rights]

    def image_by_image(metric, left, right, level):
        first, second = (predictions(rights[int(key[1:])]) for key in (left, right))
        names = study.tables.labels[left], study.tables.labels[right]
        return compare_predictions(first, second, names=names, level=level)

    study = KnownStudy(rows, *claims, image_by_image=image_by_image, **keys)
    return study


def test_trainings_of_one_recipe_may_differ_and_are_never_called_better():
    # Two of one recipe: each training draws an accuracy of its own around 90%, and 1,000 pictures show it.
    generator, fired = np.random.default_rng(0), 0
    for _ in range(40):
        rights = [generator.random(1000) < generator.normal(0.9, 0.015) for _ in range(2)]
        study = single_runs(rights, "augment=flip is better than augment=none", "augment=flip is the best")
        (comparison,) = study.table.comparisons
        fired += comparison.verdict == "differ"
        words = [comparison.sentence, *(claim.why for claim in study.claims)]
        assert not any(" better " in text.replace("which of them is better", "") for text in words)
        assert [claim.verdict for claim in study.claims] == ["undecided"] * 2
    # The test is of these classifiers, and finds that they differ in far more than one case in twenty.
    assert fired >= 8


def test_verdict_and_sentence_go_by_the_adjusted_p_value():
    # Each has 22 to 26 pictures right that the baseline has not, and 10 wrong that the baseline has right.
    base = np.zeros(359, dtype=bool)
    base[:180] = True
    rights = [base]
    for place in range(5):
        other = base.copy()
        other[170:180], other[200 : 222 + place] = False, True
        rights.append(other)
    study = single_runs(rights, baseline={"augment": "none"})
    raw = [compare_predictions(predictions(right), predictions(base)).p_value for right in rights[1:]]
    found = study.table.comparisons
    assert [one.p for one in found] == pytest.approx([min(1.0, p) for p in holm(raw)])
    # Some are below 5% by themselves and above it after the adjustment.
    assert any(p <= 0.05 < one.p for p, one in zip(raw, found, strict=True))
    for one in found:
        assert (one.verdict == "differ") == (one.p <= 0.05) == ("differ on these pictures" in one.sentence)
        assert ("not enough pictures to tell" in one.sentence) == (one.verdict == "undecided")
        assert f"{one.p:.2g}" in one.sentence


def test_the_interval_of_a_claim_with_a_margin_is_not_that_of_the_images():
    right = np.arange(1000) < 900
    study = single_runs(
        [right, right | (np.arange(1000) < 990)],
        "augment=flip is better than augment=none by at least 5 points",
        "augment=flip is no different from augment=none within 20 points",
    )
    assert [claim.verdict for claim in study.claims] == ["undecided", "undecided"]
    assert all("differ on these pictures" in claim.why for claim in study.claims)


def test_without_stored_predictions_nothing_is_tested_and_the_numbers_stay(runs):
    study = Study(study_of(repeats=1, claims=[CLAIM]), runs=runs)
    result = run_here(study)
    for setting in result.settings:
        (runs / setting.trials[0].run / "predictions" / "test.safetensors").unlink()
    (family,) = study.result().families
    assert family.comparisons[0].verdict == "untested" and "one repeat" in family.why
    assert "not compared picture by picture either" in family.cautions[-1]
    assert study.result().claims[0].verdict == "undecided"


def test_with_repeats_the_repeats_are_compared(runs):
    (family,) = run_here(Study(study_of(repeats=2), runs=runs)).families
    assert "McNemar" not in family.method


def test_before_anything_is_trained_there_is_nothing_to_compare(runs):
    assert Study(study_of(repeats=2), runs=runs).result().families == ()
