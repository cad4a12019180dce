import pytest
import torch
from torch import Tensor, nn

from cnnlab.training.ema import MovingAverage


class Bare(nn.Module):
    """One weight, one running statistic, one count."""

    mean: Tensor
    count: Tensor

    def __init__(self, value: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([value]))
        self.register_buffer("mean", torch.tensor([value]))
        self.register_buffer("count", torch.tensor(0))

    def go_to(self, value: float, count: int) -> None:
        with torch.no_grad():
            self.weight.fill_(value)
            self.mean.fill_(2 * value)
            self.count.fill_(count)


def test_it_follows_the_formula_worked_by_hand() -> None:
    module = Bare(8.0)
    average = MovingAverage(module, decay=0.25)
    # The decays of the first steps would be 2/11, 3/12 and 4/13; none may be above 0.25.
    expected, expected_mean = 8.0, 8.0
    for step, (value, decay) in enumerate([(1.0, 2 / 11), (3.0, 0.25), (-5.0, 0.25)], start=1):
        module.go_to(value, step)
        average.update(module, step)
        expected = decay * expected + (1 - decay) * value
        expected_mean = decay * expected_mean + (1 - decay) * 2 * value
        assert average.module.weight.item() == pytest.approx(expected)
        assert average.module.mean.item() == pytest.approx(expected_mean)
        assert average.module.count.item() == step


def test_its_beginning_counts_for_little() -> None:
    module = Bare(1000.0)
    average = MovingAverage(module, decay=0.9999)
    module.go_to(1.0, 0)
    for step in range(1, 30):
        average.update(module, step)
    assert average.module.weight.item() == pytest.approx(1.0, abs=0.01)


def test_it_is_a_copy_that_learns_nothing_and_leaves_the_module_alone() -> None:
    module = Bare(2.0)
    average = MovingAverage(module, decay=0.5)
    average.update(module, 1)
    assert not any(p.requires_grad for p in average.module.parameters())
    assert module.weight.requires_grad
    with torch.no_grad():
        average.module.weight.fill_(9)
    assert module.weight.item() == 2


def test_weights_that_are_tied_stay_tied() -> None:
    layer = nn.Linear(2, 2, bias=False)
    module = nn.Sequential(layer, nn.ReLU(), layer)
    average = MovingAverage(module, decay=0.0)
    with torch.no_grad():
        layer.weight.fill_(3.0)
    average.update(module, 1)
    assert average.module[0].weight is average.module[2].weight
    assert average.module[0].weight.tolist() == [[3.0, 3.0], [3.0, 3.0]]
