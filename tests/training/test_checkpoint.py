import errno
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cnnlab.core import files
from cnnlab.core.errors import StorageError, TrainingError, UsageError
from cnnlab.training import checkpoint
from cnnlab.training.ema import MovingAverage
from cnnlab.training.state import Best, Counters, Stored, save_state

FULL = Counters(
    epoch=3,
    step=17,
    in_epoch=2,
    sums={"loss": 0.1 + 0.2, "samples": 40.0},
    rows=[{"epoch": 1, "train_loss": 1 / 3, "validation_accuracy": 0.1}],
    judged=[0.1, -1e-300],
    best=Best(2, -0.25),
    seconds=1.5,
    epoch_seconds=0.25,
)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 3))


def stepped(module: nn.Module, count: int = 2) -> torch.optim.Optimizer:
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(count):
        optimizer.zero_grad()
        module(torch.rand(4, 3, 8, 8)).square().mean().backward()
        optimizer.step()
    return optimizer


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("counters", [Counters(), FULL])
def test_everything_comes_back_to_the_bit(counters: Counters, tmp_path: Path) -> None:
    module = network()
    optimizer, average = stepped(module), MovingAverage(module, 0.9)
    average.update(module, 1)
    path = tmp_path / "checkpoint" / "state.safetensors"
    save_state(path, counters, module, optimizer, average, {"scaler": {"scale": 2.0}})

    stored = Stored.load(path)
    other = network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    fresh, copy = stepped(other, 0), MovingAverage(other, 0.9)
    stored.restore(other, fresh, copy)
    assert stored.counters == counters
    assert stored.extra == {"scaler": {"scale": 2.0}}
    assert same(other.state_dict(), module.state_dict())
    assert same(copy.module.state_dict(), average.module.state_dict())
    assert other[0].weight.is_contiguous(memory_format=torch.channels_last)
    # The state lies as its weights do, or every update would walk through memory crosswise.
    assert fresh.state[other[0].weight]["exp_avg"].stride() == other[0].weight.stride()
    for own, kept in zip(fresh.state_dict()["state"].values(), optimizer.state_dict()["state"].values(), strict=True):
        assert same(own, kept)


def test_the_best_value_so_far_may_be_none_or_infinitely_bad() -> None:
    assert Counters.from_dict(Counters().to_dict()).best == Best()
    assert Counters().to_dict()["best"] == {"epoch": None, "value": None}


def test_weights_that_are_tied_are_stored_and_come_back(tmp_path: Path) -> None:
    layer = nn.Linear(2, 2)
    module = nn.Sequential(layer, layer)
    checkpoint.save_checkpoint(tmp_path / "c", module.state_dict(), {})
    tensors, _ = checkpoint.load_checkpoint(tmp_path / "c")
    other_layer = nn.Linear(2, 2)
    other = nn.Sequential(other_layer, other_layer)
    checkpoint.load_weights(other, tensors)
    assert same(other.state_dict(), module.state_dict())


def test_an_optimiser_of_another_phase_is_left_as_new(tmp_path: Path) -> None:
    module = network()
    save_state(tmp_path / "c", Counters(), module, stepped(module), None, {})
    fresh = torch.optim.SGD(module.parameters(), lr=0.1)
    Stored.load(tmp_path / "c").restore(module, None, None)
    assert not fresh.state_dict()["state"]


def test_a_network_of_other_layers_is_refused(tmp_path: Path) -> None:
    module = network()
    save_state(tmp_path / "c", Counters(), module, stepped(module), None, {})
    stored = Stored.load(tmp_path / "c")
    for other in (nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Conv2d(1, 5, 3))):
        with pytest.raises(UsageError, match="other layers"):
            stored.restore(other, None, None)


@pytest.mark.parametrize("cut", [0, 4, 60, 600, -1])
def test_a_damaged_file_is_named(cut: int, tmp_path: Path) -> None:
    module = network()
    path = tmp_path / "state.safetensors"
    save_state(path, Counters(), module, stepped(module), None, {})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(StorageError, match="damaged"):
        Stored.load(path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "foreign")
    with pytest.raises(StorageError, match="damaged"):
        checkpoint.load_checkpoint(tmp_path / "foreign")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_write_that_fails_leaves_the_earlier_checkpoint_whole(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.safetensors"
    checkpoint.save_checkpoint(path, {"a": torch.ones(2)}, {"step": 1})

    def fail(*args: Any) -> None:
        raise OSError(code, "no")

    with monkeypatch.context() as patch:
        patch.setattr(files, "_flush", fail)
        with pytest.raises(StorageError, match=r"state\.safetensors could not be written"):
            checkpoint.save_checkpoint(path, {"a": torch.zeros(2)}, {"step": 2})
    tensors, facts = checkpoint.load_checkpoint(path)
    assert (facts["step"], tensors["a"].tolist()) == (1, [1.0, 1.0])
    assert [p.name for p in tmp_path.iterdir()] == ["state.safetensors"]


def test_a_state_that_is_no_tensor_or_plain_value_is_refused() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    optimizer.state[parameter]["history"] = {torch.zeros(2)}
    with pytest.raises(TrainingError, match="history"):
        checkpoint.pack_optimizer(optimizer)


def test_prefixes_keep_names_apart() -> None:
    tensors = {"a.b": torch.zeros(1), "a": torch.ones(1)}
    packed = checkpoint.with_prefix("network", tensors) | checkpoint.with_prefix("net", tensors)
    assert len(packed) == 4
    assert same(checkpoint.without_prefix("network", packed), tensors)
    assert same(checkpoint.without_prefix("net", packed), tensors)
