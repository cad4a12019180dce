"""Scores and differences on other pictures than those tested: the choice of pictures is a source of chance too."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from known_values import ACCURACY, KnownStudy, settings_of
from small_studies import run_here, study_of

from cnnlab.core.errors import DataError
from cnnlab.core.measurements import Metric
from cnnlab.evaluation import class_predictions, crossed_difference, crossed_intervals, run_intervals
from cnnlab.runs import Predictions, Run
from cnnlab.studies import Study
from cnnlab.studies.result import Setting, Trial
from cnnlab.studies.statistics.comparisons import StudyComparisons
from cnnlab.studies.statistics.multiplicity import study_family
from cnnlab.studies.statistics.new_images import NewImages, of_one_training
from cnnlab.studies.statistics.tables import Tables

AREA = Metric("test_roc_auc", "test roc auc", "share", "higher")
IMAGES = 300


def drawn(repeats: int, accuracy: float, seed: int, luck: float = 0.02) -> np.ndarray:
    """Trainings × pictures, of which some are hard for all."""
    generator = np.random.default_rng(seed)
    chances = np.clip(generator.beta(4, 1, IMAGES) + accuracy - 0.8 + generator.normal(0, luck, (repeats, 1)), 0, 1)
    return generator.random((repeats, IMAGES)) < chances


def predictions(right: np.ndarray, order: np.ndarray | None = None, sure: np.ndarray | None = None) -> Predictions:
    """Of two classes by one output, right or wrong about each picture, with the pictures in this order."""
    targets = np.arange(len(right)) % 2
    predicted = np.where(right, targets, 1 - targets)
    outputs = np.where(predicted, 1.0, -1.0)[:, None] * (np.ones(len(right)) if sure is None else sure)[:, None]
    order = np.arange(len(right)) if order is None else order
    return Predictions(
        outputs={"label": outputs[order].astype(np.float32)},
        targets={"label": targets[order]},
        ids=[str(place) for place in order],
        objective="binary(column=label)",
        classes={"label": ("even", "odd")},
        data="d",
        split="test",
    )


class Scored:
    """Settings of known predictions: their tables, and what they say of new pictures."""

    def __init__(self, *rights: np.ndarray, seeds: tuple[tuple[int, ...], ...] = (), shuffled: bool = False) -> None:
        generator = np.random.default_rng(9)
        self.stored: dict[str, Predictions] = {}
        settings = []
        for place, right in enumerate(rights):
            own = seeds[place] if seeds else tuple(range(len(right)))
            trials = []
            for seed, row in zip(own, right, strict=True):
                name = f"s{place}-{seed}"
                self.stored[name] = predictions(row, generator.permutation(IMAGES) if shuffled else None)
                trials.append(Trial(seed, "finished", name, metrics={ACCURACY.name: float(row.mean())}))
            settings.append(Setting(f"s{place}", f"s{place}", {}, {}, tuple(trials)))
        every = sorted({seed for own in seeds for seed in own}) or list(range(len(rights[0])))
        self.tables = Tables.of(settings, every, [ACCURACY], images={ACCURACY.name: IMAGES})
        self.new_images = NewImages(settings, self.read)

    def read(self, run: str, split: str) -> Predictions:
        """As a store has them."""
        return self.stored[run]

    def summary(self, key: str = "s0") -> Any:
        """Of a setting's accuracy."""
        return self.new_images.of_mean(self.tables.summary(ACCURACY, key), ACCURACY, key)


@pytest.mark.parametrize("shuffled", [False, True])
def test_an_accuracy_has_the_crossed_intervals_of_its_predictions(shuffled: bool) -> None:
    right = drawn(3, 0.8, seed=1)
    found, expected = Scored(right, shuffled=shuffled).summary(), crossed_intervals(right)
    assert (found.low, found.high) == pytest.approx((expected.these_images.low, expected.these_images.high))
    assert (found.new_low, found.new_high) == pytest.approx((expected.new_images.low, expected.new_images.high))
    assert found.std_of_images == pytest.approx(expected.std_of_images)


def test_two_repeats_that_differ_much_leave_the_interval_for_new_pictures_the_wider() -> None:
    # Student's t with one degree of freedom beside Wilson's: the one with more chance in it was the narrower once.
    right = np.stack([np.arange(IMAGES) < 240, np.arange(IMAGES) < 243])
    found = Scored(right).summary()
    assert found.new_low < found.low < found.high < found.new_high


def compared(scored: Scored, *, is_blocked: bool = True, **keys: Any) -> Any:
    """The first setting against the second, by the study's own tables."""
    tables = replace(scored.tables, is_blocked=is_blocked)
    family = study_family([], [ACCURACY], list(tables.labels), None)
    return StudyComparisons(tables, family, new_images=scored.new_images).between(ACCURACY.name, "s0", "s1")


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_difference_has_the_crossed_intervals_of_its_predictions(shuffled: bool) -> None:
    first, second = drawn(4, 0.85, seed=1), drawn(4, 0.8, seed=2)
    found, expected = compared(Scored(first, second, shuffled=shuffled)), crossed_difference(first, second)
    assert (found.low, found.high) == pytest.approx((expected.these_images.low, expected.these_images.high))
    assert (found.new_low, found.new_high) == pytest.approx((expected.new_images.low, expected.new_images.high))
    assert found.new_low < found.low < found.high < found.new_high


def test_turned_round_it_has_the_same_interval_with_the_other_sign() -> None:
    first, second = drawn(4, 0.85, seed=1), drawn(4, 0.8, seed=2)
    one, other = compared(Scored(first, second)), compared(Scored(second, first))
    assert (one.new_low, one.new_high) == pytest.approx((-other.new_high, -other.new_low))


def test_seeds_that_one_of_them_lacks_are_left_out_of_the_pictures() -> None:
    first, second = drawn(4, 0.85, seed=1), drawn(3, 0.8, seed=2)
    found = compared(Scored(first, second, seeds=((0, 1, 2, 3), (0, 2, 3))))
    expected = crossed_difference(first[[0, 2, 3]], second)
    images = (found.new_high - found.new_low) ** 2 - (found.high - found.low) ** 2
    wanted = expected.new_images.width**2 - expected.these_images.width**2
    assert images == pytest.approx(wanted)


def test_repeats_that_share_no_seeds_share_their_pictures_still() -> None:
    # One recipe twice on the same pictures: what is hard is hard for both, and falls out of the difference.
    right = drawn(8, 0.8, seed=1, luck=0.0)
    scored = Scored(right[:4], right[4:], seeds=((0, 1, 2, 3), (4, 5, 6, 7)))
    found = compared(scored, is_blocked=False)
    assert found.new_low <= found.low < found.high <= found.new_high
    of_images = ((found.new_high - found.new_low) ** 2 - (found.high - found.low) ** 2) / 4
    alone = crossed_intervals(right[:4]).std_of_images
    assert of_images < (1.96 * alone) ** 2 / 2


def test_where_it_does_not_hold_on_new_pictures_the_sentence_says_so() -> None:
    # The second has the same few pictures wrong in every training that the first has right.
    first = np.ones((5, IMAGES), bool)
    first[:, :30] = False
    second, both = first.copy(), np.random.default_rng(3)
    first[:, 30:41], second[:, 41:49] = False, False
    for row in range(5):
        first[row, both.integers(60, IMAGES)] = second[row, both.integers(60, IMAGES)] = False
    found = compared(Scored(first, second))
    assert (found.verdict, found.is_for_these_images) == ("worse", True)
    assert (
        "s0 is worse than s1 on these pictures, and perhaps not on new ones like these (−1.00 points" in found.sentence
    )
    assert f"on these pictures and {'−'}" in found.sentence and " on new ones like these, p" in found.sentence


def test_a_claim_over_several_pairs_has_both_intervals() -> None:
    rights = [drawn(3, accuracy, seed) for seed, accuracy in enumerate((0.8, 0.82, 0.86, 0.88))]
    vary = {"vary": {"augment": ["none", "flip"], "optimizer.lr": [0.1, 0.2]}}
    rows = [right.mean(axis=1).tolist() for right in rights]
    study = KnownStudy(rows, "augment=flip is better than augment=none", images=IMAGES, **vary)
    stored = {
        f"{s.key}-{trial.seed}": row
        for s, right in zip(study.settings, rights, strict=True)
        for trial, row in zip(s.trials, right, strict=True)
    }
    settings = [
        Setting(
            s.key,
            s.label,
            s.values,
            {},
            tuple(Trial(t.seed, "finished", f"{s.key}-{t.seed}", metrics=t.metrics) for t in s.trials),
        )
        for s in study.settings
    ]
    study.comparisons.new_images = NewImages(settings, lambda run, split: predictions(stored[run]))
    (claim,) = study.claims
    expected = crossed_difference((rights[2] * 1.0 + rights[3]) / 2, (rights[0] * 1.0 + rights[1]) / 2)
    assert claim.numbers["new_low"] < claim.numbers["low"] < claim.numbers["high"] < claim.numbers["new_high"]
    assert "on these pictures and" in claim.why
    assert expected.mean == pytest.approx(claim.numbers["difference"])


def test_a_claim_of_a_level_has_both_intervals() -> None:
    right = drawn(4, 0.85, seed=1)
    scored = Scored(right, right)
    study = KnownStudy(
        [right.mean(axis=1).tolist()] * 2, "test_accuracy of augment=flip is at least 0.5", images=IMAGES
    )
    study.comparisons.new_images, expected = scored.new_images, crossed_intervals(right, level=0.975)
    ((claim, numbers),) = [(claim, claim.numbers) for claim in study.claims]
    # Half of the error is for the one comparison of the table.
    assert (numbers["low"], numbers["high"]) == pytest.approx((expected.these_images.low, expected.these_images.high))
    assert (numbers["new_low"], numbers["new_high"]) == pytest.approx(
        (expected.new_images.low, expected.new_images.high)
    )
    assert " on these pictures and " in claim.why and " on new ones like these, n=4), against 50.00%." in claim.why


def test_a_claim_of_the_best_has_both_intervals_and_says_where_new_pictures_may_decide_otherwise() -> None:
    right, other = drawn(4, 0.85, seed=1), drawn(4, 0.7, seed=2)
    rows = [right.mean(axis=1).tolist(), other.mean(axis=1).tolist()]
    # Half of the error is for the comparison; from below it is shared by the two settings.
    whole = crossed_intervals(right, level=0.9875)
    level = (whole.these_images.low + whole.new_images.low) / 2
    study = KnownStudy(rows, f"the best test_accuracy is at least {level:.6f}", images=IMAGES)
    study.comparisons.new_images = Scored(right, other).new_images
    (claim,) = study.claims
    assert claim.verdict == "supported" and claim.numbers["new_low"] == pytest.approx(whole.new_images.low)
    assert claim.numbers["new_high"] == pytest.approx(crossed_intervals(right, level=0.975).new_images.high)
    assert "for the best setting, whichever it is, " in claim.why
    assert claim.why.endswith("That is so on these pictures, and perhaps not on new ones like these.")


def test_an_area_has_both_intervals_too() -> None:
    generator = np.random.default_rng(4)
    sure = generator.exponential(1, (3, IMAGES)) + generator.exponential(1, IMAGES)
    stored = {f"r{k}": predictions(row, sure=sure[k]) for k, row in enumerate(drawn(3, 0.8, seed=5))}
    areas = [run_area(one) for one in stored.values()]
    trials = tuple(Trial(k, "finished", f"r{k}", metrics={AREA.name: area}) for k, area in enumerate(areas))
    setting = Setting("s0", "s0", {}, {}, trials)
    tables = Tables.of([setting], range(3), [AREA], images={AREA.name: IMAGES})
    found = NewImages([setting], lambda run, split: stored[run]).of_mean(tables.summary(AREA, "s0"), AREA, "s0")
    assert found.new_low < found.low < found.high < found.new_high <= 1


def run_area(one: Predictions) -> float:
    """By its definition."""
    logits, is_odd = one.outputs["label"][:, 0], one.targets["label"] == 1
    ahead = logits[is_odd][:, None] - logits[~is_odd]
    return float(((ahead > 0) + (ahead == 0) / 2).mean())


@pytest.mark.parametrize("name", ["test_loss", "test_balanced_accuracy", "gap", "epochs to 0.9 test_accuracy"])
def test_only_where_pictures_have_a_part_are_they_drawn(name: str) -> None:
    metric, scored = Metric(name, name, "share", "higher"), Scored(drawn(3, 0.8, seed=1))
    summary = scored.tables.summary(ACCURACY, "s0")
    assert scored.new_images.of_mean(summary, metric, "s0") == summary


def test_where_predictions_are_gone_or_of_other_pictures_nothing_is_said() -> None:
    def gone(run: str, split: str) -> Any:
        raise DataError("they were deleted")

    scored = Scored(drawn(3, 0.85, seed=1), drawn(3, 0.8, seed=2))
    summary = scored.tables.summary(ACCURACY, "s0")
    assert NewImages(settings_of([[0.9, 0.9, 0.9]] * 2), gone).of_mean(summary, ACCURACY, "s0") == summary
    for seed in range(3):
        stored = scored.stored[f"s1-{seed}"]
        scored.stored[f"s1-{seed}"] = replace(stored, ids=[f"other {name}" for name in stored.ids])
    assert scored.summary().new_low is not None
    found = compared(scored)
    assert found.low is not None and found.new_low is None
    assert "on new ones" not in found.sentence


def test_a_study_shows_both_intervals_of_its_accuracies_and_differences(runs) -> None:
    study = Study(study_of(repeats=3), runs=runs)
    result, right = run_here(study), {}
    for setting in result.settings:
        summary = setting.summary("test_accuracy")
        stored = [study.analysis._predictions(str(trial.run), "test") for trial in setting.finished]
        right[setting.key] = np.stack([class_predictions(one).right for one in stored])
        expected = crossed_intervals(right[setting.key])
        assert (summary.new_low, summary.new_high) == pytest.approx((expected.new_images.low, expected.new_images.high))
        assert summary.mean == pytest.approx(expected.mean)
    (found,) = result.families[0].comparisons
    expected = crossed_difference(right[found.setting], right[found.reference])
    assert (found.new_low, found.new_high) == pytest.approx((expected.new_images.low, expected.new_images.high))
    stored = study.record.read_result()
    assert stored.settings[0].summary("test_accuracy").new_low == result.settings[0].summary("test_accuracy").new_low
    assert stored.families[0].comparisons[0] == found


def test_a_single_training_judged_by_an_area_has_delongs_interval(runs, tmp_path) -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 300)
    images = (generator.integers(0, 200, (300, 8, 8)) + 40 * labels[:, None, None]).astype(np.uint8)
    np.savez(tmp_path / "two.npz", images=images, labels=labels)
    base = study_of()["base"] | {"data": str(tmp_path / "two.npz"), "objective": "binary"}
    study = Study(study_of(base=base, metrics=["test_roc_auc"]), runs=runs)
    result = run_here(study)
    for setting in result.settings:
        summary = setting.summary("test_roc_auc")
        expected = run_intervals(Run(study.store.root / str(setting.finished[0].run)))["test"]["roc_auc"]
        assert (summary.n, summary.low, summary.high) == (1, expected.low, expected.high)
        assert summary.interval.startswith("DeLong, ")
    assert of_one_training([], Run(study.store.root / str(result.settings[0].finished[0].run))) == []
