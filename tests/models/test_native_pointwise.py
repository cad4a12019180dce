"""Batch normalisation, ReLU and pooling in one pass: the same as torch's in float64, or bit for bit without a norm."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from native_results import POINTWISE, all_of, assert_close, assert_equal, distinct, exact, modules_of, norm_of, threads
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.models.cpu_kernels import Sequential, native_kernels

pytestmark = pytest.mark.usefixtures("native_here")


def own_and_exact(modules: list[nn.Module], maps: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    maps.requires_grad_()
    expected = exact(nn.Sequential(*modules), maps)
    return own(modules, maps), expected


def own(modules: list[nn.Module], maps: Tensor) -> dict[str, Tensor]:
    with native_kernels(True):
        return all_of(Sequential(*modules), maps.requires_grad_())


def assert_exact(modules: list[nn.Module], maps: Tensor) -> None:
    assert_close(*own_and_exact(modules, maps), POINTWISE, floor=1)


GROUPS = ["norm", "norm relu", "norm pool", "norm relu pool"]


@given(
    kinds=st.sampled_from(GROUPS),
    count=st.integers(1, 9),
    panels=st.integers(1, 3),
    size=st.tuples(st.integers(2, 11), st.integers(2, 70)),
    ceil_mode=st.booleans(),
    affine=st.booleans(),
    momentum=st.sampled_from([0.1, 1.0, 0.0]),
    is_last=st.booleans(),
)
@settings(max_examples=60)
def test_values_gradients_and_running_statistics_are_torchs_for_all_shapes(
    kinds, count, panels, size, ceil_mode, affine, momentum, is_last
) -> None:
    modules = modules_of(kinds, ceil_mode, channels=16 * panels, affine=affine, momentum=momentum)
    maps = distinct(count, 16 * panels, *size)
    if is_last:
        maps = maps.contiguous(memory_format=torch.channels_last)
    assert_exact(modules, maps)


@pytest.mark.parametrize("kinds", ["pool", "relu pool"])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("size", [(6, 8), (7, 8), (6, 9), (5, 3), (2, 2), (3, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_without_a_norm_all_is_torchs_bit_for_bit_ties_included(kinds, ceil_mode, size, dtype, grouped) -> None:
    # Few values: most windows hold equals, many are cut off whole.
    maps = torch.randint(-2, 2, (3, 32, *size), generator=torch.Generator().manual_seed(0)).to(dtype)
    modules = modules_of(kinds, ceil_mode)
    assert_equal(own(modules, maps), all_of(nn.Sequential(*modules), maps))
    assert len(grouped) == 1


def test_the_first_of_equals_has_the_gradient() -> None:
    maps = torch.zeros(1, 16, 2, 4).requires_grad_()
    with torch.no_grad():
        maps[..., 0, 2] = -1
    with native_kernels(True):
        Sequential(nn.MaxPool2d(2))(maps).sum().backward()
    assert torch.equal(maps.grad[0, 0], torch.tensor([[1.0, 0, 0, 1], [0, 0, 0, 0]]))


@pytest.mark.parametrize("kinds", ["norm relu pool", "norm pool"])
def test_of_equals_after_a_norm_the_first_has_the_gradient_too(kinds) -> None:
    maps = torch.randint(-2, 2, (3, 16, 6, 6), generator=torch.Generator().manual_seed(0)).float()
    assert_exact(modules_of(kinds), maps)


def test_edges_that_a_pool_leaves_out_have_the_gradient_of_the_statistics_alone() -> None:
    actual, expected = own_and_exact(modules_of("norm relu pool"), distinct(2, 16, 5, 5))
    assert_close(actual, expected, POINTWISE, floor=1)
    assert expected["input"][..., 4, :].abs().max() > 0.01 and expected["input"][..., 4].abs().max() > 0.01


def test_windows_that_are_cut_off_whole_give_zeros_and_have_no_gradient() -> None:
    maps = -torch.rand(2, 16, 6, 6) - 1
    actual = own(modules_of("relu pool"), maps)
    assert not actual["output"].any() and not actual["input"].any()


def test_the_variance_is_right_where_the_mean_is_a_thousand_times_the_spread(grouped) -> None:
    maps = 1000 + torch.randn(64, 16, 9, 9, generator=torch.Generator().manual_seed(0))
    norm = norm_of(momentum=1.0)
    actual, expected = own_and_exact([norm, nn.ReLU()], maps)
    assert grouped == ["BatchNorm2d ReLU"]
    variance = maps.double().var((0, 2, 3))
    assert ((norm.running_var.double() - variance) / variance).abs().max() < 1e-5
    assert (actual["output"].double() - expected["output"]).abs().max() < 1e-3


def test_a_channel_of_a_single_value_is_normalised_to_its_bias() -> None:
    norm = norm_of()
    with native_kernels(True):
        maps = Sequential(norm)(torch.full((4, 16, 3, 3), 7.0))
    # It comes of scale · x + shift, as in torch, with a scale of 1 / √ε = 316 and so both parts in the thousands.
    torch.testing.assert_close(maps, norm.bias.view(1, -1, 1, 1).expand_as(maps), rtol=0, atol=1e-3)


@pytest.mark.parametrize("kinds", ["norm", "norm relu", "norm relu pool", "relu pool", "pool"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_not_a_number_goes_through_where_torch_lets_it(kinds, dtype, grouped) -> None:
    maps = torch.randn(2, 16, 4, 6).to(dtype)
    for place in ((0, 3, 0, 0), (1, 4, 3, 2), (0, 5, 1, 5)):
        maps[place] = torch.nan
    modules = modules_of(kinds)
    with native_kernels(True):
        actual = Sequential(*copy.deepcopy(modules))(maps)
    assert len(grouped) == 1
    assert torch.equal(actual.isnan(), nn.Sequential(*modules)(maps).isnan()) and actual.isnan().any()


def test_infinite_values_are_the_largest_or_cut_off() -> None:
    maps = torch.tensor([[1.0, torch.inf], [-torch.inf, -torch.inf]]).repeat_interleave(2, 1).expand(1, 16, 2, 4)
    with native_kernels(True):
        assert torch.equal(Sequential(nn.ReLU(), nn.MaxPool2d(2))(maps)[0, 0], torch.tensor([[1.0, torch.inf]]))


@pytest.mark.parametrize("kinds", GROUPS)
@pytest.mark.parametrize("size", [(8, 6), (7, 5)])
def test_in_bfloat16_errors_are_no_larger_than_torchs(kinds, size, grouped) -> None:
    maps = distinct(16, 16, *size).bfloat16()
    modules = modules_of(kinds)
    torchs = all_of(nn.Sequential(*copy.deepcopy(modules)), maps.requires_grad_())
    actual, right = own_and_exact(modules, maps)
    assert grouped and actual["output"].dtype == actual["input"].dtype == torch.bfloat16
    for name, each in right.items():
        # Torch rounds what it normalises before it looks for the largest, so that gradients may go to another place.
        if "pool" not in kinds or name == "output":
            error, theirs = (float((computed[name].double() - each).abs().max()) for computed in (actual, torchs))
            assert error <= theirs + POINTWISE * float(each.abs().max()), name
    # Half of the distance of two neighbours, in 8 binary digits.
    assert ((actual["output"].double() - right["output"]).abs() <= right["output"].abs() * 2**-8 + 1e-5).all()


@pytest.mark.parametrize("track", [True, False])
@pytest.mark.parametrize("kinds", GROUPS)
def test_in_evaluation_the_running_statistics_normalise_and_stay(kinds, track, grouped) -> None:
    modules = modules_of(kinds, track_running_stats=track)
    network, written = Sequential(*modules), nn.Sequential(*copy.deepcopy(modules)).double()
    maps = distinct(2, 16, 7, 6)
    with native_kernels(True):
        network(maps * 2 + 1), written(maps.double() * 2 + 1)
        grouped.clear()
        network.eval(), written.eval()
        before = {name: each.clone() for name, each in network.named_buffers()}
        with torch.no_grad():
            actual, expected = network(maps), written(maps.double())
    # A norm without statistics of its own takes those of the batch, by torch.
    assert len(grouped) == int(track)
    assert (actual - expected).abs().max() <= POINTWISE * expected.abs().max()
    assert all(torch.equal(each, before[name]) for name, each in network.named_buffers())


def test_statistics_that_are_not_tracked_are_left_alone(grouped) -> None:
    norm = norm_of()
    norm.track_running_stats = False
    assert_exact([norm, nn.ReLU()], distinct(2, 16, 4, 4))
    assert grouped and norm.num_batches_tracked == 0 and torch.equal(norm.running_mean, torch.zeros(16))


def test_modules_that_follow_in_another_order_are_groups_of_their_own(grouped) -> None:
    modules = [nn.MaxPool2d(2), nn.ReLU(), norm_of(), nn.MaxPool2d(2), norm_of(), norm_of()]
    # The errors of one norm are the next one's inputs.
    assert_close(*own_and_exact(modules, distinct(3, 16, 16, 16)), 1e-4, floor=1)
    assert grouped == ["MaxPool2d", "BatchNorm2d MaxPool2d", "BatchNorm2d", "BatchNorm2d"]


def test_maps_and_gradients_may_lie_anyhow_in_memory() -> None:
    odd = distinct(2, 32, 6, 6)[:, 8:24, ::2, 1:].requires_grad_()
    with native_kernels(True):
        Sequential(nn.ReLU(), nn.MaxPool2d(2))(odd).sum().backward()
    actual, odd.grad = odd.grad, None
    F.max_pool2d(odd.relu(), 2).sum().backward()
    assert torch.equal(actual, odd.grad)


def test_results_are_the_same_bit_for_bit_whichever_thread_is_first() -> None:
    maps = distinct(40, 32, 12, 13)

    alone = own(modules_of("norm relu pool", channels=32), maps)
    with threads(2):
        together = own(modules_of("norm relu pool", channels=32), maps)
        for _ in range(5):
            assert_equal(own(modules_of("norm relu pool", channels=32), maps), together)
    assert_close(together, alone, 1e-6)
