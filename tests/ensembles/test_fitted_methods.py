"""Methods that are fitted on validation, each against an independent way to the same numbers."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from drawn_members import drawn, predictions
from scipy.optimize import minimize_scalar

from cnnlab.core.errors import UsageError
from cnnlab.ensembles import MemberOutputs, side_by_side
from cnnlab.ensembles.combinations import AnyCombination, WeightedMean
from cnnlab.ensembles.logistic_regression import fit_regression
from cnnlab.ensembles.methods import Combining, methods
from cnnlab.ensembles.methods.greedy import selection
from cnnlab.ensembles.methods.stacking import best_c
from cnnlab.ensembles.temperature import fitted_temperatures
from cnnlab.ensembles.weighted_losses import LogLosses, OutputLosses, weighted_losses
from cnnlab.evaluation import metrics_of

FITTED = [
    "mean(temperature=true)",
    "weights",
    "weights(temperature=true)",
    "greedy(size=10)",
    "greedy(size=10, bags=4, by=error)",
    "swarm(iterations=30)",
    "swarm(kind=attractive-repulsive, iterations=30)",
    "stacking",
    "stacking(temperature=true)",
]


def method(spec: str) -> Combining:
    built = methods.bind(spec).build()
    assert isinstance(built, Combining)
    return built


def fitted(spec: str, outputs: MemberOutputs) -> AnyCombination:
    return method(spec).fitted({"validation": outputs})


def weights_of(spec: str, outputs: MemberOutputs) -> np.ndarray[Any, Any]:
    found = fitted(spec, outputs)
    assert isinstance(found, WeightedMean)
    return np.array(found.member_weights)


def likelihoods(outputs: MemberOutputs) -> np.ndarray[Any, Any]:
    """Of the right class, M×N, by numpy alone."""
    scores = np.exp(outputs.outputs.double().numpy())
    likely = scores / scores.sum(2, keepdims=True)
    return likely[:, np.arange(outputs.count), outputs.labels["label"].numpy()]


def test_convex_weights_are_the_best_of_a_grid_over_the_simplex() -> None:
    outputs = drawn(3, 400)
    right, found = likelihoods(outputs), weights_of("weights", outputs)

    def loss(weights: Any) -> float:
        return float(-np.log(np.asarray(weights) @ right).mean())

    grid = [(a, b, 100 - a - b) for a, b in itertools.product(range(101), repeat=2) if a + b <= 100]
    best = min(grid, key=lambda each: loss(np.array(each) / 100))
    assert loss(found) <= loss(np.array(best) / 100) + 1e-9
    assert np.abs(found - np.array(best) / 100).max() <= 0.015
    assert found.min() >= 0 and found.sum() == pytest.approx(1)


def test_a_member_that_only_harms_gets_no_weight() -> None:
    good = drawn(2, 400)
    harm = side_by_side(
        [good.predictions(good.outputs[0]), good.predictions(-5 * good.outputs[1])], ["good", "turned round"]
    )
    assert weights_of("weights", harm)[1] < 0.01


def test_weights_of_numbers_have_the_least_squared_error() -> None:
    source = np.random.default_rng(0)
    truth = source.random(200).astype(np.float32)
    each = [2 * truth - 1 + spread * source.normal(size=200) for spread in (0.2, 0.4)]
    facts: dict[str, Any] = {
        "objective": "scalar(column=weight, range=[0, 1])",
        "classes": {},
        "targets": {"weight": truth},
    }
    outputs = side_by_side([predictions(one[:, None], [0] * 200, **facts) for one in each], ["a", "b"])
    assert isinstance(weighted_losses(outputs), OutputLosses)
    errors = np.array(each) - (2 * truth - 1)
    found = minimize_scalar(
        lambda w: np.mean((w * errors[0] + (1 - w) * errors[1]) ** 2), bounds=(0, 1), method="bounded"
    )
    assert weights_of("weights", outputs)[0] == pytest.approx(found.x, abs=1e-4)


@pytest.mark.parametrize("by", ["loss", "error"])
def test_greedy_selection_is_that_of_a_direct_loop(by: Any) -> None:
    outputs, size = drawn(6, 300), 8
    likely = torch.softmax(outputs.outputs.double(), 2).numpy()
    labels = outputs.labels["label"].numpy()

    def judged(chosen: list[int]) -> float:
        mean = likely[chosen].mean(0)
        if by == "error":
            return float((mean.argmax(1) != labels).mean())
        return float(-np.log(mean[np.arange(len(labels)), labels]).mean())

    chosen: list[int] = []
    best: tuple[float, list[int]] = (np.inf, [])
    for _ in range(size):
        scores = [judged([*chosen, candidate]) for candidate in range(6)]
        chosen = [*chosen, int(np.argmin(scores))]
        if min(scores) < best[0] - 1e-12:
            best = min(scores), chosen
    counts = selection(LogLosses(outputs), np.ones(6), size, by)
    assert counts.tolist() == np.bincount(best[1], minlength=6).tolist()


def test_each_bag_selects_from_a_half_of_its_own() -> None:
    outputs = drawn(8, 200)
    once, twice = (weights_of(f"greedy(bags=6, seed={seed})", outputs) for seed in (0, 0))
    other = weights_of("greedy(bags=6, seed=1)", outputs)
    assert once.tolist() == twice.tolist() != other.tolist()
    # All from the best would be few; halves without it must take others.
    assert (once > 0).sum() > (weights_of("greedy", outputs) > 0).sum()


def test_stacking_is_scikit_learns_regression_and_cross_fitted() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    from cnnlab.core import seeds

    outputs, test = drawn(3, 300), drawn(3, 200, split="test")
    made = method("stacking(c=0.5)").combined((), {"validation": outputs, "test": test})

    def rows(part: MemberOutputs) -> Any:
        logs = torch.log_softmax(part.outputs.double(), 2)
        return (logs - logs.mean(2, keepdim=True)).permute(1, 0, 2).flatten(1).numpy()

    labels = outputs.labels["label"].numpy()
    direct = LogisticRegression(C=0.5, max_iter=1000, tol=1e-8).fit(rows(outputs), labels)
    said = np.exp(made.predictions["test"].outputs["label"])
    np.testing.assert_allclose(said, direct.predict_proba(rows(test)), atol=1e-5)
    folds = StratifiedKFold(5, shuffle=True, random_state=seeds.derive(0, "folds") % (1 << 32))
    held_out = cross_val_predict(direct, rows(outputs), labels, cv=folds, method="predict_proba")
    np.testing.assert_allclose(np.exp(made.predictions["validation"].outputs["label"]), held_out, atol=1e-4)


@pytest.mark.parametrize("c", [1e-4, 0.1, 10.0])
def test_the_regression_is_scikit_learns_also_of_columns_that_say_the_same(c: float) -> None:
    from sklearn.linear_model import LogisticRegression

    source = np.random.default_rng(0)
    column = source.normal(size=(200, 2))
    rows = np.column_stack([column, column + 1e-3 * source.normal(size=column.shape), np.ones(200), 1e-6 * column])
    labels = (column[:, 0] + source.normal(size=200) > 0).astype(int) + (column[:, 1] > 1)
    coefficients, intercepts = fit_regression(rows, labels, 3, c, exactness=1e-8)
    direct = LogisticRegression(C=c, max_iter=10_000, tol=1e-9).fit(rows, labels)
    np.testing.assert_allclose(coefficients, direct.coef_, atol=2e-4)
    np.testing.assert_allclose(intercepts, direct.intercept_ - direct.intercept_.mean(), atol=2e-4)


def test_how_far_coefficients_are_kept_near_0_is_chosen_by_pictures_not_fitted_on() -> None:
    source = np.random.default_rng(1)
    labels = source.integers(0, 3, 300)
    telling = np.eye(3)[labels] + 0.3 * source.normal(size=(300, 3))
    # What tells the classes well may have large coefficients; what tells nothing none.
    assert best_c(telling, labels, seed=0) >= 0.1
    assert best_c(source.normal(size=(300, 60)), labels, seed=0) <= 1e-3
    assert best_c(telling[:4], np.array([0, 1, 2, 0]), seed=0) == 0.01


def test_stacking_of_two_classes_by_one_output_gives_one_output() -> None:
    source = np.random.default_rng(0)
    labels = source.integers(0, 2, 100)
    facts: dict[str, Any] = {"objective": "binary(column=label)", "names": ("no", "yes")}
    each = [predictions((labels - 0.5 + source.normal(size=100))[:, None], labels.tolist(), **facts) for _ in range(2)]
    made = method("stacking(c=1)").combined((), {"validation": side_by_side(each, ["a", "b"])})
    assert made.predictions["validation"].outputs["label"].shape == (100, 1)
    assert metrics_of(made.predictions["validation"])["accuracy"] > 0.6


@pytest.mark.parametrize(("count", "rare"), [(2, "cat"), (4, "cat")])
def test_stacking_on_too_few_pictures_of_a_class_is_refused(count: int, rare: str) -> None:
    labels = [0, 1, 0, 1, 2][:count] if count < 4 else [0, 0, 1, 1, 2]
    each = [predictions(np.zeros((len(labels), 3)), labels) for _ in range(2)]
    with pytest.raises(UsageError, match=f"two validation pictures of every class.* fewer of.*{rare}"):
        method("stacking").combined((), {"validation": side_by_side(each, ["a", "b"])})


def test_a_temperature_is_that_of_the_least_log_loss() -> None:
    outputs = drawn(3, 500)
    (found,) = fitted_temperatures(outputs).values()
    for member, temperature in zip(outputs.outputs.double(), found, strict=True):
        best = minimize_scalar(
            lambda t, rows=member: torch.nn.functional.cross_entropy(rows / t, outputs.labels["label"]).item(),
            bounds=(0.05, 20),
            method="bounded",
            options={"xatol": 1e-9},
        )
        assert temperature == pytest.approx(best.x, rel=1e-4)


def test_a_temperature_of_a_member_that_is_never_wrong_stays_within_bounds() -> None:
    sure = predictions(10 * np.eye(3), [0, 1, 2])
    wrong = predictions(10 * np.eye(3), [1, 2, 0])
    (found,) = fitted_temperatures(side_by_side([sure, sure], ["a", "b"])).values()
    (lost,) = fitted_temperatures(side_by_side([wrong, wrong], ["a", "b"])).values()
    assert 1 / 64 <= found[0] < 0.2 and lost[0] == pytest.approx(64, rel=1e-3)


def test_a_swarm_is_never_worse_than_equal_weights_by_what_it_looks_for() -> None:
    outputs = drawn(5, 300)
    losses = LogLosses(outputs)
    for spec in ("swarm(diversity=0)", "swarm(kind=attractive-repulsive, diversity=0)"):
        found, equal = weights_of(spec, outputs), np.full(5, 0.2)
        assert losses.errors(found)[0] <= losses.errors(equal)[0]
        assert found.min() >= 0 and found.sum() == pytest.approx(1)


def test_ambiguity_is_the_mean_squared_distance_of_members_from_what_they_say_together() -> None:
    outputs, weights = drawn(3, 50), np.array([0.5, 0.3, 0.2])
    likely = torch.softmax(outputs.outputs.double(), 2).numpy()
    together = np.einsum("mnk,m->nk", likely, weights)
    direct = 0.5 * sum(w * ((p - together) ** 2).sum(1).mean() for w, p in zip(weights, likely, strict=True))
    assert LogLosses(outputs).ambiguities(weights)[0] == pytest.approx(direct, rel=1e-5)


def test_a_gradient_of_the_losses_is_that_of_finite_differences() -> None:
    losses, weights = LogLosses(drawn(3, 50)), np.array([0.5, 0.3, 0.2])
    _, gradient = losses.with_gradient(weights)
    for place in range(3):
        step = 1e-6 * np.eye(3)[place]
        slope = (losses.with_gradient(weights + step)[0] - losses.with_gradient(weights - step)[0]) / 2e-6
        assert gradient[place] == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("spec", FITTED)
def test_random_validation_labels_bring_no_gain_on_test(spec: str) -> None:
    # Validation pictures tell nothing of the labels: whatever is fitted to them must not help, and equal weights are
    # what the members deserve, being alike.
    source = np.random.default_rng(5)
    test_labels, random_labels = source.integers(0, 3, 2000), source.integers(0, 3, 300)
    each, validation = [], []
    for _ in range(5):
        logits = source.normal(size=(2000, 3))
        logits[np.arange(2000), test_labels] += 1.2
        each.append(predictions(logits, test_labels.tolist(), split="test"))
        validation.append(predictions(source.normal(size=(300, 3)), random_labels.tolist()))
    names = [f"m{place}" for place in range(5)]
    outputs = {"validation": side_by_side(validation, names), "test": side_by_side(each, names)}
    plain = metrics_of(method("mean").combined((), outputs).predictions["test"])["accuracy"]
    gained = metrics_of(method(spec).combined((), outputs).predictions["test"])["accuracy"] - plain
    # Half a point is within what 2,000 pictures tell.
    assert gained <= 0.005


@pytest.mark.parametrize("spec", ["mean", "mean(of=logits)", "vote", *FITTED])
def test_nothing_reads_the_labels_of_test(spec: str) -> None:
    validation, test = drawn(4, 150), drawn(4, 100, split="test")
    turned = [predictions(member, ((test.labels["label"] + 1) % 3).tolist(), split="test") for member in test.outputs]
    permuted = side_by_side(turned, test.names)
    one, other = (method(spec).combined((), {"validation": validation, "test": part}) for part in (test, permuted))
    assert one.combination == other.combination
    for split in ("validation", "test"):
        assert one.predictions[split].outputs["label"].tobytes() == other.predictions[split].outputs["label"].tobytes()


@pytest.mark.parametrize("spec", FITTED)
def test_a_fitted_method_without_validation_is_refused_with_what_does_without(spec: str) -> None:
    with pytest.raises(UsageError, match=r"fitted on validation pictures.* Take method=mean or method=vote"):
        method(spec).combined((), {"test": drawn(3, 50, split="test")})
    unknown = [predictions(member, [0] * 50, targets={}) for member in drawn(3, 50).outputs]
    with pytest.raises(UsageError, match="fitted on validation"):
        method(spec).combined((), {"validation": side_by_side(unknown, ["a", "b", "c"])})


def test_a_stack_of_more_numbers_than_make_sense_is_refused() -> None:
    names = tuple(f"c{place}" for place in range(1100))
    labels = [*range(1100), *range(1100)]
    each = [predictions(np.zeros((2200, 1100)), labels, names=names) for _ in range(2)]
    with pytest.raises(UsageError, match="would fit 2,420,000 numbers to 2,200 pictures"):
        method("stacking").combined((), {"validation": side_by_side(each, ["a", "b"])})


def test_fitting_is_stored_to_the_bit() -> None:
    for spec in FITTED:
        found = fitted(spec, drawn(3, 150))
        assert type(found).model_validate_json(found.model_dump_json()) == found
