"""That the network may not be tried is told to whatever opens a model."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from cnnlab.core import hooks
from cnnlab.evaluation import evaluate, predict, predictor_of
from cnnlab.models import Predictable


class First(Predictable):
    """Calls every picture the first of the ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.shape, self.resize, self.objective = (1, 8, 8), "squash", "classes(column=label)"
        self.classes = {"label": tuple(map(str, range(10)))}
        self.parts = nn.ModuleList()

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.eye(10)[torch.zeros(len(pixels), dtype=torch.int64)]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the opener of ``far:NAME`` is told, call by call."""
    calls: list[bool] = []

    def open_far(name: str, *, offline: bool, **others: object) -> Predictable:
        calls.append(offline)
        return First()

    monkeypatch.setitem(hooks._openers, "far", open_far)
    return calls


def test_evaluate_hands_on_that_the_network_may_not_be_tried(told: list[bool]) -> None:
    for offline in (True, False):
        evaluate("far:model", "digits", split="test", offline=offline)
    assert told == [True, False]


def test_predict_hands_on_that_the_network_may_not_be_tried(told: list[bool], tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "black.png")
    for offline in (True, False):
        predict("far:model", tmp_path, offline=offline)
    predictor_of("far:model", offline=True)
    assert told == [True, False, True]
