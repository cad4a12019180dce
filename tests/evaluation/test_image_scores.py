"""What each picture has to do with a score: against DeLong's variance by its definition, and the crossed intervals."""

from dataclasses import replace

import numpy as np
import pytest

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import crossed_difference, crossed_intervals, mean_scores, scores_by_image
from cnnlab.evaluation.intervals import Interval
from cnnlab.runs import Predictions

N = 80


def predictions(seed: int, order: np.ndarray | None = None) -> Predictions:
    """Of two classes by one output, which tells something of the targets."""
    images, training = np.random.default_rng(0), np.random.default_rng(seed)
    targets = np.arange(N) % 2
    outputs = 1.5 * targets - 0.75 + images.normal(0, 1, N) + training.normal(0, 0.5, N)
    order = np.arange(N) if order is None else order
    return Predictions(
        outputs={"label": outputs[order, None].astype(np.float32)},
        targets={"label": targets[order]},
        ids=[str(place) for place in order],
        objective="binary(column=label)",
        classes={"label": ("even", "odd")},
        data="digest",
        split="test",
    )


def right(one: Predictions) -> np.ndarray:
    """Whether the more likely class is the right one."""
    return (one.outputs["label"][:, 0] > 0) == (one.targets["label"] == 1)


def test_repeats_that_agree_vary_by_delongs_variance() -> None:
    one = predictions(1)
    found = scores_by_image("roc_auc", [one] * 3)
    logits, is_odd = one.outputs["label"][:, 0].astype(float), one.targets["label"] == 1
    ahead = logits[is_odd][:, None] - logits[~is_odd]
    wins = (ahead > 0) + (ahead == 0) / 2
    expected = sum(wins.mean(axis=axis).var(ddof=1) / (N / 2) for axis in (0, 1))
    assert found is not None and (found.kind, found.pairs, found.images) == ("area", N // 2, N)
    assert found.std_of_images() == pytest.approx(np.sqrt(expected))


def test_of_an_accuracy_they_are_the_crossed_intervals() -> None:
    repeats = [predictions(seed) for seed in (1, 2, 3)]
    found, expected = scores_by_image("accuracy", repeats), crossed_intervals([right(one) for one in repeats])
    assert found is not None
    new = found.on_new_images(expected.these_images, expected.mean)
    assert (new.low, new.high) == pytest.approx((expected.new_images.low, expected.new_images.high))


def test_pictures_in_another_order_are_put_in_that_of_the_first() -> None:
    repeats = [predictions(1), predictions(2, order=np.random.default_rng(5).permutation(N))]
    found = scores_by_image("accuracy", repeats)
    straight = scores_by_image("accuracy", [predictions(1), predictions(2)])
    assert found is not None and straight is not None
    assert np.array_equal(found.parts, straight.parts)
    with pytest.raises(UsageError, match="same pictures"):
        scores_by_image("accuracy", [repeats[0], replace(repeats[1], ids=[f"other {place}" for place in range(N)])])


def test_paired_differences_are_the_crossed_ones_and_unpaired_ones_have_the_pictures_in_common() -> None:
    first, second = [predictions(seed) for seed in (1, 2, 3)], [predictions(seed) for seed in (4, 5, 6)]
    left, other = scores_by_image("accuracy", first), scores_by_image("accuracy", second)
    expected = crossed_difference([right(one) for one in first], [right(one) for one in second])
    assert left is not None and other is not None
    paired, unpaired = (
        left.difference_on_new_images(other, expected.these_images, expected.mean, are_paired=is_paired, level=0.95)
        for is_paired in (True, False)
    )
    assert (paired.low, paired.high) == pytest.approx((expected.new_images.low, expected.new_images.high))
    # The same pictures are hard for trainings of one recipe: next to nothing of their chance is left in a difference.
    chance = (unpaired.width**2 - expected.these_images.width**2) / 4
    assert chance < (1.99 * left.std_of_images()) ** 2


def test_the_mean_of_a_score_with_itself_is_that_score() -> None:
    found = scores_by_image("roc_auc", [predictions(1), predictions(2)])
    assert found is not None
    these = Interval(0.8, 0.9)
    assert mean_scores([found, found]).on_new_images(these, 0.85) == found.on_new_images(these, 0.85)


def test_metrics_in_which_no_picture_has_a_part_have_none() -> None:
    one = predictions(1)
    for metric in ("loss", "balanced_accuracy", "f1", "calibration_error"):
        assert scores_by_image(metric, [one, one]) is None
    only = replace(one, targets={"label": np.ones(N, dtype=np.int64)})
    assert scores_by_image("roc_auc", [only, only]) is None
