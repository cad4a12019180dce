import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cnnlab.core import files
from cnnlab.core.errors import StorageError, TrainingError, UsageError
from cnnlab.training import checkpoint_file
from cnnlab.training.checkpoints import Checkpoint, Checkpoints, has_checkpoint, remove_checkpoint
from cnnlab.training.ema import MovingAverage
from cnnlab.training.state import Counters

FULL = Counters(
    epoch=3,
    step=17,
    in_epoch=2,
    sums={"loss": 0.1 + 0.2, "samples": 40.0},
    rows=[{"epoch": 1, "train_loss": 1 / 3, "validation_accuracy": 0.1}],
    seconds=1.5,
    epoch_seconds=0.25,
    first_rate=0.1 / 3,
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


def saved_checkpoint(module: nn.Module, folder: Path) -> Checkpoint:
    """The checkpoint of a module after two steps, written and read."""
    checkpoints = Checkpoints(folder, 60.0)
    checkpoints.save(Counters(), module, stepped(module), None, {})
    stored = checkpoints.load()
    assert stored is not None
    return stored


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("counters", [Counters(), FULL])
def test_everything_comes_back_to_the_bit(counters: Counters, tmp_path: Path) -> None:
    module = network()
    optimizer, average = stepped(module), MovingAverage(module, 0.9)
    average.update(module, 1)
    checkpoints = Checkpoints(tmp_path, 60.0)
    checkpoints.save(counters, module, optimizer, average, {"scaler": {"scale": 2.0}})

    stored = checkpoints.load()
    assert stored is not None
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


def test_a_run_has_one_checkpoint_until_it_is_removed(tmp_path: Path) -> None:
    module, checkpoints = network(), Checkpoints(tmp_path, 60.0)
    assert checkpoints.load() is None
    assert not has_checkpoint(tmp_path)
    for step in (1, 2):
        checkpoints.save(Counters(step=step), module, stepped(module), None, {})
    assert [path.name for path in checkpoints.path.parent.iterdir()] == ["state.safetensors"]
    stored = checkpoints.load()
    assert stored is not None and stored.counters.step == 2
    assert has_checkpoint(tmp_path)
    remove_checkpoint(tmp_path)
    assert checkpoints.load() is None
    assert list(tmp_path.iterdir()) == []


def test_the_next_checkpoint_is_due_so_many_seconds_after_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    module, checkpoints = network(), Checkpoints(tmp_path, 60.0)
    dues = []
    for now in (100.0, 159.0, 160.0):  # noqa: B007
        dues.append(checkpoints.is_due)
    checkpoints.save(Counters(), module, stepped(module), None, {})
    dues.append(checkpoints.is_due)
    assert dues == [False, False, True, False]
    assert Checkpoints(tmp_path, 0.0).is_due


def test_weights_that_are_tied_are_stored_and_come_back(tmp_path: Path) -> None:
    layer = nn.Linear(2, 2)
    module = nn.Sequential(layer, layer)
    checkpoint_file.save_checkpoint(tmp_path / "c", module.state_dict(), {})
    tensors, _ = checkpoint_file.load_checkpoint(tmp_path / "c")
    other_layer = nn.Linear(2, 2)
    other = nn.Sequential(other_layer, other_layer)
    checkpoint_file.load_weights(other, tensors)
    assert same(other.state_dict(), module.state_dict())


def test_an_optimiser_of_another_phase_is_left_as_new(tmp_path: Path) -> None:
    module, other = network(), network()
    checkpoint = saved_checkpoint(module, tmp_path)
    fresh, going_on = stepped(other, 0), stepped(other, 0)
    checkpoint.restore(other, None, None)
    assert same(other.state_dict(), module.state_dict())
    assert not fresh.state_dict()["state"]
    checkpoint.restore(other, going_on, None)
    assert going_on.state_dict()["state"]


def test_a_network_of_other_layers_is_refused(tmp_path: Path) -> None:
    stored = saved_checkpoint(network(), tmp_path)
    for other in (nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Conv2d(1, 5, 3))):
        with pytest.raises(UsageError, match="other layers"):
            stored.restore(other, None, None)


@pytest.mark.parametrize("cut", [0, 4, 60, 600, -1])
def test_a_damaged_file_is_named(cut: int, tmp_path: Path) -> None:
    saved_checkpoint(network(), tmp_path)
    checkpoints = Checkpoints(tmp_path, 60.0)
    checkpoints.path.write_bytes(checkpoints.path.read_bytes()[:cut])
    with pytest.raises(StorageError, match="damaged"):
        checkpoints.load()


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "foreign")
    with pytest.raises(StorageError, match="damaged"):
        checkpoint_file.load_checkpoint(tmp_path / "foreign")


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.safetensors")
    with pytest.raises(StorageError, match="it is no file but a folder, a pipe or a device"):
        checkpoint_file.load_checkpoint(tmp_path / "a.safetensors")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_write_that_fails_leaves_the_earlier_checkpoint_whole(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.safetensors"
    checkpoint_file.save_checkpoint(path, {"a": torch.ones(2)}, {"step": 1})

    def fail(*args: Any) -> None:
        raise OSError(code, "no")

    with monkeypatch.context() as patch:
        patch.setattr(files, "flush", fail)
        with pytest.raises(StorageError, match=r"state\.safetensors could not be written"):
            checkpoint_file.save_checkpoint(path, {"a": torch.zeros(2)}, {"step": 2})
    tensors, facts = checkpoint_file.load_checkpoint(path)
    assert (facts["step"], tensors["a"].tolist()) == (1, [1.0, 1.0])
    assert [p.name for p in tmp_path.iterdir()] == ["state.safetensors"]


def test_a_state_that_is_no_tensor_or_plain_value_is_refused() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    optimizer.state[parameter]["history"] = {torch.zeros(2)}
    with pytest.raises(TrainingError, match="history"):
        checkpoint_file.pack_optimizer(optimizer)


def test_prefixes_keep_names_apart() -> None:
    tensors = {"a.b": torch.zeros(1), "a": torch.ones(1)}
    packed = checkpoint_file.with_prefix("network", tensors) | checkpoint_file.with_prefix("net", tensors)
    assert len(packed) == 4
    assert same(checkpoint_file.without_prefix("network", packed), tensors)
    assert same(checkpoint_file.without_prefix("net", packed), tensors)
