from collections.abc import Callable
from typing import Any

import pytest
import torch

from cnnlab import objectives
from cnnlab.core.errors import UsageError
from cnnlab.data import Dataset, TensorImages
from cnnlab.runs import Run
from cnnlab.training.class_balance import class_weights, sample_weights

Trained = Callable[..., Run]

NAMES = ("often", "seldom", "never", "now and then")
LABELS = [0] * 80 + [1] * 4 + [3] * 16


def images(labels: list[int] = LABELS, seed: int = 0) -> TensorImages:
    pixels = torch.randint(0, 256, (len(labels), 1, 4, 4), generator=torch.Generator().manual_seed(seed))
    return TensorImages(pixels.to(torch.uint8), {"label": torch.tensor(labels)}, {"label": NAMES})


OBJECTIVE = objectives.build_objective("classes", {"label": NAMES})


def test_class_weights_leave_the_learning_rate_what_it_is() -> None:
    weights = class_weights(images(), OBJECTIVE, torch.device("cpu"))["label"]
    assert weights[2] == 0
    assert weights.dtype == torch.float32
    # On average over the pictures a weight is one, so that the learning rate means what it did.
    assert float(weights[torch.tensor(LABELS)].mean()) == pytest.approx(1)


def test_every_class_is_as_likely_to_be_drawn() -> None:
    weights = sample_weights(images(), OBJECTIVE)
    labels = torch.tensor(LABELS)
    totals = [float(weights[labels == label].sum()) for label in (0, 1, 3)]
    assert totals == pytest.approx([totals[0]] * 3)


@pytest.mark.parametrize("balance", ["weights", "sampler"])
def test_balance_makes_rare_classes_count(balance: str, small_run: Trained) -> None:
    # Noise cannot be told apart, so a network learns how frequent the classes are, or appear to be.
    dataset = Dataset("noise", images(LABELS * 3), None, images(LABELS, seed=1))
    keys: dict[str, Any] = {"data": dataset, "subset": None, "validation": 0, "test": None, "model": "flatten"}
    keys |= {"epochs": 12, "optimizer": "sgd(lr=0.05)", "normalize": "numbers(mean=[0], std=[100])"}
    shares = {}
    for kind in ("none", balance):
        logits = torch.tensor(small_run(**keys, balance=kind).predictions().outputs["label"])
        shares[kind] = torch.softmax(logits, 1).mean(0)[[0, 1, 3]].tolist()
    assert shares["none"][0] > 0.6
    assert max(shares[balance]) < 0.45
    assert min(shares[balance]) > 0.2


def test_what_is_no_class_cannot_be_balanced() -> None:
    numbers = TensorImages(torch.zeros(3, 1, 2, 2, dtype=torch.uint8), {"size": torch.tensor([0.5, 1.0, 2.0])})
    objective = objectives.build_objective("scalar(range=[0, 2])", {"size": None})
    with pytest.raises(UsageError, match="balance needs classes"):
        class_weights(numbers, objective, torch.device("cpu"))
    with pytest.raises(UsageError, match="balance needs classes"):
        sample_weights(numbers, objective)
