"""What is made of members' outputs, by hand and by properties."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_members import predictions

from cnnlab.core.errors import UsageError
from cnnlab.ensembles import side_by_side
from cnnlab.ensembles.combinations import LinearHead, Stack, Vote, WeightedMean
from cnnlab.ensembles.methods import methods
from cnnlab.objectives import build_objective
from cnnlab.testing.objectives import random_outputs

COLUMNS = {"label": ("ant", "bee", "cat"), "side": ("left", "right"), "weight": None, "angle": None}
LABEL = build_objective("classes(column=label)", COLUMNS)


def logits(*rows: list[float]) -> torch.Tensor:
    """One picture's probabilities by each member, as logits M×1×K."""
    return torch.tensor(rows).log()[:, None]


def test_the_mean_is_that_of_the_probabilities() -> None:
    said = WeightedMean(weights=(1, 3))(LABEL, logits([0.8, 0.1, 0.1], [0.4, 0.4, 0.2]))
    assert said.exp().tolist() == [pytest.approx([0.5, 0.325, 0.175], abs=1e-6)]


def test_the_mean_of_logits_is_the_geometric_mean_of_the_probabilities() -> None:
    said = WeightedMean(of="logits", weights=(1, 1))(LABEL, logits([0.8, 0.1, 0.1], [0.2, 0.4, 0.4]))
    roots = np.sqrt([0.16, 0.04, 0.04])
    assert said.exp().tolist() == [pytest.approx((roots / roots.sum()).tolist())]


def test_a_vote_is_one_a_member_and_ties_go_to_the_higher_mean_probability() -> None:
    # Two are just for the first class and one is sure of the second, where a mean would put the second first.
    said = Vote()(LABEL, logits([0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.01, 0.98, 0.01]))
    assert said.exp().tolist() == [pytest.approx([2 / 3, 1 / 3, 0], abs=1e-3)]
    tied = Vote()(LABEL, logits([0.6, 0.4, 0.0001], [0.1, 0.9, 0.0001]))
    assert tied.argmax().item() == 1 and bool(torch.isfinite(tied).all())


def test_of_two_classes_by_one_output_a_vote_counts_both() -> None:
    side = build_objective("binary(column=side)", COLUMNS)
    said = Vote()(side, torch.tensor([[[-0.1]], [[-0.1]], [[9.0]]]))
    assert side.decode(said)["side"].tolist() == [0]
    assert side.probabilities(said)["side"].tolist() == [pytest.approx([2 / 3, 1 / 3], abs=1e-3)]


def test_a_stack_is_a_regression_on_centred_logarithms() -> None:
    # Twice what the first member says less what the second does, and a push for the last class.
    twice = [
        (*(2.0 * (row == column) for column in range(3)), *(-1.0 * (row == column) for column in range(3)))
        for row in range(3)
    ]
    stack = Stack(heads={"label": LinearHead(coefficients=tuple(twice), intercepts=(0, 0, math.log(3)))})
    likely = np.array([[0.8, 0.1, 0.1], [0.2, 0.4, 0.4]])
    said = stack(LABEL, logits(*likely.tolist()))
    expected = likely[0] ** 2 / likely[1] * [1, 1, 3]
    assert said.exp().tolist() == [pytest.approx((expected / expected.sum()).tolist(), rel=1e-5)]


def test_temperatures_divide_the_logits_of_their_own_head() -> None:
    both = build_objective("multi-head(label=classes, weight=scalar(range=[0, 1]))", COLUMNS)
    members = random_outputs(both, 5).repeat(2, 1, 1)
    cooled = WeightedMean(weights=(0, 1), temperatures={"label": (1.0, 2.0)})(both, members)
    expected = both.split(members[1])
    assert torch.allclose(both.probabilities(cooled)["label"], torch.softmax(expected["label"].double() / 2, 1))
    assert torch.allclose(both.split(cooled)["weight"], expected["weight"].double())


def test_numbers_are_averaged_on_the_line_or_the_circle_as_their_objective_says() -> None:
    line = build_objective("scalar(column=weight, range=[0, 10])", COLUMNS)
    circle = build_objective("circular(360, column=angle)", COLUMNS)
    mean = WeightedMean(weights=(1, 1))
    as_outputs = [line.encode({"weight": torch.tensor([number])})["weight"] for number in (2.0, 9.0)]
    assert line.numbers(mean(line, torch.stack(as_outputs)))["weight"].item() == pytest.approx(5.5)
    # 350 and 20 degrees meet at 5, not at 185.
    turned = [circle.encode({"angle": torch.tensor([number])})["angle"] for number in (350.0, 20.0)]
    assert circle.numbers(mean(circle, torch.stack(turned)))["angle"].item() == pytest.approx(5.0, abs=1e-4)


def test_members_that_standardised_numbers_each_by_its_own_pictures_are_averaged_as_numbers() -> None:
    scales = {"a": (10.0, 2.0), "b": (20.0, 5.0)}
    each = [
        replace(
            predictions([[0.0]] * 2, [0, 1]),
            outputs={"weight": np.array([[1.0], [-1.0]], np.float32)},
            objective=build_objective(f"scalar(column=weight, mean={mean}, std={std})", {"weight": None}).spec,
            classes={},
            targets={"weight": np.array([12, 8], np.float32)},
        )
        for mean, std in scales.values()
    ]
    outputs = side_by_side(each, list(scales))
    mean = outputs.combined(WeightedMean(weights=(1, 1)))
    # 12 and 25, 8 and 15.
    assert outputs.objective.numbers(mean)["weight"].tolist() == pytest.approx([18.5, 11.5])
    stored = outputs.predictions(mean)
    assert stored.objective == each[0].objective
    with pytest.raises(UsageError, match="what they put out means other things"):
        side_by_side([each[0], replace(each[1], objective=each[1].objective.replace("mse", "mae"))], ["a", "b"])


@pytest.mark.parametrize("spec", ["vote", "stacking"])
def test_what_is_between_classes_is_refused_for_numbers(spec: str) -> None:
    facts = {"objective": "scalar(column=weight, range=[0, 1])", "classes": {}}
    each = [
        predictions(np.zeros((2, 1)), [0, 1], **facts, targets={"weight": np.zeros(2, np.float32)}) for _ in range(2)
    ]
    outputs = side_by_side(list(each), ["a", "b"])
    with pytest.raises(UsageError, match=r"weight is predicted as a number\. Take method="):
        methods.bind(spec).build().combined((), {"validation": outputs})  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "combination",
    [
        WeightedMean(weights=(0.0, 2.0)),
        WeightedMean(of="logits", weights=(1.0, 2.0), temperatures={"label": (1.5, 0.5)}),
        Vote(),
        Stack(heads={"label": LinearHead(coefficients=((0.1, 1 / 3),), intercepts=(1e-9,))}),
    ],
)
def test_a_combination_reads_back_to_the_bit(combination: WeightedMean | Vote | Stack) -> None:
    assert type(combination).model_validate_json(combination.model_dump_json()) == combination


def test_without_a_member_the_others_keep_their_weights_one_to_another() -> None:
    without = WeightedMean(weights=(1, 2, 3), temperatures={"label": (1.0, 2.0, 3.0)}).without(1)
    assert without is not None and without.member_weights == (0.25, 0.75)
    assert without.temperatures == {"label": (1.0, 3.0)}
    assert WeightedMean(weights=(0, 1)).without(1) is None
