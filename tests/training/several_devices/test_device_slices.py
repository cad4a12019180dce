"""How a batch is divided among devices, without any other process."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnnlab.augment import pipeline
from cnnlab.core.errors import UsageError
from cnnlab.models.modules import Dropout
from cnnlab.runs import Run, store_at
from cnnlab.training import train
from cnnlab.training.execution import Execution
from cnnlab.training.prepare import read_setup
from cnnlab.training.several_devices.presence import is_first, is_one_of_several
from cnnlab.training.several_devices.roles import check_devices, on_devices
from cnnlab.training.several_devices.slices import Division, on_slice, random_layers

COUNT = 11
PICTURES = torch.randint(0, 256, (COUNT, 3, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
WHEN: dict[str, Any] = {"seed": 2, "epoch": 1, "step": 4, "ids": torch.arange(COUNT)}


@pytest.mark.parametrize(
    ("samples", "devices", "counts"),
    [(8, 2, (4, 4)), (7, 2, (4, 3)), (10, 4, (3, 3, 2, 2)), (3, 3, (1, 1, 1)), (2, 3, (2, 2, 2))],
)
def test_slices_are_as_alike_as_can_be(samples: int, devices: int, counts: tuple[int, ...]) -> None:
    assert Division(samples, devices).counts == counts


def test_slices_make_up_the_batch() -> None:
    for samples in range(5, 40):
        parts = [range(samples)[Division(samples, 5).part(rank)] for rank in range(5)]
        assert [place for part in parts for place in part] == list(range(samples))


def test_of_too_few_pictures_every_device_has_all() -> None:
    division = Division(2, 3)
    assert division.is_repeated and [division.part(rank) for rank in range(3)] == [slice(0, 2)] * 3


@pytest.mark.parametrize(
    "spec", ["none", "flip|shift(0.1)|rotate(10)", "brightness|contrast", "flip|gaussian_noise(0.1)|erase(p=0.5)"]
)
@pytest.mark.parametrize("part", [slice(0, 6), slice(6, 11), slice(10, 11)])
def test_some_pictures_of_a_batch_are_augmented_as_in_the_whole_of_it(spec: str, part: slice) -> None:
    targets = {"label": torch.eye(COUNT)}
    whole, _ = pipeline(spec)(PICTURES, targets, **WHEN)
    own, of_own = pipeline(spec).on_part(PICTURES[part], {"label": targets["label"][part]}, part, **WHEN)
    assert spec == "none" or not torch.equal(whole.float(), PICTURES.float())
    torch.testing.assert_close(own, whole[part], atol=1e-6, rtol=0)
    assert torch.equal(of_own["label"], targets["label"][part])


def test_pictures_that_are_blended_have_to_be_there() -> None:
    with pytest.raises(ValueError, match="whole batch"):
        pipeline("mixup").on_part(PICTURES[:4], {}, slice(0, 4), **WHEN)


class DropPath(nn.Module):
    """As timm has it: whole pictures are dropped."""

    def forward(self, maps: Tensor) -> Tensor:
        keep = maps.new_empty((len(maps), *(1,) * (maps.dim() - 1))).bernoulli_(0.5)
        return maps * keep if self.training else maps


@pytest.mark.parametrize(
    "make",
    [lambda: nn.Dropout(0.4), lambda: Dropout(0.4), lambda: nn.Dropout2d(0.4), lambda: nn.AlphaDropout(0.4), DropPath],
)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_layers_draw_for_the_whole_batch(make: Callable[[], nn.Module], memory_format: torch.memory_format) -> None:
    maps = (torch.rand(COUNT, 6, 4, 4) + 0.1).contiguous(memory_format=memory_format).requires_grad_()
    network = nn.Sequential(make(), nn.Tanh(), make()).train()
    torch.manual_seed(5)
    whole = network(maps)
    before = copy.deepcopy(network)
    for rank in range(2):
        division = Division(COUNT, 2)
        part = division.part(rank)
        torch.manual_seed(5)
        with on_slice([], random_layers(network), division, rank, None):
            own = network(maps[part])
        assert torch.equal(own, whole[part]) and 0 < (own == own.flatten()[0]).sum() < own.numel()
        (gradient,) = torch.autograd.grad(own.sum(), maps)
        assert gradient[part].any() and not gradient[: part.start].any() and not gradient[part.stop :].any()
    assert all("forward" not in vars(module) for module in network.modules())
    assert str(network) == str(before)


@pytest.fixture
def setup(tiny: dict[str, Any]) -> Callable[..., Any]:
    """What a recipe comes to with some keys changed."""
    return lambda **keys: read_setup({**tiny, **keys}, {}, store_at("nowhere"), offline=True)


@pytest.mark.parametrize(
    ("keys", "count", "device", "text"),
    [
        ({"compile": True}, 2, "cpu", "compile=true is for one device"),
        ({}, 41, "cpu", "divides batches of 40 pictures"),
        ({"augment": "flip", "views": 2, "train": "head"}, 2, "cpu", "views=2 keeps"),
        ({}, 2, "cuda:0", "device=cuda:0 is a single one"),
        ({}, 99, "cuda", "takes a GPU each"),
        ({}, 2, "mps", "there is one mps device"),
    ],
)
def test_what_cannot_be_divided_is_refused(
    setup: Callable[..., Any], keys: dict[str, Any], count: int, device: str, text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        check_devices(setup(**keys), count, device)


def test_devices_share_the_cores_unless_the_recipe_says_otherwise(setup: Callable[..., Any]) -> None:
    recipe = setup(threads=None, workers=None, sync_batchnorm=False).recipe
    shared = on_devices(Execution(threads=8, parts=4), recipe, 1024)
    assert (shared.devices, shared.threads, shared.workers, shared.parts) == (1024, 1, 1, 1)
    assert not shared.sync_batchnorm
    assert on_devices(shared, setup(threads=3, workers=2).recipe, 2).threads == 3


def test_devices_make_no_other_run(small_run: Callable[..., Run], tiny: dict[str, Any]) -> None:
    run = small_run(kernels="torch")
    assert run.info["execution"]["devices"] == 1
    assert small_run(kernels="torch", devices=2, sync_batchnorm=False).folder == run.folder


def test_what_is_given_in_python_is_not_handed_to_other_processes(tiny: dict[str, Any], tmp_path: Any) -> None:
    with pytest.raises(UsageError, match=r"do not know callbacks.*torchrun --nproc-per-node 2 SCRIPT"):
        train(tiny, devices=2, runs=tmp_path, offline=True, callbacks=[print])
    with pytest.raises(UsageError, match="do not know what is given in Python"):
        train(tiny, devices=2, runs=tmp_path, offline=True, model=nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))
    assert not list(tmp_path.iterdir())


def test_a_process_knows_whether_it_is_one_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_one_of_several() and is_first()
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        assert not is_one_of_several()
        monkeypatch.setenv(name, value)
    assert is_one_of_several() and not is_first()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not is_one_of_several() and is_first()
