"""Two data sets side by side, and the numbers that decide."""

import numpy as np
import pytest
import torch
from statsmodels.stats.proportion import confint_proportions_2indep

from cnnlab.core.errors import UsageError
from cnnlab.data import TensorImages
from cnnlab.explain import embed_data_sets
from cnnlab.explain.embedding.data_sets import difference_of_shares


def noisy(noise: float, count: int = 120) -> TensorImages:
    """Pictures of three classes, a dark row each, under noise."""
    draw = np.random.default_rng(1)
    labels = draw.integers(0, 3, count)
    pixels = 128 + draw.normal(scale=noise, size=(count, 1, 6, 6))
    pixels[np.arange(count), 0, labels] -= 60
    images = torch.from_numpy(pixels.clip(0, 255).astype(np.uint8))
    return TensorImages(images, {"label": torch.from_numpy(labels)}, {"label": ("a", "b", "c")})


@pytest.mark.parametrize("counts", [(90, 100, 60, 90), (5, 5, 0, 8), (50, 100, 500, 1000)])
def test_the_interval_of_a_difference_is_newcombes(counts: tuple[int, int, int, int]) -> None:
    right, n, other, m = counts
    found = difference_of_shares(right, n, other, m)
    expected = confint_proportions_2indep(right, n, other, m, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx(expected)


def test_the_one_whose_neighbours_tell_classes_is_easier_and_the_sentence_says_by_how_much() -> None:
    found = embed_data_sets(noisy(80), noisy(8), names=("loud", "quiet"), method="pca")
    codes = [one.quality.codes for one in found.maps]
    assert found.easier == "quiet"
    assert codes[1] is not None and f"{codes[1].accuracy:.1%} of 120 pictures of" not in found.sentence
    assert "quiet is easier than loud" in found.sentence and "of 120 of quiet, −" in found.sentence
    assert "10 neighbours among the pixels" in found.sentence


def test_alike_data_sets_are_not_told_apart() -> None:
    found = embed_data_sets(noisy(60), noisy(60), names=("one", "other"), method="pca")
    assert found.easier is None and "neither one nor other" in found.sentence


def test_pictures_without_classes_are_refused() -> None:
    blank = torch.randint(0, 256, (9, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with pytest.raises(UsageError, match="the classes of bare are not known"):
        embed_data_sets(noisy(9), TensorImages(blank), names=("clear", "bare"), method="pca")


def test_as_many_pictures_of_both_are_taken() -> None:
    found = embed_data_sets(noisy(60), noisy(60, 50), method="pca")
    assert [len(one) for one in found.maps] == [50, 50]
    assert [len(one) for one in embed_data_sets(noisy(60, 50), noisy(60), method="pca", most=40).maps] == [40, 40]
