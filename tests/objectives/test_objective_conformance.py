"""Every registered objective against the conformance suite on columns that suit it, and what holds of those here."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from cnnlab import objectives
from cnnlab.objectives import Columns, Objective
from cnnlab.testing import Check, objective_checks
from cnnlab.testing.objectives import random_outputs, random_targets

COLUMNS: Columns = {
    "hour": tuple(map(str, range(12))),
    "minute": tuple(map(str, range(60))),
    "side": ("left", "right"),
    "weight": None,
}
TIME = "column=[hour, minute]"
SPECS = (
    "classes(column=hour)",
    "classes(column=side)",
    "binary(column=side)",
    "scalar(column=weight, range=[-3, 3])",
    "scalar(column=minute, loss=mae)",
    f"scalar({TIME}, loss=huber)",
    f"scalar({TIME}, range=[0, 12], units=[1, 1/60])",
    f"bins(24, [0, 720], {TIME})",
    "bins(20, [-10, 10], column=weight, decode=mean, spread=1)",
    "bins(60, [-0.5, 59.5], column=minute, circular=true, spread=1.5, decode=near)",
    f"bins(720, [-0.5, 719.5], {TIME}, circular=true, decode=mean)",
    f"circular(720, {TIME})",
    "circular(60, column=minute)",
    "multi-head(hour=classes(12), minute=scalar)",
    f"multi-head(hour=circular(720, {TIME}), minute=circular(60), weights=[1, 0.5])",
    "multi-head(side=binary, weight=scalar(range=[-3, 3]), hour=classes)",
)
EXACT = [spec for spec in SPECS if "bins(24" not in spec and "bins(20" not in spec]
CHECKS = [(spec, check) for spec in SPECS for check in objective_checks(spec, COLUMNS)]


def build(spec: str) -> Objective:
    return objectives.build_objective(spec, COLUMNS)


def right_outputs(objective: Objective, wanted: Mapping[str, Tensor]) -> Tensor:
    """Outputs without any noise: logits of the encoded distribution for classes, else the encoded target itself."""
    parts = []
    for head, rows in objective.encode(wanted).items():
        if head not in objective.labels(wanted):
            parts.append(rows)
        elif rows.shape[1] == 1:
            parts.append(rows.clamp(1e-7, 1 - 1e-7).logit())
        else:
            parts.append(rows.clamp(min=1e-12).log())
    return torch.cat(parts, dim=1)


def test_every_registered_objective_is_tried_here() -> None:
    assert {entry.name for entry in objectives.objectives} == {spec.partition("(")[0] for spec in SPECS}


@pytest.mark.parametrize(
    "check", [check for _, check in CHECKS], ids=[f"{spec}-{check.__name__}" for spec, check in CHECKS]
)
def test_objective_keeps_what_objectives_promise(check: Check) -> None:
    check()


@pytest.mark.parametrize("spec", EXACT)
def test_outputs_without_noise_decode_to_the_targets(spec: str) -> None:
    objective, wanted = build(spec), random_targets(COLUMNS, 300)
    for column, values in objective.decode(right_outputs(objective, wanted)).items():
        assert values.dtype == wanted[column].dtype
        torch.testing.assert_close(values, wanted[column], atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("spec", SPECS)
def test_targets_blend_only_where_that_means_something(spec: str) -> None:
    objective = build(spec)
    outputs, first, second = (
        random_outputs(objective),
        objective.encode(random_targets(COLUMNS, seed=2)),
        objective.encode(random_targets(COLUMNS, seed=3)),
    )
    # The blend of two distributions is one; the number half-way between two is in neither picture.
    assert objective.soft == (objective.labels(random_targets(COLUMNS)).keys() == objective.heads.keys())
    if objective.soft:
        blended = {head: 0.3 * rows + 0.7 * second[head] for head, rows in first.items()}
        expected = 0.3 * objective.loss(outputs, first) + 0.7 * objective.loss(outputs, second)
        torch.testing.assert_close(objective.loss(outputs, blended), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spec", SPECS)
def test_the_clocks_error_is_told_wherever_hour_and_minute_are_predicted(spec: str) -> None:
    objective = build(spec)
    tells_time = {"hour", "minute"} <= set(objective.predicts)
    assert ("clock_mean_error" in objective.measured) == tells_time
    assert (objective.select == "clock_mean_error") == tells_time
