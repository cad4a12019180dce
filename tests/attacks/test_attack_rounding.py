"""Rounding to 8 bits that leaves no budget: by hand, as a property, and of what attacks find."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cnnlab.attacks import perturb
from cnnlab.attacks.draws import PictureDraws
from cnnlab.attacks.norms import Norm, drawn_within, length, within
from cnnlab.attacks.rounding import rounded, rounded_within
from tests.attacks.planted_models import healthy


def levels(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float32).view(1, 1, 1, -1) / 255


def in_levels(pixels: torch.Tensor) -> list[float]:
    return [round(255 * number, 3) for number in pixels.flatten().tolist()]


def test_in_linf_a_number_that_would_leave_goes_towards_the_original() -> None:
    origin, changed = levels(100, 100, 100, 100, 0), levels(125.5, 74.5, 125.2, 109.5, 25.5)
    kept = rounded_within(changed, origin, "linf", 25.5 / 255)
    # Half-way goes to the even number, which 110 is: the budget allows it there.
    assert in_levels(kept) == [125, 75, 125, 110, 25]
    assert in_levels(rounded(changed)) == [126, 74, 125, 110, 26]


def test_in_l1_as_few_go_back_as_it_takes_those_in_the_middle_first() -> None:
    origin, changed = levels(0, 50, 50, 9), levels(0.9, 50.6, 49.3, 9.2)
    # Nearest are 1, 51, 49 and 9: a length of 3, where 2.4 was changed.
    assert in_levels(rounded_within(changed, origin, "l1", 2.4 / 255)) == [1, 50, 49, 9]
    assert in_levels(rounded_within(changed, origin, "l1", 1.9 / 255)) == [1, 50, 50, 9]
    assert in_levels(rounded_within(changed, origin, "l1", 3 / 255)) == [1, 51, 49, 9]


def test_in_l2_as_few_go_back_as_it_takes() -> None:
    origin, changed = levels(0, 50, 50), levels(2.6, 47.2, 50.0)
    # Nearest are 3 and 47, √18 = 4.24 away; 2 and 47 are √13 = 3.61.
    assert in_levels(rounded_within(changed, origin, "l2", 4 / 255)) == [2, 47, 50]
    assert in_levels(rounded_within(changed, origin, "l2", 4.25 / 255)) == [3, 47, 50]


@pytest.mark.parametrize("eps", [1, 8, 25.5, 60])
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_what_lies_in_a_budget_does_so_rounded(norm: Norm, eps: float) -> None:
    draw = torch.Generator().manual_seed(0)
    origin = torch.randint(0, 256, (60, 3, 5, 5), generator=draw).float() / 255
    radius = eps / 255 * {"linf": 1.0, "l2": 4.0, "l1": 20.0}[norm]
    draws = PictureDraws(0, range(60))
    # Drawn points, and points on the edge.
    inside = (origin + drawn_within(draws, origin, norm, radius)).clamp(0, 1)
    edge = within(origin + 3 * drawn_within(draws, origin, norm, radius), origin, norm, radius)
    for changed in (inside, edge):
        kept = rounded_within(changed, origin, norm, radius)
        assert (length(kept - origin, norm) <= radius * (1 + 1e-5)).all()
        assert ((255 * kept - (255 * kept).round()).abs() < 1e-4).all() and kept.min() >= 0 and kept.max() <= 1
        # It is one of the two levels next to each number, and the nearest wherever that lies in the budget.
        assert ((kept - changed).abs() < 1 / 255).all()
        fits = length(rounded(changed) - origin, norm) <= radius
        assert torch.equal(kept[fits], rounded(changed)[fits])


def test_without_a_budget_the_nearest_level_is_kept() -> None:
    changed = levels(0.4, 99.5, 254.7)
    for norm, eps in ((None, None), ("l2", None), ("l0", None)):
        assert torch.equal(rounded_within(changed, levels(0, 0, 0), norm, eps), rounded(changed))  # type: ignore[arg-type]


def test_an_original_between_two_levels_gets_as_near_as_there_is_one() -> None:
    assert in_levels(rounded_within(levels(10.6), levels(10.55), "linf", 0.1 / 255)) == [11]
    assert in_levels(rounded_within(levels(10.5), levels(10.4), "l2", 0.1 / 255)) == [10]


@pytest.mark.parametrize(
    "spec",
    ["pgd(eps=0.1, steps=3)", "fgsm(norm=l2, eps=0.3)", "pgd(norm=l1, eps=1, steps=3)", "uniform-noise(eps=0.1)"],
)
def test_what_attacks_find_lies_in_its_budget_rounded_too(spec: str) -> None:
    classifier, pixels, _ = healthy(20)
    bytes_ = (255 * pixels).round().byte()
    with torch.no_grad():
        labels = classifier(bytes_.float() / 255).argmax(1)
    found = perturb(classifier, bytes_, labels, spec)
    assert found.norm is not None and found.eps is not None
    assert found.lengths(found.norm).max() <= found.eps * (1 + 1e-5)
    change: NDArray[np.float64] = (found.rounded.astype(float) - bytes_.numpy()) / 255
    flat = np.abs(change).reshape(20, -1)
    far = {"linf": flat.max(1), "l2": np.sqrt(np.square(flat).sum(1)), "l1": flat.sum(1)}[found.norm]
    assert far.max() <= found.eps * (1 + 1e-5) and far.max() > 0
    with torch.no_grad():
        said = classifier(torch.from_numpy(found.rounded).float() / 255).argmax(1).numpy()
    assert (found.kept.predicted == said).all()
