"""Regularisers reach the gradients of a step, and the loss that is followed leaves them out."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnlab.training import train

BASE: dict[str, Any] = {
    "data": "digits",
    "subset": 128,
    "batch_size": 128,
    "steps": 1,
    "optimizer": "sgd(lr=0.01)",
    "schedule": "constant",
    "select": "last",
    "precision": "float32",
    "threads": 1,
}


def weight(tmp_path: Path, model: str, **keys: Any) -> torch.Tensor:
    run = train(BASE | keys | {"model": model}, runs=tmp_path)
    return run.classifier().network.dense1.weight.detach()


def first_loss(tmp_path: Path, model: str) -> float:
    return float(train(BASE | {"model": model}, runs=tmp_path).history["train_loss"].iloc[0])


def test_l2_moves_each_weight_by_twice_its_share(tmp_path: Path) -> None:
    plain, decayed = weight(tmp_path, "dense(8)|relu"), weight(tmp_path, "dense(8, l2=0.5)|relu")
    still = weight(tmp_path, "dense(8)|relu", **{"optimizer.lr": 1e-12})
    # One step of SGD: w - lr (gradient + 2 * l2 * w), and both start from the same weights.
    torch.testing.assert_close(decayed, plain - 0.01 * 2 * 0.5 * still, atol=1e-6, rtol=0)


def test_followed_loss_leaves_penalties_out(tmp_path: Path) -> None:
    assert first_loss(tmp_path, "dense(8)|relu") == first_loss(tmp_path, "dense(8, l1=1)|relu")


def test_a_penalty_weighs_the_same_however_the_batch_is_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from cnnlab.training import api

    whole = weight(tmp_path / "whole", "dense(8, l1=0.1)|relu")
    chosen = api.choose_execution

    def in_parts(*given: Any) -> Any:
        execution, choice = chosen(*given)
        return replace(execution, parts=4), choice

    monkeypatch.setattr(api, "choose_execution", in_parts)
    parted = weight(tmp_path / "parted", "dense(8, l1=0.1)|relu")
    torch.testing.assert_close(parted, whole, atol=1e-6, rtol=0)
    assert math.isfinite(float(parted.sum()))
