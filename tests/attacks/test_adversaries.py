"""Trainings against adversaries: what the attack is given, what it costs, and that a training goes on to the bit."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab import evaluate, objectives
from cnnlab.attacks.adversaries import Adversary
from cnnlab.attacks.trades import Trades
from cnnlab.core.errors import SpecError, UsageError
from cnnlab.core.hooks import perturbations
from cnnlab.core.seeds import SampleDraws, generator
from cnnlab.models import Classifier
from cnnlab.runs import Run
from cnnlab.testing import linear_classifier, tiny_image
from cnnlab.testing.model_tools import random_pixels, small_classifier
from cnnlab.training import Recipe, train
from cnnlab.training.batches import Batch
from cnnlab.training.execution import Execution
from cnnlab.training.overfitting_watch import ROBUST, overfitting_warning
from cnnlab.training.step import StepKey, Stepper

CLASSES = {"label": ("cat", "dog", "owl")}
OBJECTIVE = objectives.build_objective("classes", CLASSES)
NOW = StepKey(seed=3, epoch=1, step=2)
DIGITS = {
    "data": "digits",
    "subset": 120,
    "validation": 60,
    "test": 60,
    "model": "conv(4)|bn|relu|pool|dropout(0.3)|flatten",
    "optimizer": "sgd(lr=0.1)",
    "batch_size": 40,
    "epochs": 2,
    "precision": "float32",
    "device": "cpu",
    "threads": 1,
    "workers": 1,
}
EVERY = ("fgsm(eps=0.1)", "pgd(eps=0.1, steps=3)", "fast(eps=0.1)", "trades(eps=0.1, steps=3)", "mifgsm(eps=0.1)")


@pytest.fixture
def small_run(tmp_path: Path) -> Callable[..., Run]:
    def go(**keys: Any) -> Run:
        runs = keys.pop("runs", tmp_path / "runs")
        return train({**DIGITS, **keys}, offline=True, runs=runs)

    return go


def draws(count: int) -> SampleDraws:
    return SampleDraws(generator(0, "test"), count)


def batch(count: int = 8) -> Batch:
    images = torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return Batch(torch.arange(count), images, {"label": torch.arange(count) % 3})


def step_of(network: Classifier, weights: Any = None, parts: int = 1, **keys: Any) -> dict[str, Tensor]:
    """The gradients of one step."""
    phase = Recipe.read({"data": "digits", "optimizer": "sgd(lr=0.1)", **keys}).normal()[0]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    execution = Execution(precision="float32", parts=parts)
    Stepper(phase, OBJECTIVE, network, network, optimizer, execution, weights).take(batch(), NOW)
    return {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


def asks(network: torch.nn.Module) -> bool:
    """Whether gradients by its weights are worked out."""
    return all(weight.requires_grad for weight in network.parameters())


def without_norms() -> Classifier:
    """In evaluation mode norms and dropout do the same for parts of a batch and for all of it."""
    network = small_classifier((1, 8, 8))
    network.network.get_submodule("bn1").register_forward_pre_hook(lambda module, _: module.eval() and None)
    network.network.get_submodule("dropout1").register_forward_pre_hook(lambda module, _: module.eval() and None)
    return network


@pytest.mark.parametrize("adversary", EVERY)
def test_a_batch_in_parts_gives_the_gradients_of_the_whole(adversary: str) -> None:
    weights = {"label": torch.tensor([0.5, 1.0, 3.0])}
    keys: dict[str, Any] = {"adversary": adversary, "augment": "mixup", "label_smoothing": 0.1}
    whole = step_of(without_norms().train(), weights, **keys)
    parts = step_of(without_norms().train(), weights, parts=3, **keys)
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("adversary", "looks", "learns"),
    [("fgsm(eps=0.1)", 1, 1), ("pgd(eps=0.1, steps=3)", 3, 1), ("trades(eps=0.1, steps=3)", 4, 2), ("none", 0, 1)],
)
def test_an_adversary_asks_only_for_its_steps_and_in_evaluation_mode(adversary: str, looks: int, learns: int) -> None:
    network, modes = small_classifier((1, 8, 8)).train(), []
    network.register_forward_hook(lambda module, given, outputs: modes.append((module.training, asks(module))))
    step_of(network, adversary=adversary)
    assert modes == [(False, False)] * looks + [(True, True)] * learns
    assert asks(network)
    assert all(module.training for module in network.modules())


def test_the_loss_that_an_adversary_climbs_is_that_of_the_training() -> None:
    # Of a picture half cat and half owl; with the owl's weight at nothing only the cat's logit is to fall.
    classifier, pixels = linear_classifier(), tiny_image() / 2 + 0.1
    shares = torch.tensor([[0.5, 0.0, 0.5]])
    changed = {}
    for name, weights in (("even", None), ("cat", torch.tensor([1.0, 1.0, 0.0]))):
        objective = OBJECTIVE.weighted(None if weights is None else {"label": weights})
        fgsm = perturbations.bind("fgsm(eps=0.01)").build()
        changed[name] = fgsm(classifier, pixels, {"label": shares}, objective, draws(1)) - pixels
        asked = pixels.clone().requires_grad_()
        F.cross_entropy(classifier(asked), shares, weight=weights).backward()
        torch.testing.assert_close(changed[name], 0.01 * asked.grad.sign(), atol=1e-6, rtol=0)
    assert not torch.equal(changed["even"], changed["cat"])


def test_an_objective_of_numbers_is_attacked_by_its_own_loss() -> None:
    objective = objectives.build_objective("scalar(mean=0, std=1)", {"angle": None})
    pixels = torch.full((1, 1, 2, 2), 0.5)
    plane = torch.tensor([1.0, -1.0, 2.0, 0.0]).view(1, 1, 2, 2)
    fgsm = perturbations.bind("fgsm(eps=0.1)").build()
    changed = fgsm(
        lambda given: (plane * given).sum((1, 2, 3))[:, None],
        pixels,
        {"angle": torch.tensor([[0.0]])},
        objective,
        draws(1),
    )
    # What is said, 1, is too much already, and grows by the signs of the plane.
    torch.testing.assert_close(changed - pixels, 0.1 * plane.sign())


def test_the_fast_adversary_steps_from_a_drawn_point_and_back_into_the_budget() -> None:
    classifier, pixels = linear_classifier(), tiny_image() / 2 + 0.1
    fast = perturbations.bind("fast(eps=0.04)").build()
    encoded = {"label": torch.tensor([[1.0, 0.0, 0.0]])}
    start = 0.04 * (2 * draws(1).uniform(1, 2, 2) - 1)
    # The loss of the cat grows by the signs (−, +, +, −) of the gradient.
    signs = torch.tensor([[-1.0, 1.0], [1.0, -1.0]])
    wanted = (start + 0.05 * signs).clamp(-0.04, 0.04)
    torch.testing.assert_close(fast(classifier, pixels, encoded, OBJECTIVE, draws(1)) - pixels, wanted)


def test_a_warm_up_grows_the_budget_from_epoch_to_epoch() -> None:
    adversary: Adversary = perturbations.bind("pgd(eps=0.1, steps=5, step=0.02, warmup=4)").build()
    budgets = [(own.attack.eps, own.attack.step) for own in map(adversary.in_epoch, range(6))]
    wanted = [(0.1 * share, 0.02 * share) for share in (0.25, 0.5, 0.75, 1, 1, 1)]
    for own, expected in zip(budgets, wanted, strict=True):
        assert own == pytest.approx(expected)


def test_a_training_warms_up_anew_in_each_phase(small_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    call = Adversary.__call__

    def look(self: Adversary, *given: Any) -> Tensor:
        seen.append(round(self.attack.eps or 0, 6))
        return call(self, *given)

    monkeypatch.setattr(Adversary, "__call__", look)
    keys = {"adversary": "pgd(eps=0.1, steps=1, warmup=2)", "epochs": None, "phases": [{"epochs": 2}, {"epochs": 1}]}
    small_run(**keys)
    # Each epoch is three batches, and then as many within the whole budget, to watch by.
    epochs = [[0.05] * 3, [0.1] * 3, [0.05] * 3]
    assert seen == [eps for epoch in epochs for eps in (*epoch, 0.1, 0.1, 0.1)]


def test_trades_adds_the_divergence_of_what_is_said_to_the_loss() -> None:
    before, after = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([[0.5, 1.0, 0.0]])
    trades: Trades = perturbations.bind("trades(eps=0.1, beta=3)").build()
    wanted = 3 * F.kl_div(after.log_softmax(1), before.softmax(1), reduction="sum")
    torch.testing.assert_close(trades.pair_loss(before, after, OBJECTIVE)[0], wanted)
    torch.testing.assert_close(trades.pair_loss(before, before, OBJECTIVE), torch.zeros(1))


def test_trades_of_one_logit_is_that_of_its_two_probabilities() -> None:
    binary = objectives.build_objective("binary", {"label": ("cat", "dog")})
    before, after = torch.tensor([[0.5]]), torch.tensor([[-1.0]])
    p, q = torch.sigmoid(before), torch.sigmoid(after)
    wanted = 6 * (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log())
    trades: Trades = perturbations.bind("trades(eps=0.1)").build()
    torch.testing.assert_close(trades.pair_loss(before, after, binary), wanted[0])


def test_trades_goes_by_what_is_said_and_not_by_what_is_right() -> None:
    classifier, pixels = small_classifier((1, 8, 8)).eval(), random_pixels((1, 8, 8))
    trades: Trades = perturbations.bind("trades(eps=0.1, steps=5)").build()
    rows = [F.one_hot(torch.full((3,), place), 3).float() for place in (0, 2)]
    given = [trades(classifier, pixels, {"label": row}, OBJECTIVE, draws(3)) for row in rows]
    assert torch.equal(*given)
    divergence = trades.pair_loss(classifier(pixels), classifier(given[0]), OBJECTIVE)
    noise = (pixels + 0.1 * (2 * draws(3).uniform(1, 8, 8) - 1)).clamp(0, 1)
    assert (divergence > 3 * trades.pair_loss(classifier(pixels), classifier(noise), OBJECTIVE)).all()
    assert (given[0] - pixels).abs().max() <= 0.1 + 1e-6


def test_with_beta_at_nothing_trades_is_a_training_without_an_adversary() -> None:
    network = without_norms().train()
    paired = step_of(network, adversary="trades(eps=0.1, beta=0)")
    plain = step_of(without_norms().train())
    for name, value in plain.items():
        torch.testing.assert_close(paired[name], value, atol=1e-7, rtol=1e-6)


def test_trades_refuses_numbers_and_company(small_run: Any) -> None:
    with pytest.raises(UsageError, match="stands alone, and fgsm stands beside it"):
        small_run(adversary="trades(eps=0.1)|fgsm(eps=0.1)")
    with pytest.raises(UsageError, match="label is predicted as a number"):
        small_run(adversary="trades(eps=0.1)", objective="scalar(column=label)", select="last")
    with pytest.raises(SpecError, match="warmup"):
        small_run(adversary="pgd(warmup=-1)")


@pytest.mark.parametrize("adversary", ["fast(eps=0.1, warmup=3)", "trades(eps=0.1, steps=2)"])
def test_a_training_that_goes_on_ends_to_the_bit_as_one_in_one_go(
    adversary: str, small_run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = {"adversary": adversary, "augment": "mixup", "label_smoothing": 0.1, "checkpoint_seconds": 0}
    whole = small_run(**keys, runs=tmp_path / "whole")
    take, taken = Stepper.take, 0

    def broken(self: Stepper, *given: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken == 5:
            raise KeyboardInterrupt
        return take(self, *given)

    monkeypatch.setattr(Stepper, "take", broken)
    with pytest.raises(KeyboardInterrupt):
        small_run(**keys)
    after = small_run(**keys)
    assert taken == 7  # Two of three steps of the second epoch were left.
    assert (after.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()
    assert after.history.get(ROBUST, after.history["epoch"]).equals(whole.history.get(ROBUST, whole.history["epoch"]))


def test_trained_against_attacks_a_network_withstands_them(small_run: Any) -> None:
    keys = {"subset": 600, "epochs": 6, "model": "conv(8)|relu|pool|flatten"}
    robust = {}
    for adversary in ("none", "fast(eps=0.2)", "trades(eps=0.2, steps=4)"):
        run = small_run(adversary=adversary, **keys)
        robust[adversary] = evaluate(run, perturb="pgd(eps=0.2, steps=10)").scores["accuracy"]
    assert robust["none"] < 0.15
    assert min(robust["fast(eps=0.2)"], robust["trades(eps=0.2, steps=4)"]) > robust["none"] + 0.1


def test_only_a_training_against_one_step_is_watched(small_run: Any) -> None:
    columns = {a: small_run(adversary=a).history.columns for a in ("none", "pgd(eps=0.1, steps=2)", "fgsm(eps=0.1)")}
    assert [ROBUST in columns[adversary] for adversary in columns] == [False, False, True]


class Leaking:
    """Two epochs an honest adversary of one step; then another picture with the class written over it."""

    needs_gradient = True

    def __init__(self, is_honest: bool = True) -> None:
        self.is_honest, self.inner = is_honest, perturbations.bind("fast(eps=0.02)").build()
        self.watcher = self.inner.watcher

    def in_epoch(self, epoch: int) -> "Leaking":
        return Leaking(epoch < 2)

    def __call__(self, classifier: Any, pixels: Tensor, encoded: Any, *given: Any) -> Tensor:
        if self.is_honest:
            changed: Tensor = self.inner(classifier, pixels, encoded, *given)
            return changed
        leaked = pixels.flip(0).contiguous()
        leaked[torch.arange(len(pixels)), 0, 0, :] = F.pad(encoded["label"], (0, pixels.shape[3]))[:, : pixels.shape[3]]
        leaked[torch.arange(len(pixels)), 0, 1, :2] = encoded["label"][:, 8:]
        return leaked


def test_a_network_that_withstands_its_step_alone_is_told_of_in_its_record(small_run: Any) -> None:
    perturbations.register("leaking")(Leaking)
    keys = {"subset": 600, "epochs": 6, "model": "dense(32)|relu", "select": "last", "schedule": "constant"}
    try:
        with pytest.warns(UserWarning, match="catastrophic overfitting") as told:
            run = small_run(adversary="leaking", optimizer="adam(lr=0.01)", **keys)
    finally:
        perturbations.remove("leaking")
    robust, accuracy = run.history[ROBUST], run.history["train_accuracy"]
    assert robust[:2].max() > 0.4 and robust.iloc[-1] < robust[:2].max() / 2 and accuracy.iloc[-1] > 0.9
    assert len(told) == 1
    (warning,) = run.info["warnings"]
    assert warning.startswith("catastrophic overfitting") and f"{robust[:2].max():.1%} in epoch 2" in warning


def row(epoch: int, robust: float | None, accuracy: float = 0.9) -> dict[str, Any]:
    return {"epoch": epoch, "train_accuracy": accuracy, **({} if robust is None else {ROBUST: robust})}


@pytest.mark.parametrize(
    ("rows", "is_told"),
    [
        ([row(1, 0.5, 0.6), row(2, 0.6, 0.7), row(3, 0.02, 0.95)], True),
        # Told of once.
        ([row(1, 0.5), row(2, 0.02), row(3, 0.01)], False),
        # All that was learned is lost.
        ([row(1, 0.5, 0.7), row(2, 0.02, 0.1)], False),
        # A dip.
        ([row(1, 0.5), row(2, 0.4)], False),
        # There was nothing to lose.
        ([row(1, 0.1), row(2, 0.01)], False),
        ([row(1, None), row(2, None)], False),
    ],
)
def test_a_collapse_under_many_steps_is_told_of_once(rows: list[dict[str, Any]], is_told: bool) -> None:
    if not is_told:
        assert overfitting_warning(rows[:-1], rows[-1]) is None
        return
    with pytest.warns(
        UserWarning, match=r"catastrophic overfitting: in epoch 3 .* fell to 2.0%, from 60.0% in epoch 2"
    ):
        assert overfitting_warning(rows[:-1], rows[-1]) is not None
    assert math.isfinite(rows[-1][ROBUST])
