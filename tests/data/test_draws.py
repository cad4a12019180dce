"""Samples of the training pictures that a seed draws: shares and bootstraps."""

import numpy as np
import pytest

from cnnlab import data
from cnnlab.core.errors import UsageError
from cnnlab.data import Dataset


def drawn(subset: float | str, seed: int = 0) -> Dataset:
    return data.load_data("digits", subset=subset, seed=seed)


def held_out(dataset: Dataset) -> list[str]:
    assert dataset.held_out is not None and dataset.held_out.split == "train@out-of-bag"
    return list(dataset.held_out.images.ids)


@pytest.mark.parametrize("subset", [0.6, "bootstrap"])
def test_what_is_drawn_depends_on_the_seed_alone(subset: float | str) -> None:
    first, again, other = drawn(subset), drawn(subset), drawn(subset, seed=1)
    assert first.digest == again.digest != other.digest
    assert first.whole_digest == other.whole_digest == data.load_data("digits").digest


@pytest.mark.parametrize("subset", [0.6, "bootstrap"])
def test_validation_and_test_stay_whole(subset: float | str) -> None:
    whole, part = data.load_data("digits"), drawn(subset)
    assert (part.validation.digest, part.test.digest) == (whole.validation.digest, whole.test.digest)


@pytest.mark.parametrize("subset", [0.6, "bootstrap"])
def test_all_that_was_not_drawn_is_out_of_bag(subset: float | str) -> None:
    whole, part = data.load_data("digits"), drawn(subset)
    assert set(part.train.ids) | set(held_out(part)) == set(whole.train.ids)
    assert not set(part.train.ids) & set(held_out(part))
    facts = part.source["drawn"]
    assert (facts["of"], facts["out_of_bag"]) == (len(whole.train), len(held_out(part)))
    assert facts["different"] == len(set(part.train.ids))


def test_a_bootstrap_draws_of_each_class_as_many_as_there_are_with_replacement() -> None:
    whole, part = data.load_data("digits"), drawn("bootstrap")
    assert part.train.targets["label"].bincount().tolist() == whole.train.targets["label"].bincount().tolist()
    distinct = len(set(part.train.ids)) / len(whole.train)
    # Of n draws from n, 1 - (1 - 1/n)^n are different ones: nearly 1 - 1/e.
    assert distinct == pytest.approx(1 - np.exp(-1), abs=0.03)


def test_how_often_a_picture_is_drawn_is_binomial() -> None:
    whole = data.load_data("digits")
    place = {name: number for number, name in enumerate(whole.train.ids)}
    counts = np.zeros(len(whole.train))
    for seed in range(30):
        for name in drawn("bootstrap", seed).train.ids:
            counts[place[name]] += 1
    # Each mean of 30 numbers with variance 1 - 1/n_c.
    assert counts.mean() == 30
    assert counts.var() == pytest.approx(30 * (1 - 1 / 130), rel=0.15)


def test_a_share_is_stratified_without_replacement_and_lies_in_a_larger_one_of_its_seed() -> None:
    small, large = drawn(0.2, seed=7), drawn(0.5, seed=7)
    assert set(small.train.ids) < set(large.train.ids)
    assert len(set(large.train.ids)) == len(large.train) == 647
    assert np.ptp(small.train.targets["label"].bincount().numpy()) <= 1
    assert not set(small.train.ids) <= set(drawn(0.5, seed=8).train.ids)


def test_a_count_is_the_same_for_all_seeds() -> None:
    first, other = (data.load_data("digits", subset=100, seed=seed) for seed in (0, 1))
    assert first.digest == other.digest and first.held_out is None and "drawn" not in first.source


def test_a_share_goes_with_folds() -> None:
    part = data.load_data("digits", subset=0.5, folds=2, fold=1, seed=3)
    sample = drawn(0.5, seed=3)
    assert set(part.train.ids) | set(held_out_fold(part)) == set(sample.train.ids)
    assert part.whole_digest == data.load_data("digits").digest


def held_out_fold(dataset: Dataset) -> list[str]:
    assert dataset.held_out is not None and dataset.held_out.split == "train@out-of-fold"
    return list(dataset.held_out.images.ids)


def test_a_set_that_was_drawn_before_is_whole_to_the_next_training() -> None:
    first, other = drawn("bootstrap", 0), drawn("bootstrap", 1)
    again = [data.load_data(each, subset="bootstrap", seed=5).whole_digest for each in (first, other)]
    assert again == [first.digest, other.digest]


def test_a_share_of_no_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="leaves nothing of the 1,294 pictures of train"):
        drawn(0.0001)
