"""What is found out about an ensemble, by hand and by independent ways."""

from typing import Any

import numpy as np
import pytest
from drawn_members import drawn, predictions

from cnnlab.ensembles import MemberOutputs, side_by_side
from cnnlab.ensembles.analysis import Analysis
from cnnlab.ensembles.analysis.analyse import analyse
from cnnlab.ensembles.analysis.diversity import by_pairs, diversity
from cnnlab.ensembles.analysis.members_taken import left_out, size_curve
from cnnlab.ensembles.combinations import Vote, WeightedMean
from cnnlab.ensembles.methods import Combining, methods


def analysed(spec: str, outputs: dict[str, MemberOutputs]) -> Analysis:
    method = methods.bind(spec).build()
    assert isinstance(method, Combining)
    found = analyse(method.combined((), outputs), method, "together")
    assert found is not None
    return found


def accuracy(likely: Any, labels: Any) -> float:
    return float((likely.argmax(1) == labels).mean())


def test_diversity_is_counted_from_who_is_right() -> None:
    # Of ten pictures both are right about 5, the first alone about 2, the second alone about 1, none about 2.
    first = np.array([1] * 7 + [0] * 3, dtype=bool)
    second = np.array([1] * 5 + [0] * 2 + [1] + [0] * 2, dtype=bool)
    found = by_pairs(np.stack([first, second]))
    assert found["disagreement"][0, 1] == pytest.approx(0.3)
    assert found["double_fault"][0, 1] == pytest.approx(0.2)
    assert found["q"][0, 1] == pytest.approx((5 * 2 - 2 * 1) / (5 * 2 + 2 * 1))
    assert found["correlation"][0, 1] == pytest.approx(np.corrcoef(first, second)[0, 1])


def test_diversity_of_a_perfect_member_has_no_q() -> None:
    perfect, other = predictions(10 * np.eye(3), [0, 1, 2]), predictions(10 * np.eye(3), [0, 1, 2])
    found = diversity(side_by_side([perfect, other], ["a", "b"]))
    assert found is not None and found.means["q"] is None and found.means["disagreement"] == 0


def test_numbers_have_the_correlation_of_their_errors_the_short_way_round() -> None:
    # Off by 2, -3 and 4 degrees, and by 3, -4 and 5: the first two across the top of the circle.
    truth = np.array([359.0, 1.0, 100.0], dtype=np.float32)
    facts: dict[str, Any] = {"objective": "circular(360, column=angle)", "classes": {}, "targets": {"angle": truth}}
    each = []
    for off in ([2, -3, 4], [3, -4, 5]):
        angles = np.radians(truth + np.array(off))
        each.append(predictions(np.stack([np.sin(angles), np.cos(angles)], 1), [0, 0, 0], **facts))
    found = diversity(side_by_side(each, ["a", "b"]))
    assert found is not None and list(found.means) == ["correlation"]
    assert found.means["correlation"] == pytest.approx(np.corrcoef([2, -3, 4], [3, -4, 5])[0, 1], abs=1e-3)


def test_accuracy_by_size_is_over_all_choices_of_few_members() -> None:
    outputs = drawn(3, 200, split="test")
    likely, labels = outputs.probabilities["label"].double().numpy(), outputs.labels["label"].numpy()
    pairs = [accuracy(likely[[a, b]].mean(0), labels) for a, b in ((0, 1), (0, 2), (1, 2))]
    first, second, third = size_curve(outputs)
    assert (first.subsets, second.subsets, third.subsets) == (3, 3, 1)
    assert second.mean == pytest.approx(np.mean(pairs))
    assert min(pairs) <= second.low <= second.high <= max(pairs)
    assert third.low == third.mean == third.high == pytest.approx(accuracy(likely.mean(0), labels))


def test_of_many_members_some_sizes_are_looked_at() -> None:
    points = size_curve(drawn(30, 60, split="test"))
    assert points[0].size == 1 and points[-1].size == 30 and len(points) <= 14
    assert all(point.low <= point.mean <= point.high for point in points)


@pytest.mark.parametrize(
    "combination", [WeightedMean(weights=(1, 2, 1)), WeightedMean(of="logits", weights=(1, 2, 1)), Vote()]
)
def test_a_member_is_worth_what_is_lost_without_it(combination: WeightedMean | Vote) -> None:
    outputs = drawn(3, 200, split="test")
    whole = outputs.scores(outputs.combined(combination))["accuracy"]
    for one in left_out(outputs, combination):
        others = [place for place in range(3) if place != one.member]
        without = combination.without(one.member)
        assert without is not None
        score = outputs.scores(outputs.only(others).combined(without))["accuracy"]
        assert (one.score, one.worth) == (pytest.approx(score), pytest.approx(whole - score))
        if one.low is not None and one.high is not None:
            assert one.low <= one.worth <= one.high


def test_a_stack_is_fitted_again_without_each_member() -> None:
    found = analysed("stacking", {"validation": drawn(3, 150), "test": drawn(3, 100, split="test")})
    assert found.is_refitted and len(found.left_out) == 3


def test_the_best_member_is_that_of_validation_and_not_of_test() -> None:
    labels = [0, 1, 2] * 40
    right, wrong = 5 * np.eye(3)[labels], 5 * np.eye(3)[np.array(labels) - 1]
    half = np.where(np.arange(120)[:, None] % 2, right, wrong)
    outputs = {
        "validation": side_by_side([predictions(right, labels), predictions(half, labels)], ["a", "b"]),
        "test": side_by_side(
            [predictions(half, labels, split="test"), predictions(right, labels, split="test")], ["a", "b"]
        ),
    }
    found = analysed("mean", outputs)
    assert found.against is not None and found.against.member == 0 and found.split == "test"


def test_gains_are_over_equal_weights_on_validation_and_on_test() -> None:
    outputs = {"validation": drawn(4, 200), "test": drawn(4, 300, split="test")}
    found = analysed("weights", outputs)
    assert [(gain.split, gain.is_held_out) for gain in found.gains] == [("validation", False), ("test", True)]
    method, plain = (methods.bind(spec).build() for spec in ("weights", "mean"))
    for gain in found.gains:
        part = outputs[gain.split]
        fitted, equal = (
            part.scores(part.combined(each.fitted(outputs)))  # type: ignore[attr-defined]
            for each in (method, plain)
        )
        assert gain.loss == pytest.approx(equal["loss"] - fitted["loss"], abs=1e-6)
        assert gain.score == pytest.approx(fitted["accuracy"] - equal["accuracy"], abs=1e-6)
    assert found.gains[0].loss >= 0
    assert analysed("mean", outputs).gains == () == analysed("vote", outputs).gains
    stacked = analysed("stacking", outputs).gains
    assert [(gain.split, gain.is_held_out) for gain in stacked] == [
        ("validation", False),
        ("validation", True),
        ("test", True),
    ]


def test_calibration_is_that_of_evaluation_and_better_by_a_temperature() -> None:
    from cnnlab.evaluation import calibration

    outputs = {"validation": drawn(3, 2000), "test": drawn(3, 2000, split="test")}
    found = analysed("mean", outputs)
    assert [one.name for one in found.calibrated] == ["m0", "m1", "m2", "together"]
    for place, one in enumerate(found.calibrated[:3]):
        direct = calibration(outputs["test"].predictions(outputs["test"].outputs[place]))
        assert (one.error, one.loss) == (pytest.approx(direct.ece), pytest.approx(direct.nll))
    # The last member is far too sure of itself.
    overconfident = found.calibrated[2]
    assert overconfident.temperature is not None and overconfident.temperature > 1.2
    assert overconfident.error_after is not None and overconfident.error_after < overconfident.error


def test_it_is_stored_to_the_bit() -> None:
    found = analysed("greedy", {"validation": drawn(3, 100), "test": drawn(3, 100, split="test")})
    assert Analysis.model_validate_json(found.model_dump_json()) == found


def test_without_targets_nothing_is_found_out() -> None:
    unknown = [predictions(np.zeros((5, 3)), [0] * 5, targets={}) for _ in range(2)]
    method = methods.bind("mean").build()
    assert isinstance(method, Combining)
    made = method.combined((), {"test": side_by_side(unknown, ["a", "b"])})
    assert analyse(made, method, "together") is None


def test_numbers_are_judged_by_their_error() -> None:
    source = np.random.default_rng(0)
    parts = {}
    for split in ("validation", "test"):
        truth = source.random(80).astype(np.float32)
        facts: dict[str, Any] = {
            "objective": "scalar(column=weight, range=[0, 1])",
            "classes": {},
            "targets": {"weight": truth},
            "split": split,
        }
        each = [
            predictions((2 * truth - 1 + 0.3 * source.normal(size=80))[:, None], [0] * 80, **facts) for _ in range(4)
        ]
        parts[split] = side_by_side(each, list("abcd"))
    found = analysed("weights", parts)
    assert found.metric == "mean_absolute_error" and found.better == "lower"
    together, members = found.ensemble.scores["test"], [one.scores["test"] for one in found.members]
    assert together is not None and all(one is not None and together < one for one in members)
    assert all(one.worth > 0 for one in found.left_out) and len(found.left_out) == 4
    assert found.sizes[0].mean > found.sizes[-1].mean and found.calibrated == ()
