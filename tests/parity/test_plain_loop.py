"""The trainer against a training loop written out by hand with torch alone, on the same seeds."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import balanced_accuracy_score, f1_score
from torch import Tensor, nn

from cnnlab import data, models
from cnnlab.core.seeds import generator, scope
from cnnlab.runs import Run
from cnnlab.training import train

EPOCHS, BATCH, STEPS_PER_EPOCH, SEED = 2, 40, 3, 5
# A bias before a norm has no gradient but rounding, which Adam would blow up.
MODEL = "conv(4, bias=false)|bn|relu|pool|flatten|dense(16)|relu|head(init=glorot-uniform)"
# Weights clipped to one value make ties, which a pool or a relu breaks by rounding.
SMOOTH = "flatten|dense(16)|tanh|head(init=glorot-uniform)"


@dataclass
class Bare:
    """Forty digits at a time, twice over 120 of them."""

    make_optimizer: Callable[[nn.Module], torch.optim.Optimizer] = lambda net: torch.optim.SGD(net.parameters(), lr=0.1)
    make_scheduler: Callable[[torch.optim.Optimizer], Any] | None = None
    label_smoothing: float = 0.0
    clip_gradient: float | None = None
    clip_weights: float | None = None
    ema: float | None = None
    model: str = MODEL
    losses: list[float] = field(default_factory=list)

    def train(self) -> nn.Module:
        dataset = data.load_data("digits", subset=120, validation=60, test=60)
        pixels, labels = dataset.train.batch(torch.arange(120))
        x = pixels.double() / 255
        x = ((x - x.mean()) / x.std(correction=0)).float()
        self.network, self.dataset = self.start(), dataset
        average = copy.deepcopy(self.network)
        optimizer = self.make_optimizer(self.network)
        scheduler = self.make_scheduler(optimizer) if self.make_scheduler else None
        step = 0
        for epoch in range(EPOCHS):
            order = torch.randperm(120, generator=generator(SEED, "order", epoch))
            total = 0.0
            for batch in order.split(BATCH):
                step += 1
                total += len(batch) * self.step(x[batch], labels["label"][batch], optimizer)
                if scheduler:
                    scheduler.step()
                self.follow(average, step)
            self.losses.append(total / 120)
        return average if self.ema else self.network

    def start(self) -> nn.Module:
        with scope(SEED, "init"):
            return models.build_network(self.model, (1, 8, 8), 10)

    def step(self, x: Tensor, y: Tensor, optimizer: torch.optim.Optimizer) -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(self.network(x), y, label_smoothing=self.label_smoothing)
        loss.backward()
        if self.clip_gradient:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_gradient)
        optimizer.step()
        if self.clip_weights:
            with torch.no_grad():
                for parameter in self.network.parameters():
                    parameter.clamp_(-self.clip_weights, self.clip_weights)
        return loss.item()

    def follow(self, average: nn.Module, step: int) -> None:
        decay = min(self.ema or 0, (1 + step) / (10 + step))
        for own, other in zip(average.state_dict().values(), self.network.state_dict().values(), strict=True):
            own.copy_(decay * own + (1 - decay) * other if own.is_floating_point() else other)


def spared(net: nn.Module) -> list[dict[str, Any]]:
    decayed = [p for n, p in net.named_parameters() if n.endswith("weight") and p.ndim > 1]
    rest = [p for p in net.parameters() if all(p is not d for d in decayed)]
    return [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]


TOTAL = EPOCHS * STEPS_PER_EPOCH
CASES: dict[str, tuple[dict[str, Any], Bare]] = {
    "plain descent": ({}, Bare()),
    "momentum and one cycle": (
        {"optimizer": "sgd(lr=0.3, momentum=0.9, nesterov=true)", "schedule": "one-cycle(peak=0.4)"},
        Bare(
            lambda net: torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9, nesterov=True),
            lambda o: torch.optim.lr_scheduler.OneCycleLR(
                o, max_lr=0.3, total_steps=TOTAL, pct_start=0.4, cycle_momentum=False
            ),
        ),
    ),
    "adam and a cosine": (
        {"optimizer": "adam(lr=0.01)", "schedule": "cosine"},
        Bare(
            lambda net: torch.optim.Adam(net.parameters(), lr=0.01),
            lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, TOTAL),
        ),
    ),
    "weight decay": (
        {"weight_decay": 0.1, "optimizer": "adamw(lr=0.01)"},
        Bare(lambda net: torch.optim.AdamW(spared(net), lr=0.01)),
    ),
    "the optimiser's own decay": (
        {"optimizer": "sgd(lr=0.1, weight_decay=0.1)"},
        Bare(lambda net: torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1)),
    ),
    "label smoothing": ({"label_smoothing": 0.2}, Bare(label_smoothing=0.2)),
    "clipped gradients": ({"clip_gradient": 0.3}, Bare(clip_gradient=0.3)),
    "clipped weights": ({"clip_weights": 0.08, "model": SMOOTH}, Bare(clip_weights=0.08, model=SMOOTH)),
    "moving average": ({"ema": 0.25}, Bare(ema=0.25)),
    "moving average at its start": ({"ema": 0.999}, Bare(ema=0.999)),
}


def trained(folder: Path, **keys: Any) -> Run:
    """The same by cnnlab, with some keys of the recipe changed."""
    recipe = {
        "data": "digits",
        "subset": 120,
        "validation": 60,
        "test": 60,
        "model": MODEL,
        "optimizer": "sgd(lr=0.1)",
        "schedule": "constant",
        "batch_size": BATCH,
        "epochs": EPOCHS,
        "select": "last",
        "seed": SEED,
        "precision": "float32",
        "device": "cpu",
        "threads": 1,
    }
    return train({**recipe, **keys}, runs=folder)


@pytest.mark.parametrize("case", CASES)
def test_training_is_what_a_loop_by_hand_does(case: str, tmp_path: Path) -> None:
    keys, bare = CASES[case]
    run = trained(tmp_path, **keys)
    start, expected = bare.start().state_dict(), bare.train().state_dict()
    got = run.classifier().network.state_dict()
    for name, value in expected.items():
        torch.testing.assert_close(
            got[name], value, rtol=1e-4, atol=2e-6, msg=lambda text, name=name: f"{name}: {text}"
        )
    assert max((expected[name] - start[name]).abs().max() for name in start if "weight" in name) > 1e-2
    assert run.history["train_loss"].to_list() == pytest.approx(bare.losses, rel=1e-5)
    _check_scores(run, bare)


def _check_scores(run: Run, bare: Bare) -> None:
    network = run.classifier()
    for split in ("validation", "test"):
        pixels, targets = getattr(bare.dataset, split).batch(torch.arange(60))
        with torch.no_grad():
            outputs = network(pixels)
        truth, guess = targets["label"], outputs.argmax(1)
        scores = run.scores(split)
        assert scores.loss == pytest.approx(F.cross_entropy(outputs, truth).item(), rel=1e-5)
        assert scores.accuracy == pytest.approx((guess == truth).float().mean().item())
        assert scores.balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, guess))
        assert scores.macro_f1 == pytest.approx(f1_score(truth, guess, average="macro", zero_division=0.0))
        torch.testing.assert_close(torch.tensor(run.predictions(split).outputs["label"]), outputs)


def test_the_loop_by_hand_would_notice_another_order(tmp_path: Path) -> None:
    # The comparison above is worth something only if it fails where the samples come in another order.
    run = trained(tmp_path)
    other = trained(tmp_path, seed=SEED + 1)
    assert run.history["train_loss"].to_list() != pytest.approx(other.history["train_loss"].to_list(), rel=1e-3)
