"""Certified radii, held to planes worked by hand, to the formula, and to scipy."""

from statistics import NormalDist

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from cnnlab.attacks import smoothed
from cnnlab.attacks.smoothing import clopper_pearson_low
from cnnlab.core.errors import UsageError
from cnnlab.testing import check_tool, conv_classifier, linear_classifier, tiny_image
from tests.attacks.planted_models import healthy


def two_planes(count: int) -> torch.Tensor:
    """Grey pictures whose mean is 1/2 and 9/16; where it is over 5/12 the convolution says cat."""
    return torch.stack([torch.full((1, 2, 2), 0.5), torch.full((1, 2, 2), 0.5625)])[:count]


def test_the_radius_is_at_most_the_distance_to_the_plane_and_comes_near_it() -> None:
    # Cat has 1/4 to owl and 7/20 to dog; at this deviation hardly any noise reaches dog, so the plane to owl decides.
    distance, sigma = 1 / 4, 0.12
    found = {n: smoothed(linear_classifier(), tiny_image(), ["cat"], sigma, n=n).radii[0] for n in (100, 1000, 20000)}
    assert found[100] < found[1000] < found[20000] <= distance
    assert found[20000] > 0.9 * distance


def test_the_radius_is_that_of_the_formula() -> None:
    found = smoothed(linear_classifier(), tiny_image(), ["cat"], 0.2, n=500, alpha=0.01)
    votes = int(found.votes[0])
    assert 400 < votes < 500
    low = binomtest(votes, 500, alternative="greater").proportion_ci(0.99, method="exact").low
    assert found.least[0] == pytest.approx(low, rel=1e-6)
    assert found.radii[0] == pytest.approx(0.2 * NormalDist().inv_cdf(low), rel=1e-6)


def test_where_all_draws_agree_the_bound_is_a_root_of_alpha() -> None:
    found = smoothed(linear_classifier(), tiny_image(), ["cat"], 0.01, n=200, alpha=0.001)
    assert found.votes[0] == 200 and found.least[0] == pytest.approx(0.001 ** (1 / 200))
    assert found.radii[0] == pytest.approx(found.largest_radius)


def test_no_success_bounds_nothing() -> None:
    np.testing.assert_array_equal(clopper_pearson_low(np.array([0]), 10, 0.05), [0])


def test_it_abstains_where_noise_decides() -> None:
    found = smoothed(linear_classifier(), tiny_image(), ["cat"], 30.0, n=100)
    assert found.predicted[0] == -1 and found.radii[0] == 0 and found.abstained == 1 and found.accuracy == 0


def test_certified_accuracy_falls_with_the_radius_and_counts_right_answers_only() -> None:
    image = tiny_image().repeat(2, 1, 1, 1)
    found = smoothed(linear_classifier(), image, ["cat", "owl"], 0.1, n=400)
    assert found.predicted.tolist() == [0, 0] and found.accuracy == 0.5
    assert found.certified_accuracy(0.1) == 0.5 and found.certified_accuracy(0.3) == 0
    told = found.to_dict()["certified_accuracy"]
    assert [each["accuracy"] for each in told] == sorted((each["accuracy"] for each in told), reverse=True)


def test_the_noise_of_a_picture_is_its_own() -> None:
    classifier, pixels, labels = healthy(6)
    whole = smoothed(classifier, pixels, labels, 0.2, n0=20, n=50)
    some = smoothed(classifier, pixels[[4, 2]], labels[[4, 2]], 0.2, n0=20, n=50, pictures=[4, 2])
    np.testing.assert_array_equal(some.votes, whole.votes[[4, 2]])
    other = smoothed(classifier, pixels, labels, 0.2, n0=20, n=50, seed=1)
    assert (other.votes != whole.votes).any()


def test_two_classes_of_one_logit_or_two_are_smoothed_alike() -> None:
    found = smoothed(conv_classifier(), two_planes(2), ["cat", "cat"], 0.1, n=300)
    # The mean of four pixels has half the deviation of each, 1/20, and 1/12 and 7/48 to go; in L2 that is twice as far.
    assert found.predicted.tolist() == [0, 0]
    assert 0 < found.radii[0] <= 2 / 12 and found.radii[0] < found.radii[1] <= 2 * 7 / 48


def test_models_are_left_as_they_were_found() -> None:
    check_tool(lambda model, pixels: smoothed(model, pixels, [0] * len(pixels), 0.1, n0=2, n=4))


@pytest.mark.parametrize("wrong", [{"sigma": 0}, {"n": 0}, {"n0": 0}, {"alpha": 1}])
def test_what_cannot_be_is_told(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="sigma above 0"):
        smoothed(linear_classifier(), tiny_image(), ["cat"], **wrong)  # type: ignore[arg-type]
