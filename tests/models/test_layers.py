"""Single layers: their sizes against torch and formulas, their names, their refusals."""

import json
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnnlab import models
from cnnlab.core.errors import SpecError, UsageError
from cnnlab.core.spec import parse
from cnnlab.models.layer_strings import activations, stack
from cnnlab.models.shapes import pair


def run(spec: str, shape: tuple[int, ...], batch: int = 2) -> tuple[nn.Module, torch.Tensor]:
    """The layers alone, without a head, and what they make of random pictures; the promised shape is asserted."""
    layer = stack(parse(spec), shape)
    output = layer.module(torch.rand(batch, *shape))
    assert tuple(output.shape[1:]) == layer.shape
    return layer.module, output


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("padding", ["same", "valid", 0, 2])
def test_convolution_promises_the_size_that_torch_gives(kernel, stride, dilation, padding):
    run(f"conv(3, {kernel}, stride={stride}, dilation={dilation}, padding={padding})", (2, 17, 14))


@pytest.mark.parametrize("kernel", ["[3, 5]", "[1, 4]", "[2, 3]"])
@pytest.mark.parametrize("stride", ["2", "[1, 2]"])
@pytest.mark.parametrize("dilation", ["1", "[2, 1]"])
@pytest.mark.parametrize("padding", ["same", "valid", "[0, 2]"])
def test_convolution_with_numbers_for_height_and_width_is_that_of_torch(kernel, stride, dilation, padding):
    module, _ = run(f"conv(3, {kernel}, stride={stride}, dilation={dilation}, padding={padding})", (2, 17, 14))
    image = torch.rand(2, 2, 17, 14)
    options = {"stride": json.loads(stride), "dilation": json.loads(dilation)}
    (high, wide), (down, across) = json.loads(kernel), pair(options["dilation"])
    margin = {"valid": (0, 0, 0, 0), "[0, 2]": (2, 2, 0, 0)}
    rows, columns = down * (high - 1), across * (wide - 1)
    margin["same"] = (columns // 2, -(-columns // 2), rows // 2, -(-rows // 2))
    expected = F.conv2d(F.pad(image, margin[padding]), module.conv1.weight, module.conv1.bias, **options)
    torch.testing.assert_close(module(image), expected)


@pytest.mark.parametrize("layer", ["pool", "avgpool"])
@pytest.mark.parametrize("size", ["[3, 5]", "[1, 3]"])
@pytest.mark.parametrize("stride", ["none", "[1, 2]"])
@pytest.mark.parametrize("padding", ["same", "valid", "[0, 1]"])
@pytest.mark.parametrize("ceil", ["true", "false"])
def test_pooling_with_numbers_for_height_and_width_promises_the_size_that_torch_gives(
    layer, size, stride, padding, ceil
):
    run(f"{layer}({size}, stride={stride}, padding={padding}, ceil={ceil})", (2, 13, 6))


def test_pool_that_is_even_along_one_axis_ignores_its_padding_there():
    module, output = run("pool([1, 2], stride=1, padding=same)", (1, 2, 2))
    image = -torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert module(image).tolist() == [[[[-1.0, -2.0], [-3.0, -4.0]]]]
    assert output.shape[2:] == (2, 2)


def test_a_single_number_stays_one_in_the_canonical_form():
    assert "kernel=3, stride=1, padding=same, dilation=1" in models.canonical_model("conv(8)")
    assert "kernel=[3, 5], stride=1" in models.canonical_model("conv(8, [3, 5])")
    assert "size=2, stride=none, padding=valid" in models.canonical_model("pool")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("conv(8, [3, 5, 7])", "a whole number at least 1 or a list of 2 values"),
        ("conv(8, [9, 1], padding=valid)", "spans 9×1 pixels does not fit"),
        ("pool([2, 3], padding=[2, 1])", r"padding=\[2, 1\] is more than half the window of 2×3"),
        ("pool([1, 9])", "a window of 1×9 does not fit"),
        ("avgpool([2, 3], padding=same)", r"odd size, not \[2, 3\]"),
    ],
)
def test_numbers_for_height_and_width_that_do_not_fit_are_refused(spec, words):
    with pytest.raises(SpecError, match=words):
        models.build_network(spec, (1, 8, 8), 2)


@pytest.mark.parametrize(
    ("layer", "size", "padding"),
    [
        *((layer, size, padding) for layer in ("pool", "avgpool") for size in (3, 5) for padding in (0, 1, "same")),
        *((layer, size, 0) for layer in ("pool", "avgpool") for size in (1, 2)),
        *(("pool", 2, 1), ("avgpool", 2, 1)),
    ],
)
@pytest.mark.parametrize("stride", ["none", 1, 2, 3])
@pytest.mark.parametrize("ceil", ["true", "false"])
def test_pooling_promises_the_size_that_torch_gives(layer, size, padding, stride, ceil):
    run(f"{layer}({size}, stride={stride}, ceil={ceil}, padding={padding})", (2, 13, 6))


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_even_pool_that_keeps_the_size_promises_what_torch_gives(size, stride):
    _, output = run(f"pool({size}, stride={stride}, padding=same)", (2, 13, 6))
    assert output.isfinite().all() and output.shape[2:] == (math.ceil(13 / stride), math.ceil(6 / stride))


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        ("conv(16, 3, padding=0)", (16, 126, 126)),
        ("conv(16, 3, stride=2, padding=0)", (16, 63, 63)),
        ("conv(16, 1)", (16, 128, 128)),
    ],
)
def test_sizes_of_textbook_questions(spec, shape):
    assert stack(parse(spec), (32, 128, 128)).shape == shape


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_padding_keeps_the_size_and_divides_it_by_the_stride(kernel, stride):
    for size in (7, 8):
        expected = math.ceil(size / stride)
        assert stack(parse(f"conv(1, {kernel}, stride={stride})"), (1, size, size)).shape == (1, expected, expected)


def test_even_kernel_pads_after_the_image_as_keras_does():
    module, _ = run("conv(1, 2, init=ones)", (1, 2, 2))
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert module(image).tolist() == [[[[10.0, 6.0], [7.0, 4.0]]]]


def test_even_maximum_pool_ignores_its_padding():
    module, _ = run("pool(2, stride=1, padding=same)", (1, 2, 2))
    image = -torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert module(image).tolist() == [[[[-1.0, -2.0], [-3.0, -4.0]]]]


def test_average_pool_leaves_its_padding_out_of_the_average():
    module, _ = run("avgpool(3, stride=1, padding=same)", (1, 2, 2))
    assert module(torch.ones(1, 1, 2, 2)).tolist() == [[[[1.0, 1.0], [1.0, 1.0]]]]


def test_pooling_rounds_down_unless_told_to_round_up():
    assert stack(parse("pool"), (1, 7, 7)).shape == (1, 3, 3)
    assert stack(parse("pool(ceil=true)"), (1, 7, 7)).shape == (1, 4, 4)


def test_global_pool_gives_means_and_maxima():
    image = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [0.0, 4.0]]]])
    assert run("global_pool", (2, 2, 2))[0](image).tolist() == [[3.0, 1.0]]
    assert run("global_pool(max)", (2, 2, 2))[0](image).tolist() == [[6.0, 4.0]]


@pytest.mark.parametrize(
    ("spec", "at_minus_one", "at_two"),
    [
        ("relu", 0, 2),
        ("leaky", -0.01, 2),
        ("leaky(0.2)", -0.2, 2),
        ("elu", math.exp(-1) - 1, 2),
        ("selu", 1.0507009873554805 * 1.6732632423543772 * (math.exp(-1) - 1), 2 * 1.0507009873554805),
        ("gelu", -(1 - math.erf(1 / math.sqrt(2))) / 2, 1 + math.erf(math.sqrt(2))),
        ("silu", -1 / (1 + math.e), 2 / (1 + math.exp(-2))),
        ("tanh", math.tanh(-1), math.tanh(2)),
        ("sigmoid", 1 / (1 + math.e), 1 / (1 + math.exp(-2))),
        ("softplus", math.log(1 + math.exp(-1)), math.log(1 + math.exp(2))),
        ("exponential", math.exp(-1), math.exp(2)),
    ],
)
def test_activation_follows_its_formula(spec, at_minus_one, at_two):
    values = stack(parse(spec), (2,)).module(torch.tensor([[-1.0, 2.0]]))[0].tolist()
    assert values == pytest.approx([at_minus_one, at_two], rel=1e-5, abs=1e-7)


def test_every_activation_is_tested_and_leaves_its_input_alone():
    assert activations == {
        *("relu", "leaky", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "softplus", "exponential")
    }
    for name in activations:
        given = torch.tensor([[-1.0, 2.0]])
        stack(parse(name), (2,)).module(given)
        assert given.tolist() == [[-1.0, 2.0]], name


def test_squeeze_and_excitation_scales_whole_channels_by_a_gate():
    module, _ = run("se(2)", (4, 3, 3))
    output = module(torch.ones(1, 4, 3, 3))
    gates = output[0, :, 0, 0]
    assert torch.equal(output, gates.reshape(1, 4, 1, 1).expand_as(output))
    assert ((gates > 0) & (gates < 1)).all()


def test_names_are_readable_and_unique():
    network = models.build_network(
        "conv(4)|bn|relu|maxpool|conv(4)|bn|relu|avgpool|dense(8)|relu|dropout", (1, 8, 8), 3
    )
    names = [name for name, _ in network.named_children()]
    assert names == [
        *("conv1", "bn1", "relu1", "pool1", "conv2", "bn2", "relu2", "avgpool1"),
        *("flatten1", "dense1", "relu3", "dropout1", "head"),
    ]


def test_names_inside_blocks_tell_where_they_are():
    network = models.build_network("conv(4)|residual(8, stride=2)", (1, 8, 8), 3)
    assert network.get_submodule("residual1.body.conv2").out_channels == 8
    assert network.get_submodule("residual1.shortcut.conv1").stride == (2, 2)


def test_head_is_as_wide_as_asked_and_takes_its_own_initialiser():
    network = models.build_network("flatten|head(init=ones, bias=false)", (1, 2, 2), 3)
    assert network.head.weight.tolist() == [[1.0] * 4] * 3 and network.head.bias is None


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("conv(8)|pool|pool|pool|pool|pool", ["pool4", "8×1×1", "2×2"]),
        ("conv(8)|pool(9)", ["pool1", "8×8×8", "9×9"]),
        ("pool|conv(8, 5, padding=valid)", ["conv1", "1×4×4", "5×5"]),
        ("conv(8, 3, dilation=4, padding=valid)", ["conv1", "1×8×8", "9×9"]),
        ("conv(6)|conv(8, groups=4)", ["conv2", "6×8×8", "groups=4"]),
        ("flatten|conv(8)", ["conv1", "gets 64", "before flatten"]),
        ("dense(8)|relu|pool", ["pool1", "gets 8", "feature map"]),
        ("pool(3, padding=2)", ["pool1", "padding=2", "3×3"]),
        ("avgpool(2, padding=same)", ["avgpool1", "odd"]),
        ("pool(2, padding=same, ceil=true)", ["pool1", "1×8×8", "leave ceil out"]),
        ("dense(9999999999)", ["dense1", "64", "weights"]),
        ("conv(1, padding=99999)", ["conv1", "200004×200004"]),
        ("head|dense(3)", ["head", "end of the network"]),
        ('heads([9], [""])', ["head", "9 wide", "asks for 10"]),
        ('heads([4, 6], ["relu"])', ["head", "1 heads, and there are 2"]),
        ('heads([10], ["conv(3)"])|relu', ["head", "end of the network"]),
        ('flatten|heads([10], ["conv(3)"])', ["head.branches.head1.conv1", "gets 64"]),
        ("dense(3, init=dirac)", ["dense1", "dirac", "convolutions"]),
        ("conv(3, bias_init=orthogonal)", ["conv1", "orthogonal", "bias"]),
        ("conv(4)|residual(4, stride=2, join=concat)", ["residual1", "4×8×8", "stride"]),
        ("conv(4, 3)|residual(4)|conv(4, 9, padding=valid)", ["conv2", "4×8×8", "9×9"]),
    ],
)
def test_impossible_layer_is_named_with_the_shape_there(spec, words):
    with pytest.raises(SpecError) as caught:
        models.build_network(spec, (1, 8, 8), 10)
    for word in words:
        assert word in str(caught.value)
    assert "▸" in str(caught.value), "the message points into the string"


@pytest.mark.parametrize(
    "spec",
    [
        "conv(0)",
        "conv(1.5)",
        "conv",
        "dropout(1)",
        "dropout(-0.1)",
        "bn(momentum=2)",
        "pool(kind=max)",
        "",
        "none",
        "conv(8)|vgg-like",
        "nonsense",
        "conv(8)|nonsense",
    ],
)
def test_wrong_words_and_values_are_refused(spec):
    with pytest.raises(UsageError):
        models.build_network(spec, (1, 8, 8), 10)


TWO_HEADS = 'conv(4)|heads([12, 1], ["dense(6)|relu", "dense(5)|relu|dense(3)"])'


def test_heads_have_layers_of_their_own():
    network = models.build_network(TWO_HEADS, (1, 4, 4), 13)
    assert isinstance(network.flatten1, nn.Flatten)
    first, second = network.head.branches.head1, network.head.branches.head2
    assert [name for name, _ in second.named_children()] == ["dense1", "relu1", "dense2", "head"]
    assert first.head.out_features == 12 and second.head.out_features == 1
    outputs = network(torch.rand(3, 1, 4, 4))
    assert outputs.shape == (3, 13)
    outputs[:, 12].sum().backward()
    assert first.dense1.weight.grad is None or not first.dense1.weight.grad.any()
    assert second.dense1.weight.grad.any() and network.conv1.weight.grad.any()


def test_heads_survive_their_file(tmp_path):
    spec = models.canonical_model(TWO_HEADS)
    assert models.canonical_model(spec) == spec and "bias_init" in spec
    network = models.build_network(TWO_HEADS, (1, 4, 4), 13).eval()
    classifier = models.Classifier(network, (1, 4, 4), [0.5], [0.5], {}, "classes", spec)
    models.save_classifier(tmp_path / "a", classifier)
    images = torch.rand(2, 1, 4, 4)
    assert torch.equal(models.load_classifier(tmp_path / "a")(images), classifier(images))


def test_heads_without_layers_are_one_dense_layer_in_float32():
    network = models.build_network('heads([2, 3], ["", ""])', (1, 2, 2), 5)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.rand(2, 1, 2, 2)).dtype == torch.float32
    assert sum(p.numel() for p in network.parameters()) == 5 * 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(p, dtype):
    module = stack(parse(f"dropout({p})"), (4,)).module
    ones = torch.ones(400, 1001, dtype=dtype)
    torch.manual_seed(0)
    dropped = module(ones)
    share = (dropped == 0).double().mean().item()
    assert share == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / ones.numel()))
    kept = dropped[dropped != 0].double().unique()
    assert kept.tolist() == pytest.approx([1 / (1 - p)], rel=1e-2 if dtype == torch.bfloat16 else 1e-4)
    assert module.eval()(ones) is ones


def test_dropout_draws_independently_along_every_axis_and_from_call_to_call():
    module = stack(parse("dropout"), (4,)).module
    torch.manual_seed(1)
    first, second = (module(torch.ones(300, 301)) != 0 for _ in range(2))
    neighbours = [
        (first[1:], first[:-1]),
        (first[:, 1:], first[:, :-1]),
        (first[:, 4:], first[:, :-4]),
        (first, second),
    ]
    for pixel, neighbour in neighbours:
        assert (pixel == neighbour).double().mean().item() == pytest.approx(0.5, abs=5 * 0.5 / 300)


def test_dropout_is_repeatable_under_a_seed_and_passes_gradients_where_it_kept():
    module = stack(parse("dropout(0.3)"), (4,)).module
    given = torch.ones(6, 5, 4, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
    torch.manual_seed(2)
    output = module(given)
    output.sum().backward()
    assert output.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(given.grad, output.detach())
    torch.manual_seed(2)
    assert torch.equal(module(given), output)


def test_dropout_by_channel_drops_whole_channels():
    module = stack(parse("dropout(0.5, by=channel)"), (8, 3, 3)).module
    output = module(torch.ones(64, 8, 3, 3)).flatten(2)
    assert ((output == 0).all(2) | (output == 2).all(2)).all() and (output == 0).any()
