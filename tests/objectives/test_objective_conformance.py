"""What every registered objective holds to, each tried on columns that suit it."""

import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from cnnlab import objectives
from cnnlab.objectives import Columns, Objective

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


def build(spec: str) -> Objective:
    return objectives.build_objective(spec, COLUMNS)


def targets(count: int = 40, seed: int = 0) -> dict[str, Tensor]:
    source = torch.Generator().manual_seed(seed)
    found = {name: torch.randint(size, (count,), generator=source) for name, size in (("hour", 12), ("minute", 60))}
    found["side"] = torch.randint(2, (count,), generator=source)
    return found | {"weight": torch.randn(count, generator=source)}


def random_outputs(objective: Objective, count: int = 40, seed: int = 1) -> Tensor:
    return torch.randn(count, objective.outputs, generator=torch.Generator().manual_seed(seed))


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


@pytest.mark.parametrize("spec", SPECS)
def test_heads_encode_and_split_to_their_widths(spec: str) -> None:
    objective, wanted = build(spec), targets()
    assert {head: tuple(rows.shape) for head, rows in objective.encode(wanted).items()} == {
        head: (40, width) for head, width in objective.heads.items()
    }
    assert all(rows.dtype == torch.float32 for rows in objective.encode(wanted).values())
    outputs = random_outputs(objective)
    torch.testing.assert_close(torch.cat(list(objective.split(outputs).values()), dim=1), outputs)
    for rows in objective.probabilities(outputs).values():
        torch.testing.assert_close(rows.sum(1), torch.ones(40))
    assert set(objective.confidences(outputs)) <= set(objective.predicts) == set(objective.decode(outputs))
    for sure in objective.confidences(outputs).values():
        assert sure.shape == (40,)
        assert bool(((sure >= 0) & (sure <= 1)).all())


@pytest.mark.parametrize("spec", EXACT)
def test_outputs_without_noise_decode_to_the_targets(spec: str) -> None:
    objective, wanted = build(spec), targets(300)
    for column, values in objective.decode(right_outputs(objective, wanted)).items():
        assert values.dtype == wanted[column].dtype
        torch.testing.assert_close(values, wanted[column], atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("spec", SPECS)
def test_loss_is_one_finite_number_a_sample_with_a_gradient(spec: str) -> None:
    objective, encoded = build(spec), build(spec).encode(targets())
    outputs = random_outputs(objective).requires_grad_()
    losses = objective.loss(outputs, encoded)
    assert losses.shape == (40,)
    (gradient,) = torch.autograd.grad(losses.sum(), outputs)
    assert torch.isfinite(gradient).all()
    assert bool((gradient.abs().sum(1) > 0).all())
    # A step downhill lowers it.
    stepped = objective.loss(outputs.detach() - 1e-3 * gradient, encoded)
    assert stepped.mean() < losses.mean()


@pytest.mark.parametrize("spec", SPECS)
def test_gradient_is_that_of_finite_differences(spec: str) -> None:
    objective, wanted = build(spec), targets(3)
    encoded = {head: rows.double() for head, rows in objective.encode(wanted).items()}
    outputs = random_outputs(objective, 3).double().requires_grad_()
    if objective.outputs < 100:
        assert torch.autograd.gradcheck(lambda rows: objective.loss(rows, encoded), (outputs,))


@pytest.mark.parametrize("spec", SPECS)
def test_right_outputs_cost_less_and_score_better_than_random_ones(spec: str) -> None:
    objective, wanted = build(spec), targets(200)
    good, bad = right_outputs(objective, wanted), random_outputs(objective, 200)
    assert objective.loss(good, objective.encode(wanted)).mean() < objective.loss(bad, objective.encode(wanted)).mean()
    better, worse = objective.metrics(good, wanted), objective.metrics(bad, wanted)
    for name in objective.measured:
        sign = 1 if objective.better(name) == "higher" else -1
        assert sign * better[name] >= sign * worse[name], name
    assert better[objective.select] != worse[objective.select]


@pytest.mark.parametrize("spec", SPECS)
def test_metrics_are_those_announced_and_plain_finite_numbers(spec: str) -> None:
    objective, wanted = build(spec), targets()
    found = objective.metrics(random_outputs(objective), wanted)
    assert list(found) == list(objective.measured)
    assert objective.select in found
    assert all(type(value) is float and math.isfinite(value) for value in found.values())
    outputs = random_outputs(objective)
    mean = objective.loss(outputs, objective.encode(wanted)).mean().item()
    assert found["loss"] == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("spec", SPECS)
def test_tallies_are_those_announced_and_agree_with_the_metrics(spec: str) -> None:
    objective, wanted = build(spec), targets()
    outputs = random_outputs(objective)
    sums = objective.tally(outputs, objective.encode(wanted))
    assert tuple(sums) == objective.tallied
    metrics = objective.metrics(outputs, wanted)
    for name, total in sums.items():
        assert total.item() / 40 == pytest.approx(metrics[name], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("spec", SPECS)
def test_targets_blend_only_where_that_means_something(spec: str) -> None:
    objective = build(spec)
    outputs, one, other = (
        random_outputs(objective),
        objective.encode(targets(seed=2)),
        objective.encode(targets(seed=3)),
    )
    # The blend of two distributions is one; the number half-way between two is in neither picture.
    assert objective.soft == (objective.labels(targets()).keys() == objective.heads.keys())
    if objective.soft:
        blended = {head: 0.3 * rows + 0.7 * other[head] for head, rows in one.items()}
        expected = 0.3 * objective.loss(outputs, one) + 0.7 * objective.loss(outputs, other)
        torch.testing.assert_close(objective.loss(outputs, blended), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spec", SPECS)
def test_half_precision_outputs_are_judged_in_full(spec: str) -> None:
    objective, encoded = build(spec), build(spec).encode(targets())
    outputs = random_outputs(objective).bfloat16()
    found = objective.loss(outputs, encoded)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, objective.loss(outputs.float(), encoded))


@pytest.mark.parametrize("spec", SPECS)
def test_smoothing_keeps_distributions_and_leaves_numbers_alone(spec: str) -> None:
    objective, wanted = build(spec), targets()
    encoded = objective.encode(wanted)
    if not objective.smooths:
        return
    smoothed, labels = objective.smooth(encoded, 0.2), objective.labels(wanted)
    assert labels
    for head, rows in smoothed.items():
        if head not in labels:
            torch.testing.assert_close(rows, encoded[head])
        elif rows.shape[1] > 1:
            torch.testing.assert_close(rows.sum(1), torch.ones(40))
            assert torch.equal(rows.argmax(1), encoded[head].argmax(1))
            assert not torch.equal(rows, encoded[head])


@pytest.mark.parametrize("spec", SPECS)
def test_class_weights_act_on_the_heads_that_tell_classes_apart(spec: str) -> None:
    objective, wanted = build(spec), targets()
    outputs, encoded = random_outputs(objective), objective.encode(wanted)
    ones = {head: torch.ones(count) for head, (_, count) in objective.labels(wanted).items()}
    plain = objective.loss(outputs, encoded)
    torch.testing.assert_close(objective.loss(outputs, encoded, ones), plain)
    if ones:
        twice = {head: 2 * rows for head, rows in ones.items()}
        assert bool((objective.loss(outputs, encoded, twice) > plain).all())


@pytest.mark.parametrize("spec", SPECS)
def test_canonical_form_is_stable_and_rebuilds_the_same_objective(spec: str) -> None:
    once = objectives.canonical_objective(spec)
    assert objectives.canonical_objective(once) == once
    objective, outputs, wanted = build(spec), random_outputs(build(spec)), targets()
    classes = {name: names for name, names in COLUMNS.items() if names is not None}
    again = objectives.restore_objective(objective.spec, classes)
    assert again.spec == objective.spec
    assert again.metrics(outputs, wanted) == objective.metrics(outputs, wanted)


@pytest.mark.parametrize("spec", SPECS)
def test_the_clocks_error_is_told_wherever_hour_and_minute_are_predicted(spec: str) -> None:
    objective = build(spec)
    tells_time = {"hour", "minute"} <= set(objective.predicts)
    assert ("clock_mean_error" in objective.measured) == tells_time
    assert (objective.select == "clock_mean_error") == tells_time
