import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnnlab.models import build_network
from cnnlab.models.cpu_kernels import Conv2d, Sequential
from cnnlab.models.cpu_kernels.modules import adopt


def gradients(network: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    network.zero_grad()
    outputs = network(images)
    weights = torch.linspace(-1, 1, outputs.numel()).view_as(outputs)
    (outputs * weights).sum().backward()
    return outputs.detach(), [parameter.grad.clone() for parameter in network.parameters()]


def pool_nets() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 3), nn.ReLU()]
    written = nn.Sequential(*layers)
    return written, Sequential(*copy.deepcopy(layers))


def test_pooling_before_the_relu_gives_the_same_numbers_and_gradients_ties_included() -> None:
    written, quicker = pool_nets()
    # Few different values: many windows hold ties, many are cut off whole.
    images = torch.randint(-2, 3, (8, 1, 16, 16)).float()
    for network in (written, quicker):
        network[0].weight.data.round_(decimals=1)
    expected, actual = gradients(written, images), gradients(quicker, images)
    assert torch.equal(expected[0], actual[0])
    assert all(torch.equal(first, other) for first, other in zip(expected[1], actual[1], strict=True))


def test_not_a_number_goes_through_in_either_order() -> None:
    written, quicker = pool_nets()
    images = torch.full((1, 1, 16, 16), torch.nan)
    assert written(images).isnan().all() and quicker(images).isnan().all()


def test_the_relu_works_on_what_the_pool_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: seen.append(tuple(x.shape)) or F.relu(x))
    pool_nets()[1](torch.rand(2, 1, 16, 16))
    assert seen == [(2, 6, 7, 7), (2, 4, 5, 5)]


@pytest.mark.parametrize("listened", [1, 2])
@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"])
def test_a_hook_sees_the_modules_in_the_order_written(listened: int, kind: str) -> None:
    network, shapes = pool_nets()[1], {}
    getattr(network[listened], kind)(lambda module, *rest: shapes.update(hooked=True))
    network[1].register_forward_hook(lambda module, inputs, output: shapes.update(relu=tuple(output.shape)))
    network(torch.rand(2, 1, 16, 16)).sum().backward()
    assert shapes == {"hooked": True, "relu": (2, 6, 14, 14)}


def test_a_relu_of_another_make_is_left_where_it_stands() -> None:
    class Leaky(nn.ReLU):
        def forward(self, input: Tensor) -> Tensor:
            return -input

    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(Sequential(Leaky(), nn.MaxPool2d(2))(images), F.max_pool2d(-images, 2))


SMALL_MAPS = [(3, 3, 1), (3, 2, 1), (3, 1, 1), (5, 3, 2), (3, 4, 0), (2, 2, 0), ((1, 3), 3, (0, 1))]


@pytest.mark.parametrize(("kernel", "size", "padding"), SMALL_MAPS)
@pytest.mark.parametrize("bias", [True, False])
def test_the_gradients_on_small_maps_are_those_of_the_plain_convolution(kernel, size, padding, bias) -> None:
    torch.manual_seed(0)
    quick = Conv2d(5, 7, kernel, padding=padding, bias=bias)
    exact = copy.deepcopy(quick).double()
    images = torch.randn(40, 5, size, size).bfloat16().float().requires_grad_()
    twin = images.detach().double().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        actual = quick(images)
    assert "SmallMaps" in type(actual.grad_fn).__name__
    expected = F.conv2d(twin, quick.weight.bfloat16().double(), exact.bias, padding=padding)
    weights = torch.randn(actual.shape).bfloat16()
    (actual * weights).sum().backward()
    of_weight, of_images = torch.autograd.grad(
        (F.conv2d(twin, exact.weight, exact.bias, padding=padding) * weights.double()).sum(), [exact.weight, twin]
    )
    assert actual.dtype == torch.bfloat16
    torch.testing.assert_close(actual.double(), expected, rtol=0.02, atol=0.02)
    torch.testing.assert_close(quick.weight.grad.double(), of_weight, rtol=0.02, atol=0.05)
    torch.testing.assert_close(images.grad.double(), of_images, rtol=0.03, atol=0.03)
    if bias:
        torch.testing.assert_close(quick.bias.grad.double(), weights.double().sum((0, 2, 3)), rtol=0.02, atol=0.05)


def outputs_of(layer: Conv2d, size: int = 3, batch: int = 40, precision: torch.dtype | None = torch.bfloat16) -> Tensor:
    images = torch.rand(batch, layer.in_channels, size, size)
    with torch.autocast("cpu", precision or torch.bfloat16, enabled=precision is not None):
        return layer(images)


@pytest.mark.parametrize(
    "outputs",
    [
        lambda: outputs_of(Conv2d(4, 4, 3, padding=1), size=4),
        lambda: outputs_of(Conv2d(4, 4, 3, padding=1), batch=4),
        lambda: outputs_of(Conv2d(4, 4, 3, padding=1), precision=None),
        lambda: outputs_of(Conv2d(4, 4, 3, padding=1).eval()),
        lambda: outputs_of(Conv2d(4, 4, 3, padding=1, stride=2)),
        lambda: outputs_of(Conv2d(4, 4, 3, padding=1, groups=2)),
        lambda: outputs_of(Conv2d(4, 4, 1)),
    ],
    ids=["large map", "few pictures", "float32", "evaluation", "stride", "groups", "pointwise"],
)
def test_elsewhere_it_is_the_plain_convolution(outputs) -> None:
    assert "SmallMaps" not in type(outputs().grad_fn).__name__


def test_layer_strings_are_made_of_them() -> None:
    network = build_network("conv(8)|relu|pool|residual(8)|flatten", (1, 8, 8), 3)
    assert type(network) is Sequential
    kinds = {type(module) for module in network.modules() if isinstance(module, nn.Conv2d)}
    assert kinds == {Conv2d}


@pytest.mark.parametrize(("channels", "stride", "is_left_to_torch"), [(8, 2, False), (8, (2, 3), False), (16, 2, True)])
def test_few_channels_at_every_other_pixel_are_taken_before_they_are_convolved(
    monkeypatch, channels, stride, is_left_to_torch
) -> None:
    strides = []
    convolution = F.conv2d

    def noting(input, weight, bias=None, stride=1, *rest):
        strides.append(tuple(stride) if isinstance(stride, tuple | list) else (stride, stride))
        return convolution(input, weight, bias, stride, *rest)

    conv = nn.Conv2d(channels, 16, 1, stride=stride)
    adopt(conv)
    monkeypatch.setattr(F, "conv2d", noting)
    # An even number of pictures does no harm, should it come to torch's own way.
    images = torch.randn(4, channels, 9, 8).to(memory_format=torch.channels_last).requires_grad_()
    outputs = conv(images)
    assert strides == ([conv.stride] if is_left_to_torch else [(1, 1)])
    outputs.square().sum().backward()
    plain = nn.Conv2d(channels, 16, 1, stride=stride).double()
    plain.load_state_dict(conv.state_dict())
    plain.double()
    exact = images.detach().double().requires_grad_()
    expected = plain(exact)
    expected.square().sum().backward()
    torch.testing.assert_close(outputs.double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(images.grad.double(), exact.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(conv.weight.grad.double(), plain.weight.grad, rtol=1e-4, atol=1e-4)
