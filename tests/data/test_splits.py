"""Splits: their sizes, their proportions, and that they stay the same."""

import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.core.errors import CnnlabWarning, UsageError
from cnnlab.data import TensorImages
from cnnlab.data.splits import choose_stratified, complete, count_of, default_counts


def numbered(labels: list[int]) -> TensorImages:
    """Pictures whose first pixels spell their place, so that each can be told from the others."""
    count = len(labels)
    pixels = torch.zeros(count, 1, 1, 3, dtype=torch.uint8)
    for digit in range(3):
        pixels[:, 0, 0, digit] = torch.arange(count) // 256**digit % 256
    names = tuple(map(str, range(max(labels) + 1)))
    return TensorImages(pixels, {"label": torch.tensor(labels)}, {"label": names})


def places(image_set: TensorImages) -> list[int]:
    pixels = image_set.batch(torch.arange(len(image_set)))[0].long()[:, 0, 0]
    return (pixels * torch.tensor([1, 256, 65536])).sum(1).tolist()


BALANCED = numbered([0, 1, 2, 3] * 250)


def test_default_test_is_a_fifth_and_validation_a_tenth_of_the_rest() -> None:
    sizes = {name: len(part) for name, part in complete({"train": BALANCED}).items()}
    assert sizes == {"train": 720, "validation": 80, "test": 200}


def test_default_validation_is_at_most_five_thousand() -> None:
    parts = complete({"train": numbered([0, 1] * 30_000), "test": BALANCED})
    assert len(parts["validation"]) == 5_000 and len(parts["train"]) == 55_000


def test_splits_hold_every_image_once() -> None:
    parts = complete({"train": BALANCED}, validation=0.3, test=55)
    assert sorted(place for part in parts.values() for place in places(part)) == list(range(1000))


def test_splits_keep_the_proportions_of_the_classes() -> None:
    labels = [0] * 600 + [1] * 300 + [2] * 100
    parts = complete({"train": numbered(labels)}, validation=0, test=0.2)
    assert parts["test"].targets["label"].bincount().tolist() == [120, 60, 20]


def test_rare_class_stays_in_train() -> None:
    parts = complete({"train": numbered([0] * 50 + [1])}, validation=0.4, test=0.4)
    assert 1 in parts["train"].targets["label"]


def test_zero_leaves_a_split_out() -> None:
    assert set(complete({"train": BALANCED}, validation=0, test=0)) == {"train"}
    assert set(complete({"train": BALANCED, "test": BALANCED}, validation=0, test=0)) == {"train"}


def test_split_whose_default_share_is_no_image_is_warned_of() -> None:
    with pytest.warns(CnnlabWarning) as caught:
        assert set(complete({"train": numbered([0, 1])})) == {"train"}
    test, validation = (str(warning.message) for warning in caught)
    assert "there is no test split, and no score on unseen pictures: a fifth of 2 pictures is none." in test
    assert "no validation split" in validation and "validation=1" in validation


def test_going_without_a_split_is_not_warned_of_where_it_was_asked_for() -> None:
    assert set(complete({"train": numbered([0, 1])}, validation=0, test=0)) == {"train"}


@pytest.mark.parametrize("count", [3, 5, 8, 12, 57])
def test_counts_told_beforehand_are_those_set_aside(count: int) -> None:
    told = default_counts({"train": numbered([0] * count)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CnnlabWarning)
        parts = complete({"train": numbered([0] * count)})
    assert told == {name: len(parts.get(name, ())) for name in ("test", "validation")}


def test_split_of_its_own_is_kept_and_no_other_size_taken() -> None:
    parts = {"train": BALANCED, "test": BALANCED.select(range(10))}
    assert complete(parts, test=10)["test"] is parts["test"]
    with pytest.raises(UsageError, match="test split of its own with 10"):
        complete(parts, test=0.5)


def test_float_targets_are_split_at_random() -> None:
    images = TensorImages(torch.zeros(10, 1, 1, 1, dtype=torch.uint8), {"age": torch.arange(10.0)})
    parts = complete({"train": images}, validation=0, test=3)
    assert len(parts["test"]) == 3
    assert parts["test"].targets["age"].tolist() != [0, 1, 2]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.data())
def test_choice_is_exact_stratified_and_repeatable(sizes: list[int], data: st.DataObject) -> None:
    strata = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    count = data.draw(st.integers(0, sum(sizes)))
    spare = data.draw(st.integers(0, 1))
    chosen = choose_stratified(strata, count, "test", spare=spare)
    assert len(set(chosen.tolist())) == len(chosen) == count
    assert torch.equal(chosen, choose_stratified(strata, count, "test", spare=spare))
    given_ = strata[chosen].bincount(minlength=len(sizes)).tolist()
    if count >= len(sizes) and spare == 0:
        assert min(given_) >= 1
    if count <= sum(size - 1 for size in sizes) and spare == 1:
        assert all(number < size for number, size in zip(given_, sizes, strict=True))


@given(st.lists(st.integers(50, 400), min_size=2, max_size=5), st.floats(0.05, 0.9))
def test_choice_is_within_one_of_the_proportion(sizes: list[int], fraction: float) -> None:
    strata = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    count = round(fraction * sum(sizes))
    given_ = strata[choose_stratified(strata, count, "test", spare=1)].bincount(minlength=len(sizes)).tolist()
    for number, size in zip(given_, sizes, strict=True):
        assert abs(number - size * count / sum(sizes)) < 1


@pytest.mark.parametrize("share", [-1, 1.5, True, "10", float("nan")])
def test_share_that_is_none_is_refused(share: object) -> None:
    with pytest.raises(UsageError, match="count of pictures or a fraction"):
        count_of("test", share, 100)  # type: ignore[arg-type]


@pytest.mark.parametrize(("share", "count"), [(0.25, 25), (7, 7), (1.0, 100), (50.0, 50), (0, 0)])
def test_share_is_a_fraction_or_a_count(share: float, count: int) -> None:
    assert count_of("test", share, 100) == count


def test_more_than_there_is_is_refused() -> None:
    with pytest.raises(UsageError, match="more than the 1,000"):
        complete({"train": BALANCED}, test=2_000)
    with pytest.raises(UsageError, match="no picture"):
        complete({"train": BALANCED}, test=1.0)
