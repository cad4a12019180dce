"""What several members say together."""

import math

import pytest
import torch
from test_objective_conformance import COLUMNS, SPECS, build

from cnnlab.core.errors import UsageError
from cnnlab.testing.objectives import random_outputs, random_targets


@pytest.mark.parametrize("spec", SPECS)
def test_members_that_agree_say_together_what_each_says(spec: str) -> None:
    objective, outputs = build(spec), random_outputs(build(spec), 40).double()
    together = objective.combine([outputs] * 3, [1, 2, 3])
    for part in ("probabilities", "decode", "numbers", "confidences"):
        expected, actual = getattr(objective, part)(outputs), getattr(objective, part)(together)
        for name, values in expected.items():
            torch.testing.assert_close(actual[name], values)
    targets = random_targets(COLUMNS)
    # Logits may be shifted, which scores do not see.
    assert objective.metrics(together, targets) == pytest.approx(objective.metrics(outputs, targets))


@pytest.mark.parametrize("spec", SPECS)
def test_probabilities_are_the_weighted_mean_of_the_members(spec: str) -> None:
    objective = build(spec)
    members = [random_outputs(objective, 40, seed=seed).double() for seed in range(3)]
    together = objective.probabilities(objective.combine(members, [1, 1, 2]))
    for head, rows in together.items():
        each = [objective.probabilities(member)[head] for member in members]
        torch.testing.assert_close(rows, 0.25 * each[0] + 0.25 * each[1] + 0.5 * each[2])


@pytest.mark.parametrize("spec", SPECS)
def test_a_member_of_no_weight_has_no_say_however_sure_it_is(spec: str) -> None:
    objective = build(spec)
    first, second = random_outputs(objective, 40, seed=1), 1e4 * random_outputs(objective, 40, seed=2)
    alone, without = objective.combine([first]), objective.combine([first, second], [1, 0])
    torch.testing.assert_close(without, alone)
    assert without.dtype == torch.float32 and bool(torch.isfinite(without).all())


def test_of_two_classes_the_probabilities_are_averaged_and_not_the_logits() -> None:
    # One is sure beyond doubt of the first class, two lean to the second: (1 + 0.4 + 0.4) / 3 = 0.6.
    sure, leaning = torch.tensor([[40.0, 0.0]]), torch.tensor([[math.log(0.4), math.log(0.6)]])
    objective = build("classes(column=side)")
    together = objective.combine([sure, leaning, leaning])
    torch.testing.assert_close(objective.probabilities(together)["side"], torch.tensor([[0.6, 0.4]]))
    binary = build("binary(column=side)")
    logit = binary.combine([torch.tensor([[-40.0]]), *[torch.tensor([[math.log(0.6 / 0.4)]])] * 2])
    torch.testing.assert_close(binary.probabilities(logit)["side"], torch.tensor([[0.6, 0.4]]))


def test_numbers_are_averaged() -> None:
    objective = build("scalar(column=weight, range=[-3, 3])")
    # From -3 to 3: 0.5 stands for 1.5, and -1 for -3.
    together = objective.combine([torch.tensor([[0.5]]), torch.tensor([[-1.0]])], [3, 1])
    assert objective.numbers(together)["weight"].tolist() == pytest.approx([(3 * 1.5 - 3) / 4])


def test_around_a_circle_members_meet_on_the_shorter_way_and_are_less_sure_the_more_they_differ() -> None:
    objective = build("circular(60, column=minute)")
    angles = [2 * math.pi * minute / 60 for minute in (50, 10)]
    outputs = [torch.tensor([[math.sin(angle), math.cos(angle)]], dtype=torch.float64) for angle in angles]
    together = objective.combine(outputs)
    assert objective.decode(together)["minute"].tolist() == [0]
    # Ten minutes are 60 degrees on either side: half of each vector points the same way.
    assert objective.confidences(together)["minute"].tolist() == pytest.approx([0.5])


@pytest.mark.parametrize(
    ("outputs", "weights", "message"),
    [
        ([], None, "all N×2; got none"),
        ([torch.zeros(3, 2), torch.zeros(4, 2)], None, r"got \[3, 2\] and \[4, 2\]"),
        ([torch.zeros(3, 5)], None, r"all N×2; got \[3, 5\]"),
        ([torch.zeros(3, 2)] * 2, [1.0], "weights of 2 members"),
        ([torch.zeros(3, 2)] * 2, [1.0, -1.0], "not negative"),
        ([torch.zeros(3, 2)] * 2, [0.0, 0.0], "not all 0"),
        ([torch.zeros(3, 2)] * 2, [float("nan"), 1.0], "not negative"),
    ],
)
def test_what_does_not_fit_together_is_refused(outputs: list[torch.Tensor], weights: list[float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build("classes(column=side)").combine(outputs, weights)


@pytest.mark.parametrize("spec", SPECS)
def test_outputs_made_of_probabilities_have_these(spec: str) -> None:
    objective = build(spec)
    outputs = random_outputs(objective, 40).double()
    likely = objective.probabilities(outputs)
    logarithms = {head: rows.log() for head, rows in likely.items()}
    if likely.keys() < objective.heads.keys():
        with pytest.raises(UsageError, match="predicted as a number, which has no probabilities"):
            objective.from_log_probabilities(logarithms)
        return
    again = objective.from_log_probabilities(logarithms)
    assert again.shape == outputs.shape
    for head, rows in objective.probabilities(again).items():
        torch.testing.assert_close(rows, likely[head])
