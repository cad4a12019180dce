"""Every named architecture builds, learns, survives its file and counts right; some counts are published."""

import pytest
import torch
from torch import nn

from cnnlab import models
from cnnlab.core import seeds
from cnnlab.core.errors import SpecError

SHAPES = [(1, 28, 28), (3, 32, 32)]
NARROW = {"convnet": "width=0.1", "vgg-like": "width=0.25", "wide-resnet": "width=0.25, depth=10"}
NARROW |= dict.fromkeys(("resnet", "resnet18", "resnet34", "resnet50"), "width=0.1")
NARROW |= dict.fromkeys(("ccpccpccp", "cifar-net", "cpcpccpcp", "cpcpcpcpcp"), "width=0.2")
NARROW |= dict.fromkeys(("cats-dogs-1", "cats-dogs-2", "cats-dogs-3", "cats-dogs-4", "cnn-4", "geron-cnn"), "width=0.3")
STEADY = {"geron-cnn": "dropout=0", "dropout-mlp": "input_dropout=0", "cifar-net": "dropout=0, conv_dropout=0"}
"""Without their dropout, where that is on by default."""
EVERY = [entry.name for entry in models.architectures if "weights" not in entry.arguments]
"""Those that are built here; for those of other libraries see the tests of backbones."""


def narrow(name: str) -> str:
    """The architecture, with fewer filters where it is a large one, so that the tests are quick."""
    return with_knob(name, "")


def with_knob(name: str, knob: str) -> str:
    """The narrow architecture with one thing changed."""
    return f"{name}({', '.join(filter(None, (NARROW.get(name), knob)))})"


def made(spec: str, shape: tuple[int, ...], outputs: int = 10) -> nn.Module:
    with seeds.scope(0, "init"):
        return models.build_network(spec, shape, outputs)


def on_nothing(spec: str, shape: tuple[int, ...], outputs: int = 10) -> models.NetworkSummary:
    """The summary of a network whose weights are never allocated."""
    with torch.device("meta"):
        return models.summary(models.build_network(spec, shape, outputs), shape)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("shape", SHAPES)
class TestEveryArchitecture:
    def test_gradients_reach_every_parameter(self, name, shape):
        network = made(narrow(name), shape)
        network(torch.rand(4, *shape)).square().sum().backward()
        for key, parameter in network.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), key
            assert key.endswith("bias") or parameter.grad.any(), key

    def test_one_image_is_judged_as_among_others(self, name, shape):
        network, images = made(narrow(name), shape).eval(), torch.rand(3, *shape)
        with torch.no_grad():
            assert torch.allclose(network(images[:1]), network(images)[:1], atol=1e-5)

    def test_bfloat16_autocast_gives_float32_outputs_close_to_the_exact_ones(self, name, shape):
        network, images = made(narrow(name), shape).eval(), torch.rand(2, *shape)
        with torch.no_grad():
            exact = network(images)
            with torch.autocast("cpu", torch.bfloat16):
                short = network(images)
        assert short.dtype == torch.float32
        assert (short - exact).abs().max() < 0.05 * exact.abs().max().clamp(min=1)

    def test_training_in_bfloat16_leaves_finite_float32_gradients(self, name, shape):
        network = made(narrow(name), shape).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = network(torch.rand(2, *shape))
        outputs.square().sum().backward()
        assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in network.parameters())

    def test_rebuilds_from_its_file_with_equal_outputs(self, name, shape, tmp_path):
        network = made(narrow(name), shape)
        network(torch.rand(4, *shape))  # moves the running statistics away from where they start
        channels = [0.1 * (n + 1) for n in range(shape[0])]
        spec = models.canonical_model(narrow(name))
        classifier = models.Classifier(
            network, shape, channels, channels, {"label": list("abcdefghij")}, "classes", spec
        )
        classifier.to(memory_format=torch.channels_last).eval()
        models.save_classifier(tmp_path / "model.safetensors", classifier)
        rebuilt = models.load_classifier(tmp_path / "model.safetensors")
        images = torch.rand(2, *shape)
        with torch.no_grad():
            assert torch.equal(rebuilt(images), classifier(images))

    def test_summary_counts_what_the_tensors_hold(self, name, shape):
        network = made(narrow(name), shape)
        counted = models.summary(network, shape)
        assert counted.parameters == sum(parameter.numel() for parameter in network.parameters())
        assert counted.biases == sum(p.numel() for key, p in network.named_parameters() if key.endswith("bias"))
        assert counted.rows[-1].name == "head" and counted.rows[-1].output == (10,)
        assert all(row.receptive_field for row in counted.rows)

    def test_head_is_float32_dense_and_last(self, name, shape):
        network = made(narrow(name), shape, outputs=7)
        assert isinstance(network.get_submodule("head"), nn.Linear) and network.head.out_features == 7

    def test_rectifiers_are_separate_and_not_in_place(self, name, shape):
        for module in made(narrow(name), shape).modules():
            assert not getattr(module, "inplace", False)

    def test_activation_knob_reaches_every_layer(self, name, shape):
        kinds = {type(module) for module in made(with_knob(name, "activation=elu"), shape).modules()}
        assert nn.ELU in kinds and not kinds & {nn.ReLU, nn.Tanh}


@pytest.mark.parametrize("name", EVERY)
def test_images_of_64_pixels_pass_forward_and_backward(name):
    network = made(narrow(name), (3, 64, 64))
    outputs = network(torch.rand(2, 3, 64, 64))
    outputs.square().sum().backward()
    assert outputs.shape == (2, 10) and outputs.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.slow(10)
@pytest.mark.parametrize("name", EVERY)
def test_thirty_two_images_are_learnt_by_heart(name):
    shape = (1, 28, 28) if name == "lenet5" else (1, 16, 16)
    network = made(with_knob(name, STEADY.get(name, "")), shape)
    images = torch.rand(32, *shape, generator=seeds.generator(0, "pictures")) - 0.5
    labels = torch.arange(32) % 10
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(200):
        outputs = network(images)
        if (outputs.argmax(1) == labels).all():
            return
        optimizer.zero_grad()
        nn.functional.cross_entropy(outputs, labels).backward()
        optimizer.step()
    pytest.fail("some of them are still confused")


PUBLISHED = [
    ("resnet18(stem=large)", (3, 64, 64), 1000, 11_689_512),
    ("resnet34(stem=large)", (3, 64, 64), 1000, 21_797_672),
    ("resnet50(stem=large)", (3, 64, 64), 1000, 25_557_032),
    ("resnet18", (3, 32, 32), 10, 11_173_962),
    ("wide-resnet(depth=28, width=10)", (3, 32, 32), 10, 36_479_194),
    ("lenet5", (1, 28, 28), 10, 61_706),
    ("lenet5", (1, 32, 32), 10, 61_706),
    ("mlp(hidden=[300, 100])", (1, 28, 28), 10, 266_610),
]


@pytest.mark.parametrize(("spec", "shape", "outputs", "count"), PUBLISHED)
def test_parameter_count_is_the_published_one(spec, shape, outputs, count):
    assert on_nothing(spec, shape, outputs).parameters == count


def test_convnet_holds_the_weights_of_its_report():
    rows = on_nothing("convnet", (1, 28, 28)).rows
    weights = [row.weights for row in rows if row.weights]
    assert weights == [576, 73_728, 294_912, 589_824, 4_194_304, 1_048_576, 10_240]
    assert [row.output for row in rows if row.kind == "MaxPool2d"] == [(64, 14, 14), (128, 7, 7), (256, 4, 4)]


def test_vgg_like_halves_four_times_rounding_down():
    rows = on_nothing("vgg-like", (1, 28, 28)).rows
    assert [row.output[1] for row in rows if row.kind == "MaxPool2d"] == [14, 7, 3, 1]
    filters = [row.output[0] for row in rows if row.kind == "Conv2d"]
    assert filters == [32, 32, 64, 64, 128, 128, 256, 256, 256]
    assert [row.output for row in rows if row.kind == "Linear"] == [(512,), (512,)]


def test_resnet18_has_its_published_cost_on_cifar():
    assert on_nothing("resnet18", (3, 32, 32)).multiply_adds == pytest.approx(0.56e9, rel=0.01)


def rows_of(spec: str, shape: tuple[int, ...], kinds: str) -> list[tuple[int, ...]]:
    return [row.output for row in on_nothing(spec, shape).rows if row.kind in kinds.split()]


def test_networks_of_reports_have_the_layers_the_reports_give():
    assert rows_of("cnn-4", (1, 28, 28), "Conv2d MaxPool2d Linear") == [
        *((32, 28, 28), (32, 28, 28), (64, 28, 28), (64, 14, 14), (128, 14, 14)),
        *((512,), (128,)),
    ]
    assert rows_of("feed-forward", (1, 28, 28), "Linear") == [(512,), (128,)]
    assert rows_of("dropout-mlp", (3, 32, 32), "Linear") == [(32,), (224,), (64,), (32,)]
    assert rows_of("mlp-300-100(hidden=[600, 300, 200, 100, 50])", (1, 28, 28), "Linear") == [
        *((600,), (300,), (200,), (100,), (50,))
    ]
    assert rows_of("cats-dogs-1", (3, 64, 64), "Conv2d BatchNorm2d") == [
        *((32, 64, 64), (64, 32, 32), (64, 16, 16), (128, 16, 16))
    ]
    filters = [shape[0] for shape in rows_of("ccpccpccp", (3, 32, 32), "Conv2d")]
    assert len(filters) == 6 and filters == sorted(filters, reverse=True) and (filters[0], filters[-1]) == (254, 32)
    assert [row.kernel for row in on_nothing("geron-cnn", (1, 28, 28)).rows if row.kind == "Conv2d"] == [
        *((7, 7), (3, 3), (3, 3), (3, 3), (3, 3))
    ]


@pytest.mark.parametrize("name", [entry.name for entry in models.architectures if set(entry.name) <= {"c", "p"}])
def test_networks_named_by_their_letters_follow_them(name):
    letters = {"Conv2d": "c", "MaxPool2d": "p"}
    rows = on_nothing(name, (3, 32, 32)).rows
    assert "".join(letters[row.kind] for row in rows if row.kind in letters) == name


def test_cifar_net_takes_either_block():
    inception = on_nothing("cifar-net(block=inception)", (3, 32, 32))
    assert [row.output for row in inception.rows if row.kind == "Concatenate"] == [(192, 8, 8)]
    residual = on_nothing("cifar-net(block=residual)", (3, 32, 32))
    assert [row.output for row in residual.rows if row.kind == "Concatenate"] == [(128, 8, 8)]
    assert [row.output for row in residual.rows if row.kind == "MaxPool2d"][-1] == (128, 4, 4)
    assert [row.weights for row in residual.rows if row.name.startswith("residual1.body.conv")] == [
        *(9 * 64 * 128, 9 * 128 * 128, 128 * 64)
    ]


def test_googlenet_block_has_the_published_parameters():
    rows = on_nothing("inception(64, kind=googlenet)", (192, 28, 28)).rows
    block = [row for row in rows if row.name.startswith("inception1")]
    assert sum(row.weights + row.biases for row in block) == 163_696 and block[-1].output == (256, 28, 28)


def kinds(spec: str, shape: tuple[int, ...] = (1, 16, 16)) -> list[str]:
    return [name.rstrip("0123456789") for name, _ in made(spec, shape).named_children()]


def test_pattern_is_read_letter_by_letter():
    assert kinds("pattern(CPC, filters=[4, 8], dense=[5])") == [
        *("conv", "relu", "pool", "conv", "relu", "flatten", "dense", "relu", "head")
    ]


def test_knobs_place_dropout_and_normalisation():
    assert kinds("cnn(filters=[4], dense=[5], dropout=0.1, conv_dropout=0.2, input_dropout=0.3, batch_norm=true)") == [
        *("dropout", "conv", "bn", "relu", "pool", "dropout", "flatten", "dense", "relu", "dropout", "head")
    ]
    after = "cnn(filters=[4], dense=[5], batch_norm=true, dense_norm=true, norm_at=after, activation=tanh)"
    assert kinds(after) == ["conv", "tanh", "bn", "pool", "flatten", "dense", "tanh", "bn", "head"]
    assert kinds("mlp(hidden=[5], activation=none, batch_norm=true)") == ["flatten", "dense", "bn", "head"]


def test_alpha_dropout_takes_the_place_of_every_dropout():
    assert kinds("mlp(hidden=[5], activation=selu, dropout=0.1, input_dropout=0.1, alpha_dropout=true)") == [
        *("alpha_dropout", "flatten", "dense", "selu", "alpha_dropout", "head")
    ]
    spec = "cnn(filters=[4], dense=[5], dropout=0.1, conv_dropout=0.2, input_dropout=0.3, alpha_dropout=true)"
    assert "dropout" not in kinds(spec) and kinds(spec).count("alpha_dropout") == 3


def test_knobs_of_the_cifar_net_reach_its_convolutions():
    network = made("cifar-net(kernel=5, padding=valid, pooling=avg, batch_norm=true, norm_at=after)", (3, 32, 32))
    assert network.conv4.kernel_size == (5, 5) and network.conv4.padding == (0, 0)
    assert kinds("cifar-net(pooling=avg, batch_norm=true, norm_at=after, dropout=0)")[:6] == [
        *("conv", "relu", "bn", "conv", "relu", "bn")
    ]
    assert "avgpool1" in dict(network.named_children()) and "pool1" not in dict(network.named_children())


def test_bias_is_left_out_where_normalisation_would_subtract_it():
    assert made("cnn(batch_norm=true)", (1, 8, 8)).conv1.bias is None
    assert made("cnn(batch_norm=true, norm_at=after)", (1, 8, 8)).conv1.bias is not None


def test_knobs_scale_pool_and_end_a_chain():
    network = made("cnn(filters=[4, 8], dense=[10], width=2.5, kernel=[5, 3], pooling=avg)", (1, 16, 16))
    assert network.conv1.out_channels == 10 and network.conv2.out_channels == 20 and network.dense1.out_features == 25
    assert network.conv1.kernel_size == (5, 5) and network.conv2.kernel_size == (3, 3)
    assert kinds("cnn(filters=[4], dense=[], global_pool=avg)") == ["conv", "relu", "pool", "global_pool", "head"]


def test_initialiser_knob_reaches_every_kernel_and_bias():
    for name in EVERY:
        network = made(with_knob(name, "init=constant(0.5)"), (1, 28, 28))
        weights = [
            p for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear) for p in [module.weight]
        ]
        assert all((weight == 0.5).all() for weight in weights), name


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ("pattern(width=2, layers=CPX, filters=[3])", "layers"),
        ("pattern(CPX, filters=[3])", "CPX"),
        ("cnn(filters=[3, 4], kernel=[3])", "kernel"),
        ("wide-resnet(depth=12)", "depth"),
    ],
)
def test_impossible_architecture_points_at_the_argument(spec, place):
    with pytest.raises(SpecError) as caught:
        made(spec, (1, 8, 8))
    assert (caught.value.text, caught.value.position) == (spec, spec.index(place))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("vgg-like", ["vgg-like", "1×8×8", "pool4", "256×1×1"]),
        ("pattern(CPX, filters=[3])", ["CPX", "letter"]),
        ("pattern(CCP, filters=[3])", ["CCP", "2 convolutions", "filters"]),
        ("cnn(filters=[3, 4], kernel=[3])", ["1 sizes", "2 convolutions"]),
        ("wide-resnet(depth=12)", ["6n + 4", "12"]),
        ("resnet(blocks=[1, 1])", ["2 stages", "4"]),
        ("lenet5(dropout=1)", ["dropout", "below 1"]),
        ("vgg-like(activation=rely)", ["activation", "relu"]),
        ("vgg-liek", ["vgg-like"]),
        ("cnn(init=he)", ["initialiser", "he-normal"]),
    ],
)
def test_impossible_network_says_what_is_wrong_where(spec, words):
    with pytest.raises(SpecError) as caught:
        made(spec, (1, 8, 8))
    for word in words:
        assert word in str(caught.value)
