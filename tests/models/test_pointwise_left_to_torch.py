"""Groups of norm, ReLU and pool that the kernels of our own are not made for, and modules that somebody listens to."""

import copy
from typing import Any

import pytest
import torch
from native_results import POINTWISE, all_of, assert_close, assert_equal, distinct, modules_of, norm_of
from torch import nn

from cnnlab.models.cpu_kernels import Sequential, native_kernels, pointwise

pytestmark = pytest.mark.usefixtures("native_here")


def switched_off(norm: nn.BatchNorm2d, **attributes: Any) -> nn.BatchNorm2d:
    for name, value in attributes.items():
        setattr(norm, name, value)
    return norm


MAPS = distinct(2, 16, 6, 6).requires_grad_()
ELSEWHERE = {
    "momentum of a mean over all batches": (lambda: [norm_of(momentum=None), nn.ReLU()], MAPS),
    "evaluation with gradients": (lambda: [norm_of().eval(), nn.ReLU()], MAPS),
    "float64": (lambda: [norm_of().double(), nn.MaxPool2d(2)], MAPS.detach().double()),
    "weights in bfloat16": (lambda: [norm_of().bfloat16(), nn.ReLU()], MAPS.detach().bfloat16()),
    "statistics in bfloat16": (lambda: [norm_of(affine=False).bfloat16(), nn.ReLU()], MAPS.detach().bfloat16()),
    "17 channels": (lambda: [norm_of(17), nn.ReLU()], distinct(2, 17, 6, 6)),
    "a ReLU alone": (lambda: [nn.ReLU()], MAPS),
    "windows of 3×3": (lambda: [nn.ReLU(), nn.MaxPool2d(3)], MAPS),
    "windows that overlap": (lambda: [nn.ReLU(), nn.MaxPool2d(2, 1)], MAPS),
    "windows with padding": (lambda: [nn.ReLU(), nn.MaxPool2d(2, padding=1)], MAPS),
    "windows with dilation": (lambda: [nn.ReLU(), nn.MaxPool2d(2, dilation=2)], MAPS),
    "one picture without a batch": (lambda: [nn.ReLU(), nn.MaxPool2d(2)], MAPS.detach()[0]),
    "an empty batch": (lambda: [nn.ReLU(), nn.MaxPool2d(2)], MAPS.detach()[:0]),
    "no running statistics": (lambda: [switched_off(norm_of(), running_mean=None, running_var=None), nn.ReLU()], MAPS),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_what_the_kernels_are_not_made_for_is_torchs_bit_for_bit(case, grouped) -> None:
    make, maps = ELSEWHERE[case]
    modules = make()
    expected = all_of(nn.Sequential(*copy.deepcopy(modules)), maps.requires_grad_())
    with native_kernels(True):
        assert_equal(all_of(Sequential(*modules), maps), expected)
    assert not grouped


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
def test_what_cannot_be_computed_is_refused_in_the_words_of_torch(make, maps, words, grouped) -> None:
    with native_kernels(True), pytest.raises((ValueError, RuntimeError), match=words):
        Sequential(*make())(maps)
    assert not grouped


@pytest.mark.parametrize("is_used", [True, False])
def test_a_pool_that_gives_places_too_is_computed_as_written(is_used) -> None:
    modules = [nn.ReLU(), nn.MaxPool2d(2, return_indices=True)]
    with native_kernels(is_used):
        actual = Sequential(*modules)(MAPS)
    assert all(torch.equal(mine, right) for mine, right in zip(actual, nn.Sequential(*modules)(MAPS), strict=True))


@pytest.mark.parametrize("listened", [0, 1, 2])
@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"])
def test_a_module_that_somebody_listens_to_is_computed_by_itself(listened, kind, grouped) -> None:
    modules = modules_of("norm relu pool")
    written = nn.Sequential(*copy.deepcopy(modules))
    heard: list[str] = []
    getattr(modules[listened], kind)(lambda module, *given: heard.append(type(module).__name__))
    with native_kernels(True):
        actual = all_of(Sequential(*modules), MAPS)
    name = type(modules[listened]).__name__
    assert heard == [name] and not any(name in group for group in grouped)
    assert_close(actual, all_of(written, MAPS), POINTWISE, floor=1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kinds", ["norm", "norm relu", "relu pool", "norm relu pool"])
def test_few_values_are_left_to_torch_where_nothing_is_trained_with_the_same_bits(
    kinds, dtype, grouped, monkeypatch
) -> None:
    network, maps = Sequential(*modules_of(kinds)), distinct(1, 16, 8, 9).to(dtype)
    network.eval()

    def outputs(least: int) -> torch.Tensor:
        grouped.clear()
        monkeypatch.setattr(pointwise, "_LEAST_VALUES", least)
        with native_kernels(True), torch.no_grad():
            return network(maps)

    own = outputs(maps.numel())
    assert len(grouped) == 1
    assert torch.equal(own, outputs(maps.numel() + 1)) and not grouped


def test_few_values_of_a_norm_that_is_trained_are_not_left_to_torch(grouped, monkeypatch) -> None:
    monkeypatch.setattr(pointwise, "_LEAST_VALUES", 2**16)
    with native_kernels(True):
        Sequential(norm_of(), nn.ReLU())(MAPS)
        with torch.no_grad():
            Sequential(norm_of(), nn.ReLU())(MAPS)
    assert len(grouped) == 2
