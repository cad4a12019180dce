"""Batch normalisation, ReLU and pooling in one pass: the same as torch's in float64, or bit for bit without a norm."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.models.cpu_kernels import Sequential, native_kernels, pointwise, why_not

BOUND = 1e-5
"""Of errors in float32 as a part of the largest value, or of 1 where all cancel out.

Over 700 drawn shapes the largest was 1.4e-6.
"""


@pytest.fixture(autouse=True)
def _kernels() -> Iterator[None]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules of each group that our kernels computed."""
    seen: list[str] = []
    real = pointwise.Group.__call__

    def counted(group: pointwise.Group, input: Tensor) -> Tensor:
        seen.append(" ".join(type(module).__name__ for module in group.modules))
        return real(group, input)

    monkeypatch.setattr(pointwise.Group, "__call__", counted)
    return seen


def distinct(*shape: int) -> Tensor:
    """Values between −3 and 3 that differ by more than rounding, so that the largest of a window is beyond doubt.

    Nor are they equally far apart: one would be the mean, and a normalised zero is cut off or not as rounding has it.
    """
    count = torch.Size(shape).numel()
    order = torch.randperm(count, generator=torch.Generator().manual_seed(count))
    values = 6 * (order + 0.5) / count - 3
    return (values + values**3 / 30).view(shape)


def norm_of(channels: int = 16, **settings: Any) -> nn.BatchNorm2d:
    torch.manual_seed(channels)
    norm = nn.BatchNorm2d(channels, **settings)
    if norm.affine:
        # Some factors are negative: of their channels the smallest value becomes the largest.
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return norm


def modules_of(kinds: str, ceil_mode: bool = False, **settings: Any) -> list[nn.Module]:
    made = {"norm": norm_of(**settings), "relu": nn.ReLU(), "pool": nn.MaxPool2d(2, ceil_mode=ceil_mode)}
    return [made[kind] for kind in kinds.split()]


def all_of(network: nn.Module, maps: Tensor) -> dict[str, Tensor]:
    """The output, the gradients of its sum with factors, and the running statistics."""
    maps = maps.detach().requires_grad_()
    output = network(maps)
    factors = torch.randn(output.shape, generator=torch.Generator().manual_seed(1)).bfloat16().to(output.dtype)
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(output, [maps, *parameters.values()], factors)
    named = dict(zip(["input", *parameters], gradients, strict=True))
    return {"output": output.detach(), **named, **{name: each.clone() for name, each in network.named_buffers()}}


def own_and_exact(modules: list[nn.Module], maps: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    written = nn.Sequential(*copy.deepcopy(modules)).double()
    with native_kernels(True):
        found = all_of(Sequential(*modules), maps)
    return found, all_of(written, maps.double())


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor], bound: float = BOUND) -> None:
    assert found.keys() == expected.keys()
    for name, right in expected.items():
        assert found[name].shape == right.shape, name
        assert (found[name].double() - right).abs().max() <= bound * max(1, float(right.abs().max())), name


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
    assert_close(*own_and_exact(modules, maps))


@pytest.mark.parametrize("kinds", ["pool", "relu pool"])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("size", [(6, 8), (7, 8), (6, 9), (5, 3), (2, 2), (3, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_without_a_norm_all_is_torchs_bit_for_bit_ties_included(kinds, ceil_mode, size, dtype, calls) -> None:
    # Few values: most windows hold equals, many are cut off whole.
    maps = torch.randint(-2, 2, (3, 32, *size), generator=torch.Generator().manual_seed(0)).to(dtype)
    modules = modules_of(kinds, ceil_mode)
    with native_kernels(True):
        found = all_of(Sequential(*modules), maps)
    expected = all_of(nn.Sequential(*modules), maps)
    assert len(calls) == 1 and all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_first_of_equals_has_the_gradient() -> None:
    maps = torch.zeros(1, 16, 2, 4).requires_grad_()
    with torch.no_grad():
        maps[..., 0, 2] = -1
    with native_kernels(True):
        pooled = Sequential(nn.MaxPool2d(2))(maps)
        pooled.sum().backward()
    assert torch.equal(maps.grad[0, 0], torch.tensor([[1.0, 0, 0, 1], [0, 0, 0, 0]]))


@pytest.mark.parametrize("kinds", ["norm relu pool", "norm pool"])
def test_of_equals_after_a_norm_the_first_has_the_gradient_too(kinds) -> None:
    maps = torch.randint(-2, 2, (3, 16, 6, 6), generator=torch.Generator().manual_seed(0)).float()
    assert_close(*own_and_exact(modules_of(kinds), maps))


def test_edges_that_a_pool_leaves_out_have_the_gradient_of_the_statistics_alone() -> None:
    norm, maps = norm_of(affine=False), distinct(2, 16, 5, 5)
    found, expected = own_and_exact([norm, nn.ReLU(), nn.MaxPool2d(2)], maps)
    assert_close(found, expected)
    assert expected["input"][..., 4, :].abs().min() > 0 and expected["input"][..., 4].abs().min() > 0


def test_windows_that_are_cut_off_whole_give_zeros_and_have_no_gradient() -> None:
    maps = -torch.rand(2, 16, 6, 6) - 1
    with native_kernels(True):
        found = all_of(Sequential(nn.ReLU(), nn.MaxPool2d(2)), maps)
    assert not found["output"].any() and not found["input"].any()


def test_one_value_in_a_thousand_far_from_zero_keeps_its_digits(calls) -> None:
    maps = 1000 + torch.randn(64, 16, 9, 9, generator=torch.Generator().manual_seed(0))
    norm = norm_of(momentum=1.0)
    found, expected = own_and_exact([norm, nn.ReLU()], maps)
    assert calls == ["BatchNorm2d ReLU"]
    variance = maps.double().var((0, 2, 3))
    assert ((norm.running_var.double() - variance) / variance).abs().max() < 1e-5
    assert (found["output"].double() - expected["output"]).abs().max() < 1e-3


def test_a_channel_of_a_single_value_is_normalised_to_its_bias() -> None:
    norm = norm_of()
    with native_kernels(True):
        maps = Sequential(norm)(torch.full((4, 16, 3, 3), 7.0))
    # It comes of scale · x + shift, as in torch, with a scale of 1 / √ε = 316 and so both parts in the thousands.
    torch.testing.assert_close(maps, norm.bias.view(1, -1, 1, 1).expand_as(maps), rtol=0, atol=1e-3)


@pytest.mark.parametrize("kinds", ["norm", "norm relu", "norm relu pool", "relu pool", "pool"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_not_a_number_goes_through_where_torch_lets_it(kinds, dtype, calls) -> None:
    maps = torch.randn(2, 16, 4, 6).to(dtype)
    for place in ((0, 3, 0, 0), (1, 4, 3, 2), (0, 5, 1, 5)):
        maps[place] = torch.nan
    modules = modules_of(kinds)
    with native_kernels(True):
        found = Sequential(*copy.deepcopy(modules))(maps)
    assert len(calls) == 1
    assert torch.equal(found.isnan(), nn.Sequential(*modules)(maps).isnan()) and found.isnan().any()


def test_infinite_values_are_the_largest_or_cut_off() -> None:
    maps = torch.tensor([[1.0, torch.inf], [-torch.inf, -torch.inf]]).repeat_interleave(2, 1).expand(1, 16, 2, 4)
    with native_kernels(True):
        assert torch.equal(Sequential(nn.ReLU(), nn.MaxPool2d(2))(maps)[0, 0], torch.tensor([[1.0, torch.inf]]))


@pytest.mark.parametrize("kinds", GROUPS)
@pytest.mark.parametrize("size", [(8, 6), (7, 5)])
def test_in_bfloat16_errors_are_no_larger_than_torchs(kinds, size, calls) -> None:
    maps = distinct(16, 16, *size).bfloat16()
    modules = modules_of(kinds)
    right = all_of(nn.Sequential(*copy.deepcopy(modules)).double(), maps.double())
    torchs = all_of(nn.Sequential(*copy.deepcopy(modules)), maps)
    with native_kernels(True):
        found = all_of(Sequential(*modules), maps)
    assert calls and found["output"].dtype == found["input"].dtype == torch.bfloat16
    for name, exact in right.items():
        # Ties among rounded values let torch give a gradient to another place than the largest; it is no measure of it.
        if "pool" not in kinds or name == "output":
            error, theirs = ((each[name].double() - exact).abs().max() for each in (found, torchs))
            assert error <= float(theirs) + BOUND * float(exact.abs().max()), name
    # 8 digits, rounded to the nearest.
    assert ((found["output"].double() - right["output"]).abs() <= right["output"].abs() * 2**-8 + 1e-5).all()


@pytest.mark.parametrize("track", [True, False])
@pytest.mark.parametrize("kinds", GROUPS)
def test_in_evaluation_the_running_statistics_normalise_and_stay(kinds, track, calls) -> None:
    modules = modules_of(kinds, track_running_stats=track)
    network, written = Sequential(*modules), nn.Sequential(*copy.deepcopy(modules)).double()
    maps = distinct(2, 16, 7, 6)
    with native_kernels(True):
        network(maps * 2 + 1), written(maps.double() * 2 + 1)
        calls.clear()
        network.eval(), written.eval()
        before = {name: each.clone() for name, each in network.named_buffers()}
        with torch.no_grad():
            found, expected = network(maps), written(maps.double())
    # A norm without statistics of its own takes those of the batch, by torch.
    assert len(calls) == int(track)
    assert (found - expected).abs().max() <= BOUND * expected.abs().max()
    assert all(torch.equal(each, before[name]) for name, each in network.named_buffers())


def test_statistics_that_are_not_tracked_are_left_alone(calls) -> None:
    norm = norm_of()
    norm.track_running_stats = False
    found, expected = own_and_exact([norm, nn.ReLU()], distinct(2, 16, 4, 4))
    assert calls
    assert_close(found, expected)
    assert found["0.num_batches_tracked"] == 0 and torch.equal(norm.running_mean, torch.zeros(16))


def switched_off(norm: nn.BatchNorm2d, **attributes: Any) -> nn.BatchNorm2d:
    for name, value in attributes.items():
        setattr(norm, name, value)
    return norm


MAPS = distinct(2, 16, 6, 6)
ELSEWHERE = {
    "momentum of a mean over all batches": (lambda: [norm_of(momentum=None), nn.ReLU()], MAPS),
    "evaluation with gradients": (lambda: [norm_of().eval(), nn.ReLU()], MAPS),
    "float64": (lambda: [norm_of().double(), nn.MaxPool2d(2)], MAPS.double()),
    "weights in bfloat16": (lambda: [norm_of().bfloat16(), nn.ReLU()], MAPS.bfloat16()),
    "statistics in bfloat16": (lambda: [norm_of(affine=False).bfloat16(), nn.ReLU()], MAPS.bfloat16()),
    "17 channels": (lambda: [norm_of(17), nn.ReLU()], distinct(2, 17, 6, 6)),
    "a ReLU alone": (lambda: [nn.ReLU()], MAPS),
    "windows of 3×3": (lambda: [nn.ReLU(), nn.MaxPool2d(3)], MAPS),
    "windows that overlap": (lambda: [nn.ReLU(), nn.MaxPool2d(2, 1)], MAPS),
    "windows with padding": (lambda: [nn.ReLU(), nn.MaxPool2d(2, padding=1)], MAPS),
    "windows with dilation": (lambda: [nn.ReLU(), nn.MaxPool2d(2, dilation=2)], MAPS),
    "one picture without a batch": (lambda: [nn.ReLU(), nn.MaxPool2d(2)], MAPS[0]),
    "an empty batch": (lambda: [nn.ReLU(), nn.MaxPool2d(2)], MAPS[:0]),
    "no running statistics": (lambda: [switched_off(norm_of(), running_mean=None, running_var=None), nn.ReLU()], MAPS),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_what_the_kernels_are_not_made_for_is_torchs_bit_for_bit(case, calls) -> None:
    make, maps = ELSEWHERE[case]
    modules = make()
    expected = all_of(nn.Sequential(*copy.deepcopy(modules)), maps)
    with native_kernels(True):
        found = all_of(Sequential(*modules), maps)
    assert not calls and found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("make", "maps", "words"),
    [
        (lambda: [norm_of(), nn.ReLU()], distinct(1, 16, 1, 1), "more than 1 value per channel"),
        (lambda: [norm_of(32), nn.ReLU()], MAPS, "running_mean should contain 16 elements"),
        (lambda: [nn.ReLU(), nn.MaxPool2d(2)], distinct(2, 16, 6, 1), "Output size is too small"),
        (lambda: [norm_of(), nn.ReLU(), nn.MaxPool2d(2)], distinct(2, 16, 1, 6), "Output size is too small"),
    ],
    ids=["one value a channel", "other channels", "a single column", "a single row"],
)
def test_what_cannot_be_computed_is_refused_in_the_words_of_torch(make, maps, words, calls) -> None:
    with native_kernels(True), pytest.raises((ValueError, RuntimeError), match=words):
        Sequential(*make())(maps)
    assert not calls


@pytest.mark.parametrize("is_used", [True, False])
def test_a_pool_that_gives_places_too_is_computed_as_written(is_used) -> None:
    modules = [nn.ReLU(), nn.MaxPool2d(2, return_indices=True)]
    with native_kernels(is_used):
        found = Sequential(*modules)(MAPS)
    assert all(torch.equal(one, other) for one, other in zip(found, nn.Sequential(*modules)(MAPS), strict=True))


@pytest.mark.parametrize("listened", [0, 1, 2])
@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"])
def test_a_module_that_somebody_listens_to_is_computed_by_itself(listened, kind, calls) -> None:
    modules = modules_of("norm relu pool")
    written = nn.Sequential(*copy.deepcopy(modules))
    heard: list[str] = []
    getattr(modules[listened], kind)(lambda module, *given: heard.append(type(module).__name__))
    with native_kernels(True):
        found = all_of(Sequential(*modules), MAPS)
    name = type(modules[listened]).__name__
    assert heard == [name] and not any(name in group for group in calls)
    assert_close(found, all_of(written, MAPS))


def test_modules_that_follow_in_another_order_are_groups_of_their_own(calls) -> None:
    modules = [nn.MaxPool2d(2), nn.ReLU(), norm_of(), nn.MaxPool2d(2), norm_of(), norm_of()]
    assert_close(*own_and_exact(modules, distinct(3, 16, 16, 16)), bound=1e-4)
    assert calls == ["MaxPool2d", "BatchNorm2d MaxPool2d", "BatchNorm2d", "BatchNorm2d"]


def test_maps_and_gradients_may_lie_anyhow_in_memory() -> None:
    odd = torch.cat([MAPS, MAPS], 1)[:, 8:24, ::2, 1:].requires_grad_()
    with native_kernels(True):
        Sequential(nn.ReLU(), nn.MaxPool2d(2))(odd).sum().backward()
    found, odd.grad = odd.grad, None
    F.max_pool2d(odd.relu(), 2).sum().backward()
    assert torch.equal(found, odd.grad)


def test_results_are_the_same_bit_for_bit_whichever_thread_is_first() -> None:
    maps = distinct(40, 32, 12, 13)

    def computed() -> dict[str, Tensor]:
        with native_kernels(True):
            return all_of(Sequential(*modules_of("norm relu pool", channels=32)), maps)

    alone = computed()
    torch.set_num_threads(2)
    together = computed()
    for _ in range(5):
        again = computed()
        assert all(torch.equal(again[name], together[name]) for name in together)
    assert_close(together, alone)
