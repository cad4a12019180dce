"""Deletion and insertion, on pictures whose curves are worked out by hand."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.explain import Attribution, RemovalCurves, attribute, rank_methods, removal_curves
from cnnlab.explain.honesty.ranking import MeasureRanking
from cnnlab.models import Classifier, build_network
from cnnlab.testing import Check, linear_classifier, tiny_image, tool_checks, two_head_classifier

WEIGHTS = (8.0, 1.0, 4.0, 2.0)
HAND: dict[str, object] = {"deletion_baseline": 0.0, "insertion_baseline": 0.0, "score": "output", "steps": 4}


def weighted() -> Classifier:
    """Cat is 8, 1, 4 and 2 times the pixels of a picture of 2×2; dog is 0."""
    network = build_network("flatten", (1, 2, 2), 2)
    with torch.no_grad():
        network.get_submodule("head").weight.copy_(torch.tensor([WEIGHTS, [0.0] * 4]))
        network.get_submodule("head").bias.zero_()
    classes = {"label": ("cat", "dog")}
    return Classifier(network, (1, 2, 2), [0.0], [1.0], classes, "classes(column=label)", "flatten").eval()


def ones(count: int = 1) -> Tensor:
    return torch.ones(count, 1, 2, 2)


def planted(values: object, count: int = 1) -> Attribution:
    """A map of one's own."""
    maps = np.broadcast_to(np.asarray(values, dtype=np.float32).reshape(2, 2), (count, 2, 2)).copy()
    return replace(attribute(weighted(), ones(count), "saliency", 0), values=maps, method="planted", scale="signed")


def test_curves_and_areas_are_those_worked_out_by_hand() -> None:
    found = removal_curves(weighted(), ones(), planted(WEIGHTS), draws=1, **HAND)  # type: ignore[arg-type]
    assert found.scores["deletion"].tolist() == [[15, 7, 3, 1, 0]]
    assert found.scores["insertion"].tolist() == [[0, 8, 12, 14, 15]]
    assert found.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.areas("deletion").tolist() == [0.25 * (7.5 + 7 + 3 + 1)]
    assert found.areas("insertion").tolist() == [0.25 * (8 + 12 + 14 + 7.5)]


def test_map_of_the_relevant_pixels_is_better_than_any_other_order() -> None:
    maps = [planted(order) for order in itertools.permutations((8, 4, 2, 1))]
    curves = [removal_curves(weighted(), ones(), each, draws=0, **HAND) for each in maps]  # type: ignore[arg-type]
    deletion = [float(each.areas("deletion")[0]) for each in curves]
    insertion = [float(each.areas("insertion")[0]) for each in curves]
    best = [np.array_equal(each.maps().ravel(), WEIGHTS) for each in maps].index(True)
    assert (np.argmin(deletion), np.argmax(insertion)) == (best, best)
    assert sorted(deletion)[0] < sorted(deletion)[1]


def test_gain_over_random_orders_is_paired_and_positive_for_the_relevant_pixels() -> None:
    found = removal_curves(weighted(), ones(12), planted(WEIGHTS, 12), draws=6, **HAND)  # type: ignore[arg-type]
    for way in ("deletion", "insertion"):
        gain = found.gain(way)  # type: ignore[arg-type]
        assert gain.interval is not None and gain.interval.low > 0
    # All 24 orders of these pixels have a mean of half of what the pixels amount to.
    assert found.random_area("deletion").value == pytest.approx(7.5, abs=0.5)


def test_every_picture_and_draw_has_a_random_order_of_its_own_and_keeps_it() -> None:
    first, again = (removal_curves(weighted(), ones(6), planted(WEIGHTS, 6), draws=4, **HAND) for _ in range(2))  # type: ignore[arg-type]
    np.testing.assert_array_equal(first.random_scores["deletion"], again.random_scores["deletion"])
    assert len(np.unique(first.random_scores["deletion"].reshape(24, -1), axis=0)) > 8


def test_equal_values_go_in_a_random_order() -> None:
    flat = removal_curves(weighted(), ones(30), planted([1, 1, 1, 1], 30), draws=0, **HAND)  # type: ignore[arg-type]
    assert len(np.unique(flat.scores["deletion"], axis=0)) > 10


def test_curves_start_and_end_with_the_picture_and_its_baseline() -> None:
    model = linear_classifier()
    found = removal_curves(model, tiny_image(), "saliency", draws=0, steps=3, deletion_baseline=0.5)
    whole = model(tiny_image()).softmax(1)[0, 0].item()
    grey = model(torch.full((1, 1, 2, 2), 0.5)).softmax(1)[0, 0].item()
    assert found.score == "probability"
    assert found.scores["deletion"][0, [0, -1]].tolist() == pytest.approx([whole, grey])
    assert found.scores["insertion"][0, -1] == pytest.approx(whole)
    assert found.baselines == {"deletion": "0.5", "insertion": "the picture, blurred"}


def test_blurred_canvas_keeps_a_flat_picture_and_the_mean_of_any_other() -> None:
    found = removal_curves(weighted(), ones(), planted(WEIGHTS), draws=0, score="output", insertion_baseline="blur")
    assert found.scores["insertion"].tolist() == [pytest.approx([15.0] * 5)]


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    def curves() -> RemovalCurves:
        pixels = torch.rand(7, 1, 2, 2, generator=torch.Generator().manual_seed(1))
        return removal_curves(weighted(), pixels, "gradient-x-input", draws=2)

    whole = curves()
    monkeypatch.setattr("cnnlab.explain.batches.at_once", lambda *_, **__: 3)
    parts = curves()
    for way in ("deletion", "insertion"):
        np.testing.assert_allclose(parts.scores[way], whole.scores[way], rtol=1e-6)  # type: ignore[index]
        np.testing.assert_allclose(parts.random_scores[way], whole.random_scores[way], rtol=1e-6)  # type: ignore[index]


@pytest.mark.parametrize(("target", "score"), [("side=left", "probability"), ("size", "output")])
def test_what_has_no_probability_is_scored_by_its_output(target: str, score: str) -> None:
    found = removal_curves(two_head_classifier(), tiny_image(), "saliency", target, draws=0)
    assert found.score == score


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": 0}, "steps is 1 or more"),
        ({"draws": -1}, "draws is 0 or more"),
        ({"deletion_baseline": "grey"}, "mean, blur, or pictures"),
        ({"method": planted(WEIGHTS, 2)}, "of other pictures"),
    ],
)
def test_removal_refuses_what_cannot_be_meant(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        removal_curves(weighted(), ones(), **{"method": "saliency", **wrong})  # type: ignore[arg-type]


def test_methods_are_ranked_beside_chance() -> None:
    pixels = torch.rand(30, 1, 2, 2, generator=torch.Generator().manual_seed(2))
    methods = ["random(seed=3)", "gradient-x-input", "saliency"]
    found = rank_methods(weighted(), pixels, methods, "cat", **HAND)  # type: ignore[arg-type]
    deletion = found.measures["deletion"]
    assert deletion.methods[deletion.order[0]] == "gradient-x-input"
    assert deletion.best[0] == "gradient-x-input"
    assert "random(seed=3)" in deletion.like_chance and "gradient-x-input" not in deletion.like_chance
    assert deletion.behind_best(deletion.order[0]).value == 0
    assert deletion.sentence.startswith("By the area under deletion, gradient-x-input is best")
    assert "Not told apart from chance: random(seed=3)" in deletion.sentence
    np.testing.assert_array_equal(found.curves[1].random_scores["deletion"], found.curves[0].random_scores["deletion"])


def test_worse_than_chance_is_told_from_what_is_open() -> None:
    chance = np.array([0.5, 0.6, 0.4, 0.5])
    values = np.stack(
        [chance + 0.2 + 0.01 * np.arange(4), chance + 0.3 * np.array([1, -1, 1, -1]), chance - 0.3 + 0.01 * chance]
    )
    found = MeasureRanking("insertion", ("good", "open", "bad"), values, chance, "pictures")
    assert (found.like_chance, found.below_chance) == (("open",), ("bad",))
    assert found.sentence.endswith("Not told apart from chance: open. Worse than chance: bad.")
    assert replace(found, measure="deletion").below_chance == ("good",)
    # Of two pictures nothing is told, and the mean of a share is one.
    few = MeasureRanking("insertion", ("a",), np.array([[0.1, 0.9]]), np.zeros(2), "pictures", within=(0.0, 1.0))
    assert few.like_chance == ("a",) and few.below_chance == ()
    assert "(of 1 mosaic, which tells none apart)" in replace(few, values=np.ones((1, 1)), units="mosaics").sentence
    interval = few.estimate(0).interval
    assert interval is not None and (interval.low, interval.high) == (0.0, 1.0)


@pytest.mark.parametrize(("shift", "place"), [(0.3, "better than"), (0.0, "not told apart from"), (-0.3, "worse than")])
def test_a_method_alone_is_held_against_chance_and_is_the_best_of_none(shift: float, place: str) -> None:
    chance = np.array([0.5, 0.6, 0.4, 0.5])
    values = (chance + shift + 0.01 * np.array([1, -1, 1, -1]))[None]
    found = MeasureRanking("insertion", ("grad-cam",), values, chance, "pictures")
    told = f"By the area under insertion, grad-cam is {place} chance (95% intervals over 4 pictures)."
    assert found.sentence == told


def test_intervals_of_a_probability_are_of_probabilities() -> None:
    pixels = torch.rand(2, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    found = removal_curves(weighted(), pixels, "saliency", "cat", score="probability")
    estimates = [*found.curve("deletion"), *found.random_curve("insertion"), found.area("deletion")]
    ends = [end for each in estimates if each.interval for end in (each.interval.low, each.interval.high)]
    assert ends and min(ends) >= 0 and max(ends) <= 1
    assert removal_curves(weighted(), pixels, "saliency", "cat", score="output").within == (-math.inf, math.inf)


def test_ranking_takes_different_methods() -> None:
    with pytest.raises(UsageError, match="names one twice"):
        rank_methods(weighted(), ones(2), ["saliency", "saliency()"])
    with pytest.raises(UsageError, match="methods is a list"):
        rank_methods(weighted(), ones(2), "saliency")


CHECKS = tool_checks(lambda model, pixels: removal_curves(model, pixels, "grad-cam", draws=1, steps=3))


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
def test_removal_leaves_the_model_as_found(check: Check) -> None:
    check()
