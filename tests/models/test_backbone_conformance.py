"""What every architecture of another library must do, at a cost that allows it in each run of the tests.

Pictures of 28 and 32 pixels are enlarged to 64 inside, so all three shapes end in the same work: shapes are followed
without memory for each, and numbers are computed once a network, at 64×64. VGG is computed at 32×32, and its dense
layers, half a gigabyte, in the slow tests only; else they are one's own.
What is not done: VGG, 13 and 16 convolutions without normalisation, is not trained until it has pictures by heart, for
that takes minutes; AlexNet, a chain of the same kind, is in its place.
"""

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from cnnlab import models
from cnnlab.core import seeds
from cnnlab.models.modules import Head

SHAPES = [(1, 28, 28), (3, 32, 32), (3, 64, 64)]
COLOUR = (3, 64, 64)
LIGHT = [
    "squeezenet1_1",
    "squeezenet1_1(head=conv)",
    "timm(resnet10t)",
    "efficientnetv2-b0",
    "efficientnet-lite0",
    "resnet50v2",
    "alexnet",
]
LARGER = ["efficientnet-lite1", "efficientnet-lite2", "vgg16(size=32)"]
"""Of another by one rule, so that what is tried with numbers is tried of that."""
HEADED = [
    'squeezenet1_1(head="conv(16)|relu|global_pool")',
    'timm(resnet10t, head="global_pool|dropout(0.5)|dense(32)")',
    'efficientnetv2-b0(head="dropout(0.5)|dense(32)|relu")',
    'efficientnet-lite0(head="dense(32)|relu")',
    'resnet50v2(head="dense(32)|relu|dropout(0.5)")',
    'alexnet(head="dense(32)|relu")',
    'vgg16(size=32, head="dense(32)|relu")',
    'vgg19(size=32, head="dense(32)|relu")',
]
HEAVY = ["vgg19(size=32)"]
ALL = LIGHT + LARGER + HEADED + HEAVY
SLOW = [pytest.param(spec, marks=pytest.mark.slow(15)) for spec in HEAVY]
# Without dropout a network this size has 32 pictures by heart within some steps. AlexNet would take nine tenths of
# them for updating the 54 million weights of its dense layers.
STEADY = {"squeezenet1_1": "squeezenet1_1(dropout=0)", "alexnet": 'alexnet(head="dense(64)|relu")'}
# The rectified outputs of SqueezeNet's own ending can die for a whole class at a random start, and do; with trained
# weights they live. That is why a dense ending is the default.
BY_HEART = [spec for spec in LIGHT if spec != "squeezenet1_1(head=conv)"]
_kept: dict[str, nn.Module] = {}


def made(spec: str) -> nn.Module:
    """The network at its start; one at a time is kept, for they are large."""
    if spec not in _kept:
        _kept.clear()
        with seeds.scope(0, "init"):
            _kept[spec] = models.build_network(spec, COLOUR, 10)
    return _kept[spec].to(memory_format=torch.channels_last)


def test_every_registered_backbone_is_here() -> None:
    registered = {entry.name for entry in models.architectures if "weights" in entry.arguments} - {"joined"}
    assert registered == {spec.partition("(")[0] for spec in LIGHT + LARGER + HEAVY}
    assert registered == {spec.partition("(")[0] for spec in LARGER + HEADED}


@cache
def without_memory(spec: str, shape: tuple[int, ...]) -> nn.Module:
    with torch.device("meta"):
        return models.build_network(spec, shape, 10)


@pytest.mark.parametrize("spec", ALL)
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_every_shape_reach_every_parameter(spec: str, shape: tuple[int, ...]) -> None:
    network = without_memory(spec, shape)
    network(torch.rand(2, *shape, device="meta")).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert isinstance(network.head, Head) or "head=" in spec
    assert network.head.out_features == 10


@pytest.mark.parametrize("spec", ALL)
@pytest.mark.parametrize("shape", SHAPES)
def test_summary_counts_what_the_tensors_hold(spec: str, shape: tuple[int, ...]) -> None:
    counted = models.summary_without_weights(spec, shape, 10)
    network = without_memory(spec, shape)
    assert counted.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert counted.biases == sum(p.numel() for key, p in network.named_parameters() if key.endswith("bias"))
    # Parts that timm keeps without using them come after what a picture meets.
    assert [row for row in counted.rows if row.output][-1].name.startswith("head")


@pytest.mark.parametrize("spec", [*LIGHT, *HEADED, *SLOW])
def test_numbers_of_forward_and_backward(spec: str, tmp_path: Path) -> None:
    network, images = made(spec), torch.rand(2, *COLOUR, generator=seeds.generator(0, "pictures"))
    network.train()
    with seeds.scope(0, "forward"), torch.autocast("cpu", torch.bfloat16):
        outputs = network(images)
    outputs.square().sum().backward()
    assert outputs.dtype == torch.float32
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.dtype == torch.float32, key
        assert parameter.grad.isfinite().all(), key
    network.zero_grad(set_to_none=True)
    network.eval()
    with torch.no_grad():
        exact, alone = network(images), network(images[:1])
        with torch.autocast("cpu", torch.bfloat16):
            short = network(images)
    assert torch.allclose(alone, exact[:1], atol=1e-3 * exact.abs().max())
    assert short.dtype == torch.float32 and (short - exact).abs().max() < 0.1 * exact.abs().max().clamp(min=1)


@pytest.mark.parametrize("spec", [*LIGHT, *HEADED, *SLOW])
def test_rebuilds_from_its_file_with_equal_outputs(spec: str, tmp_path: Path) -> None:
    classifier = models.Classifier(
        made(spec).eval(),
        COLOUR,
        [0.4] * 3,
        [0.2] * 3,
        {"label": list("abcdefghij")},
        "classes",
        models.canonical_model(spec),
    )
    models.save_classifier(tmp_path / "model.safetensors", classifier)
    rebuilt, images = models.load_classifier(tmp_path / "model.safetensors"), torch.rand(2, *COLOUR)
    (tmp_path / "model.safetensors").unlink()
    with torch.no_grad():
        assert torch.equal(rebuilt(images), classifier(images))


@pytest.mark.slow(15)
@pytest.mark.parametrize("spec", BY_HEART)
def test_thirty_two_images_are_learnt_by_heart(spec: str) -> None:
    _kept.clear()
    with seeds.scope(0, "init"):
        network = models.build_network(STEADY.get(spec, spec), COLOUR, 10).to(memory_format=torch.channels_last)
    images = torch.rand(32, *COLOUR, generator=seeds.generator(0, "pictures")) - 0.5
    labels = torch.arange(32) % 10
    # Chains without normalisation get there by small steps.
    rate = 4e-4 if spec in STEADY else 1e-3
    optimizer = torch.optim.Adam(network.parameters(), rate, fused=True)
    for _ in range(120):
        outputs = network(images)
        if (outputs.argmax(1) == labels).all():
            return
        optimizer.zero_grad()
        nn.functional.cross_entropy(outputs, labels).backward()
        optimizer.step()
    pytest.fail("some of them are still confused")
