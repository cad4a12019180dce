"""Maps over trainings, with networks that are alike, or have nothing in common."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnlab.core import seeds
from cnnlab.core.errors import UsageError
from cnnlab.explain import seed_similarity
from cnnlab.models import Classifier, build_network
from cnnlab.testing import Check, tool_checks

SHAPE = (1, 12, 12)


def trained(seed: int, classes: tuple[str, ...] = ("cat", "dog"), layers: str = "flatten") -> Classifier:
    with seeds.scope(seed, "init"):
        network = build_network(layers, SHAPE, len(classes))
    return Classifier(network, SHAPE, [0.0], [1.0], {"label": classes}, "classes(column=label)", layers).eval()


def pictures(count: int = 12) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(6))


def test_one_network_twice_leaves_nothing_to_the_seed() -> None:
    found = seed_similarity([trained(0), trained(0)], pictures(), "gradient-x-input")
    np.testing.assert_allclose(found.between_seeds["signed"], 1)
    assert found.reference("signed").value < 0.95
    assert found.seed_share("signed").value == pytest.approx(0, abs=1e-12)
    assert found.agreed.all()


def test_planes_drawn_apart_have_nothing_in_common_but_the_picture() -> None:
    found = seed_similarity([trained(seed) for seed in range(3)], pictures(), "saliency", "cat")
    assert found.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert found.between_seeds["signed"].shape == (3, 12)
    assert abs(found.similarity("signed").value) < 0.2
    # A plane has one map for all pictures: there is no other picture's map to measure by.
    assert found.reference("signed").value == pytest.approx(1)
    assert math.isnan(found.seed_share("signed").value)


def test_share_of_the_seed_is_the_ratio_of_what_is_unlike() -> None:
    layers = "conv(4, 3)|relu|conv(4, 3)|relu|flatten"
    found = seed_similarity([trained(0, layers=layers), trained(1, layers=layers)], pictures(), "gradient-x-input")
    above = 1 - found.between_seeds["absolute"].mean()
    below = 1 - found.between_pictures["absolute"].mean()
    share = found.seed_share()
    assert share.value == pytest.approx(above / below)
    assert share.interval is not None and share.value in share.interval
    assert f"{100 * share.value:.0f}%" in found.sentence


def test_all_explain_what_the_first_predicts_and_say_where_they_disagree() -> None:
    first, second = trained(0), trained(0)
    with torch.no_grad():
        second.network.get_submodule("head").weight.neg_()  # type: ignore[union-attr]
        second.network.get_submodule("head").bias.neg_()  # type: ignore[union-attr]
    found = seed_similarity([first, second], pictures(), "saliency")
    assert not found.agreed.any()
    np.testing.assert_allclose(found.between_seeds["absolute"], 1)


@pytest.mark.parametrize(
    ("models", "count", "said"),
    [
        ([trained(0)], 3, "two trainings or more"),
        ([trained(0), trained(1)], 1, "two pictures or more"),
        ([trained(0), trained(1, ("cat", "owl"))], 3, "do not belong together"),
    ],
)
def test_seeds_refuse_what_cannot_be_compared(models: list[Classifier], count: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        seed_similarity(models, pictures(count), "saliency")


CHECKS = tool_checks(lambda model, pixels: seed_similarity([model, model], pixels.repeat(2, 1, 1, 1), "grad-cam"))


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
def test_seeds_leave_models_as_found(check: Check) -> None:
    check()
