"""Summaries: worked by hand, against measured gradients, and leaving the network as it was."""

import json

import pytest
import torch
from torch import nn

from cnnlab import models
from cnnlab.core.errors import UsageError


def row(summary: models.NetworkSummary, name: str) -> models.LayerRow:
    return next(row for row in summary.rows if row.name == name)


def test_small_network_worked_by_hand():
    counted = models.summary(
        models.build_network("conv(4, 3, groups=2, padding=valid)|bn|pool|dense(5)", (2, 6, 8), 3), (2, 6, 8)
    )
    conv = row(counted, "conv1")
    assert (conv.kind, conv.output, conv.kernel) == ("Conv2d", (4, 4, 6), (3, 3))
    assert (conv.weights, conv.biases, conv.multiply_adds) == (4 * 1 * 9, 4, 4 * 1 * 9 * 24)
    assert (row(counted, "bn1").weights, row(counted, "bn1").biases, row(counted, "bn1").buffers) == (4, 4, 8)
    assert row(counted, "pool1").output == (4, 2, 3)
    assert (row(counted, "dense1").weights, row(counted, "dense1").multiply_adds) == (24 * 5, 24 * 5)
    assert (counted.weights, counted.biases, counted.buffers) == (36 + 4 + 120 + 15, 4 + 4 + 5 + 3, 8)
    assert counted.multiply_adds == 36 * 24 + 120 + 15


def test_layers_that_are_wider_than_high_worked_by_hand():
    spec = "conv(4, [3, 5], stride=[1, 2], padding=[0, 2])|pool([1, 2])"
    counted = models.summary(models.build_network(spec, (2, 6, 16), 3), (2, 6, 16))
    conv, pool = row(counted, "conv1"), row(counted, "pool1")
    assert (conv.output, conv.kernel, conv.receptive_field) == ((4, 4, 8), (3, 5), (3, 5))
    assert (conv.weights, conv.multiply_adds) == (4 * 2 * 15, 4 * 2 * 15 * 4 * 8)
    assert (pool.output, pool.kernel, pool.receptive_field) == ((4, 4, 4), (1, 2), (3, 7))


def measured_field(network: nn.Module, shape: tuple[int, ...], name: str) -> tuple[int, int]:
    """How far the gradient of the central output of a layer spreads over the picture, without padding's help."""
    kept: list[torch.Tensor] = []
    hook = network.get_submodule(name).register_forward_hook(lambda module, given, output: kept.append(output))
    image = torch.rand(1, *shape, requires_grad=True)
    network.eval()(image)
    hook.remove()
    output = kept[0]
    centre = output[0, 0, output.shape[2] // 2, output.shape[3] // 2] if output.dim() == 4 else output[0, 0]
    centre.backward()
    rows, columns = image.grad[0].abs().sum(0).nonzero().T
    return int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1)


@pytest.mark.parametrize(
    "spec",
    [
        "conv(2, 3)|softplus|conv(2, 5, stride=2)|avgpool(3, stride=2, padding=1)|conv(2, 3, dilation=2)",
        "conv(2, 2)|avgpool|conv(2, 4, stride=3)",
        "conv(2, [1, 4], stride=[2, 1])|softplus|avgpool([3, 1], stride=[1, 2])|conv(2, [3, 2], dilation=[1, 3])",
        "conv(2)|residual(2, stride=2, activation=softplus)|residual(3, kind=bottleneck, activation=softplus)",
        "conv(2)|residual(2, preactivation=true, activation=tanh)|residual(2, join=concat, activation=tanh)",
    ],
)
def test_receptive_field_is_where_gradients_reach(spec):
    shape = (1, 61, 67)
    network = models.build_network(spec, shape, 2)
    counted = models.summary(network, shape)
    layers = [r for r in counted.rows if r.output is not None and len(r.output) == 3]
    assert len(layers) > 2
    for layer in layers:
        assert measured_field(network, shape, layer.name) == layer.receptive_field, layer.name


def test_dense_layer_after_a_valid_convolution_sees_what_its_windows_cover():
    shape = (1, 9, 9)
    network = models.build_network("conv(2, 4, stride=2, padding=valid)|tanh|dense(3)", shape, 2)
    assert row(models.summary(network, shape), "dense1").receptive_field == (8, 8)
    assert measured_field(network, shape, "dense1") == (8, 8)


def test_gate_sees_the_whole_image():
    shape = (1, 9, 9)
    counted = models.summary(models.build_network("conv(4)|se", shape, 2), shape)
    assert row(counted, "conv1").receptive_field == (3, 3)
    assert row(counted, "se1.scale").receptive_field == (11, 11)


def test_networks_of_ones_own_are_counted_with_all_that_they_hold():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.unused = nn.Conv2d(1, 2, 3), nn.Linear(4, 4)
            self.factor = nn.Parameter(torch.ones(5))
            self.dense = nn.Linear(2, 3)

        def forward(self, x):
            return self.dense(self.conv(x).mean((2, 3))) * self.factor[0]

    own = Own()
    counted = models.summary(own, (1, 8, 8))
    assert counted.parameters == sum(p.numel() for p in own.parameters())
    assert row(counted, "unused").output is None
    assert row(counted, "dense").receptive_field is None, "nothing is known after an operation that is no layer"
    assert row(counted, "network").weights == 5


def test_layer_used_twice_holds_its_weights_once_and_works_twice():
    dense = nn.Linear(4, 4)
    counted = models.summary(nn.Sequential(nn.Flatten(), dense, nn.ReLU(), dense), (1, 2, 2))
    assert counted.parameters == 20 and counted.multiply_adds == 32


def test_an_image_that_does_not_fit_is_refused_with_its_shape():
    with pytest.raises(UsageError, match="1×9×9"):
        models.summary(models.build_network("conv(2)|flatten", (1, 8, 8), 2), (1, 9, 9))


def test_network_without_memory_is_summed_up_at_no_cost():
    with torch.device("meta"):
        network = models.build_network("resnet50(width=4)", (3, 224, 224), 1000)
    assert models.summary(network, (3, 224, 224)).parameters > 3e8


def test_plain_data_and_text_hold_the_totals():
    counted = models.summary(models.build_network("lenet5", (1, 28, 28), 10), (1, 28, 28))
    assert json.loads(json.dumps(counted.to_dict()))["totals"]["parameters"] == 61_706
    lines = str(counted).splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "kernel", "weights", "biases", "multiply-adds", "sees"]
    assert lines[2].split() == ["conv1", "Conv2d", "6×28×28", "5×5", "150", "6", "117,600", "5×5"]
    assert lines[-1].split() == ["total", "61,470", "236", "416,520"]


@pytest.mark.parametrize("spec", ["cnn(filters=[4, 8], dense=[16])", "convnet", "vgg-like", "conv(4)|relu|flatten"])
def test_multiply_adds_alone_are_those_of_the_summary(spec: str) -> None:
    network = models.build_network(spec, (1, 16, 16), 3)
    assert models.multiply_adds(network, (1, 16, 16)) == models.summary(network, (1, 16, 16)).multiply_adds > 0


def test_counting_multiply_adds_ends_with_the_layer_that_exceeds_the_limit_and_leaves_the_network_alone() -> None:
    network = models.build_network("conv(4)|bn|relu|flatten|dense(5)", (1, 8, 8), 3).train()
    first = 8 * 8 * 4 * 9
    reached = []
    list(network.modules())[-1].register_forward_hook(lambda *given: reached.append(given))
    assert models.multiply_adds(network, (1, 8, 8), most=first - 1) == first
    assert not reached
    assert models.multiply_adds(network, (1, 8, 8)) > first
    assert len(reached) == 1
    assert all(module.training for module in network.modules())
    assert sum(len(module._forward_hooks) for module in network.modules()) == 1
