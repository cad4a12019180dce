"""What ``subset`` keeps of each split."""

import numpy as np
import pytest
import torch

from cnnlab import data
from cnnlab.core.errors import CnnlabError, SpecError, UsageError
from cnnlab.data import Dataset, TensorImages
from cnnlab.data.subset import read_subset
from cnnlab.training import Recipe


def images(count: int, seed: int = 0) -> TensorImages:
    """Pictures that are all different, ten classes in turn."""
    pixels = torch.randint(256, (count, 1, 4, 4), generator=torch.Generator().manual_seed(seed))
    names = tuple(map(str, range(10)))
    return TensorImages(pixels.to(torch.uint8), {"label": torch.arange(count) % 10}, {"label": names})


WHOLE = Dataset("made", images(1000, 1), images(200, 2), images(400, 3))


def sizes(dataset: Dataset) -> tuple[int, ...]:
    return tuple(len(part) for _, part in dataset.parts())


def ids(part: data.ImageSet) -> set[str]:
    return set(part.ids)


@pytest.mark.parametrize(
    ("subset", "expected"),
    [
        (500, (500, 100, 200)),
        (250.0, (250, 50, 100)),
        (1000, (1000, 200, 400)),
        # A twentieth would be 10 and 20; of 30 pictures it is one of each class.
        (50, (50, 10, 20)),
        (30, (30, 10, 12)),
        ("splits(train=30)", (30, 200, 400)),
        ("splits(train=0.5, validation=20, test=0.1)", (500, 20, 40)),
        ("splits(test=40)", (1000, 200, 40)),
    ],
)
def test_a_count_scales_all_splits_alike_unless_told_otherwise(subset, expected) -> None:
    part = data.load_data(WHOLE, subset=subset)
    assert sizes(part) == expected
    assert part.source["subset_of"] == {"train": 1000, "validation": 200, "test": 400}
    for _, images in part.parts():
        counts = np.bincount(images.targets["label"], minlength=10)
        assert counts.max() - counts.min() <= 1


def test_a_split_whose_number_is_asked_for_is_left_alone() -> None:
    # digits: 1,797 pictures, no splits of their own.
    assert sizes(data.load_data("digits", subset=100)) == (100, 11, 28)
    assert sizes(data.load_data("digits", subset=100, test=300)) == (100, 11, 300)
    assert sizes(data.load_data("digits", subset=100, test=300, validation=50)) == (100, 50, 300)
    # A share is one of the smaller set too.
    assert sizes(data.load_data("digits", subset=100, validation=0.5)) == (100, 100, 50)


def test_the_smaller_of_two_subsets_lies_within_the_larger_in_every_split() -> None:
    whole, small, large = (data.load_data("digits", subset=count) for count in (None, 100, 500))
    for (_, few), (_, more), (_, every) in zip(small.parts(), large.parts(), whole.parts(), strict=True):
        assert ids(few) < ids(more) < ids(every)
    assert data.load_data("digits", subset=100).digest == small.digest


@pytest.mark.parametrize(
    ("subset", "words"),
    [
        (2000, "subset=2000 asks for more than the 1,000 pictures of train"),
        ("splits(test=500)", "asks for more than the 400 pictures of test"),
        (0, "subset=0 leaves nothing of the 1,000 pictures of train"),
        ("splits(test=0.0001)", "leaves nothing of the 400 pictures of test"),
        ("splits(tset=5)", "Did you mean test"),
        ("split(test=5)", "Did you mean splits"),
        (-1, "a count of pictures or a fraction"),
        (True, "a count of pictures or a fraction"),
    ],
)
def test_what_cannot_be_kept_is_refused(subset, words) -> None:
    with pytest.raises(CnnlabError, match=words):
        data.load_data(WHOLE, subset=subset)


def test_a_split_that_there_is_not_is_named() -> None:
    with pytest.raises(UsageError, match="names test, and the data has no such split"):
        data.load_data(Dataset("made", images(50)), test=0, validation=0, subset="splits(test=5)")


def test_a_recipe_keeps_it_in_its_canonical_form() -> None:
    recipe = Recipe.read({"data": "digits"}, subset="splits(train = 100)")
    assert recipe.subset == "splits(train=100, validation=none, test=none)"
    assert Recipe.read(recipe.to_dict()).subset == recipe.subset == read_subset(recipe.subset)
    assert Recipe.read({"data": "digits"}, subset="none").subset is None
    with pytest.raises(SpecError, match="train"):
        Recipe.read({"data": "digits"}, subset="splits(train=-1)")
    with pytest.raises(UsageError, match=r"subset cannot be 1.5: .* as in splits\(train=1000, test=500\)"):
        Recipe.read({"data": "digits"}, subset=1.5)
