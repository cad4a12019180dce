"""What the kernels of our own do with odd inputs: empty or huge ones, numbers that are none, threads in any number."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from native_results import WINOGRAD, all_of, assert_close, assert_equal, exact, layer_of, modules_of, norm_of, threads
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from cnnlab.models.cpu_kernels import Sequential, convolutions, native_kernels

pytestmark = pytest.mark.usefixtures("native_here")

NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "wide": (lambda: layer_of(16, 32, 3, padding=1), (16, 12, 12)),
    "grey": (lambda: layer_of(1, 16, 5, padding=2), (1, 12, 12)),
    "pointwise": (lambda: Sequential(*modules_of("norm relu pool")), (16, 12, 12)),
}


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_a_batch_of_no_images_has_no_outputs_and_gradients_of_zero(convolved) -> None:
    for layer, shape in ((layer_of(1, 16, 3, padding=1), (0, 1, 8, 8)), (layer_of(16, 16, 3), (0, 16, 8, 8))):
        with native_kernels(True):
            actual = all_of(layer, torch.empty(shape))
        assert_equal(
            actual, all_of(nn.Conv2d(*layer.weight.shape[1::-1], 3, padding=layer.padding), torch.empty(shape))
        )
    assert "grey" in convolved
    with native_kernels(True):
        assert Sequential(nn.ReLU(), nn.MaxPool2d(2))(torch.empty(0, 16, 8, 8)).shape == (0, 16, 4, 4)


@pytest.mark.parametrize(
    ("change", "message"), [({"stride": (0, 0)}, "non-positive stride"), ({"padding": (-1, 0)}, "negative padding")]
)
@pytest.mark.parametrize("channels", [1, 16])
def test_strides_and_paddings_that_cannot_be_are_refused_in_the_words_of_torch(channels, change, message) -> None:
    layer = layer_of(channels, 16, 3, padding=1)
    vars(layer).update(change)
    with native_kernels(True), pytest.raises(RuntimeError, match=message):
        layer(torch.randn(2, channels, 8, 8))


@pytest.mark.parametrize("network", NETWORKS)
def test_views_that_stand_for_the_negative_of_what_lies_there_are_read_as_such(network) -> None:
    make, shape = NETWORKS[network]
    # As torch gives them for the imaginary part of a conjugate.
    maps = drawn(8, *shape).contiguous(memory_format=torch.channels_last)
    module, view = make(), torch._neg_view(maps)
    factors = torch._neg_view(drawn(*exact(module, maps)["output"].shape, seed=1))
    with native_kernels(True):
        actual = all_of(module, view, factors)
    assert_close(actual, all_of(make(), -maps, factors.resolve_neg()), WINOGRAD)


def test_places_beyond_two_to_the_31_are_found() -> None:
    # Numpy's zeros take no memory until they are touched, and a stride this large touches few of them.
    layer, image = (
        layer_of(1, 16, 3, stride=64, bias=False),
        torch.from_numpy(np.zeros((1, 1, 2**16 + 64, 2**15), "f4")),
    )
    assert image.numel() > 2**31
    corner = drawn(1, 1, 64, 64)
    image[..., -64:, -64:] = corner
    with native_kernels(True):
        maps = layer(image)
        (gradient,) = torch.autograd.grad(maps.sum(), layer.weight)
    torch.testing.assert_close(maps[..., -1:, -1:], F.conv2d(corner, layer.weight, stride=64))
    assert not maps[..., :-1, :].any() and not maps[..., :-1].any()
    torch.testing.assert_close(gradient[3], corner[0, :, :3, :3])


@pytest.mark.parametrize("number", [torch.nan, torch.inf, -torch.inf])
def test_what_is_no_number_reaches_every_output_that_it_reaches_by_torch_and_no_other_image(number) -> None:
    for network in ("wide", "grey"):
        make, shape = NETWORKS[network]
        layer, images = make(), drawn(5, *shape)
        clean = layer(images)
        images[2, 0, 5, 6] = number
        with native_kernels(True):
            actual = layer(images)
        torchs = F.conv2d(images, layer.weight, layer.bias, padding=layer.padding)
        is_lost = ~torchs.isfinite()
        assert is_lost.any() and not actual[is_lost].isfinite().any()
        others = [0, 1, 3, 4]
        torch.testing.assert_close(actual[others], clean[others], rtol=0, atol=1e-4)
        if network == "grey":
            assert torch.equal(actual.isnan(), torchs.isnan()) and torch.equal(actual.isinf(), torchs.isinf())


@pytest.mark.parametrize("network", NETWORKS)
def test_a_gradient_that_is_no_number_is_not_lost(network) -> None:
    make, shape = NETWORKS[network]
    module, maps = make(), drawn(5, *shape).requires_grad_(network != "grey")
    factors = torch.ones(exact(module, maps)["output"].shape)
    factors[1, 3, 2, 2] = torch.nan
    with native_kernels(True):
        actual = all_of(module, maps, factors)
    torchs = all_of(nn.Sequential(make()), maps, factors)
    for mine, right in zip(actual.values(), torchs.values(), strict=True):
        assert not mine[right.isnan()].isfinite().any()
    gradients = {name for name in ("input", *dict(module.named_parameters())) if name in actual}
    assert {name for name, each in actual.items() if each.isnan().any()} == gradients


def test_weights_that_are_no_numbers_give_none() -> None:
    layer = layer_of(16, 16, 3)
    layer.weight.data[4, 2, 1, 1] = torch.nan
    with native_kernels(True):
        maps = layer(drawn(2, 16, 8, 8))
    assert maps[:, 4].isnan().all() and maps[:, :4].isfinite().all() and maps[:, 5:].isfinite().all()


@pytest.mark.parametrize("network", NETWORKS)
def test_the_number_of_threads_may_change_between_forwards_and_backwards(network) -> None:
    make, shape = NETWORKS[network]
    module, maps = make(), drawn(24, *shape)
    right = exact(module, maps)
    for before, after in ((1, 4), (4, 1), (3, 2)):
        with native_kernels(True):
            with threads(before):
                output = module(maps)
            with threads(after):
                actual = torch.autograd.grad(output.square().sum(), list(module.parameters()))
        twin = make().double()
        expected = torch.autograd.grad(twin(maps.double()).square().sum(), list(twin.parameters()))
        for mine, theirs in zip(actual, expected, strict=True):
            assert float((mine - theirs).abs().max()) <= WINOGRAD * float(theirs.abs().max())
    assert right["output"].shape == output.shape


@pytest.mark.parametrize("network", NETWORKS)
def test_threads_that_call_at_once_do_not_disturb_each_other(network) -> None:
    make, shape = NETWORKS[network]

    def computed(seed: int) -> dict[str, Tensor]:
        with native_kernels(True):
            return all_of(module_of[seed], drawn(16, *shape, seed=seed))

    with threads(2):
        module_of = {seed: make() for seed in range(4)}
        expected = [computed(seed) for seed in module_of]
        module_of = {seed: make() for seed in range(4)}
        with ThreadPoolExecutor(4, initializer=lambda: torch.set_num_threads(2)) as pool:
            actual = list(pool.map(computed, module_of))
    for mine, right in zip(actual, expected, strict=True):
        assert_equal(mine, right)


class Features:
    """Images as a data set gives them that puts a network before the one that is trained."""

    def __init__(self, network: nn.Module, images: Tensor) -> None:
        self.network, self.images = network, images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        with native_kernels(True), torch.no_grad():
            return self.network(self.images[index : index + 1])[0]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_worker_of_a_data_loader_computes_after_threads_were_at_work() -> None:
    # Threads do not come along when a process is forked; torch sets their number to one in such a worker.
    features = Features(layer_of(16, 16, 3, padding=1), drawn(6, 16, 24, 24))
    with threads(2), native_kernels(True), torch.no_grad():
        expected = features.network(features.images)
        loader: Any = DataLoader(features, batch_size=3, num_workers=1, multiprocessing_context="fork", timeout=60)
        actual = torch.cat(list(loader))
    assert torch.equal(actual, expected)


def test_the_memory_at_work_is_bounded_however_many_threads_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for count in (1, 2, 16, 64, 256):
        monkeypatch.setattr(torch, "get_num_threads", lambda count=count: count)
        for channels in (32, 256, 1024, 4096, 16384):
            room, at_work = convolutions._blocks(channels)
            assert at_work == 1 or 4 * 36 * channels * room * at_work <= 2**28
            # Few threads have their full blocks, and all have work where there is room for them.
            assert room == 42 or count * channels > 2**14
            assert at_work == count or count * channels > 2**16


def test_many_threads_on_little_memory_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, maps = layer_of(64, 256, 3, padding=1), drawn(30, 64, 10, 11).requires_grad_()
    right, asked = exact(layer, maps), []
    real = convolutions.empty
    monkeypatch.setattr(
        convolutions, "empty", lambda *shape: asked.append(4 * torch.Size(shape).numel()) or real(*shape)
    )
    # Blocks shrink to their least; there are sums for three threads, and the others share the filters.
    monkeypatch.setattr(convolutions, "_MOST_SCRATCH", 2**23)
    monkeypatch.setattr(convolutions, "_MOST_SUMS", 3 * 4 * 36 * 64 * 256)
    for count in (1, 12, 64):
        with threads(count), native_kernels(True):
            asked.clear()
            actual = all_of(layer, maps)
            assert_equal(all_of(layer, maps), actual)
        assert_close(actual, right, WINOGRAD)
        assert max(asked) <= 2**23
    grey = layer_of(1, 16, 31, padding=15)
    with threads(64), native_kernels(True):
        asked.clear()
        assert_close(all_of(grey, drawn(2, 1, 20, 20)), exact(grey, drawn(2, 1, 20, 20)), 1e-5)
    assert max(asked) <= 2**23


def test_a_norm_with_many_threads_has_the_statistics_of_all_rows() -> None:
    norm, maps = norm_of(), drawn(3, 16, 5, 5)
    right = exact(nn.Sequential(norm), maps)
    with threads(64), native_kernels(True):
        assert_close(all_of(Sequential(norm), maps), right, 1e-5)
