"""The classifier: what it does to pixels before the network, and what it refuses."""

import pytest
import torch
from torch import nn

from cnnlab.core.errors import UsageError
from cnnlab.models import Classifier, build_network
from cnnlab.models.classifier import pixel_permutation


def classifier(network: nn.Module | None = None, shape=(2, 2, 3), **changes) -> Classifier:
    """One whose network only flattens, so that its outputs are what the network sees."""
    arguments = {"mean": [0.5, 0.25], "std": [0.5, 0.125], "classes": {"label": ("a", "b")}}
    facts = {"objective": "classes", "model": "flatten"}
    return Classifier(network or nn.Flatten(), shape, **{**arguments, **facts, **changes})


def test_normalisation_subtracts_the_mean_and_divides_by_the_deviation():
    image = torch.full((1, 2, 2, 3), 0.75)
    assert classifier()(image).tolist() == [[0.5] * 6 + [4.0] * 6]


def test_bytes_mean_the_same_as_their_255th_part():
    pixels = torch.arange(256, dtype=torch.uint8)[: 12 * 21].reshape(21, 2, 2, 3)
    assert torch.equal(classifier()(pixels), classifier()(pixels.float() / 255))


def test_channel_that_never_varied_is_only_centred():
    outputs = classifier(std=[0.5, 0.0])(torch.full((1, 2, 2, 3), 0.75))
    assert outputs.tolist() == [[0.5] * 6 + [0.5] * 6]


def test_permutation_moves_all_channels_alike_and_the_same_way_for_every_image():
    plain, shuffled = classifier(), classifier(permute=7)
    pixels = torch.rand(4, 2, 2, 3)
    order = pixel_permutation(7, (2, 2, 3))
    assert sorted(order.tolist()) == list(range(6)) and order.tolist() != list(range(6))
    expected = plain(pixels).reshape(4, 2, 6)[:, :, order].flatten(1)
    assert torch.equal(shuffled(pixels), expected)


def test_permutation_depends_on_its_seed():
    orders = {tuple(pixel_permutation(seed, (1, 28, 28)).tolist()) for seed in range(5)}
    assert len(orders) == 5


def test_channels_last_images_stay_channels_last():
    pixels = torch.rand(4, 2, 2, 3).contiguous(memory_format=torch.channels_last)
    for given in (pixels, (pixels * 255).to(torch.uint8)):
        assert classifier().normalised(given).is_contiguous(memory_format=torch.channels_last)


def test_gradients_reach_the_pixels():
    pixels = torch.rand(1, 2, 2, 3, requires_grad=True)
    classifier(permute=1)(pixels).sum().backward()
    assert pixels.grad[:, 0].unique().tolist() == [2.0] and pixels.grad[:, 1].unique().tolist() == [8.0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_outputs_are_float32_under_autocast(dtype):
    for network in (build_network("conv(4)|relu", (2, 2, 3), 5), nn.Sequential(nn.Flatten(), nn.Linear(12, 5))):
        with torch.autocast("cpu", dtype):
            assert classifier(network)(torch.rand(3, 2, 2, 3)).dtype == torch.float32


def test_head_multiplies_in_float32_under_autocast():
    network = build_network("flatten", (2, 2, 3), 5)
    tool, images = classifier(network), torch.rand(3, 2, 2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        under = tool(images)
    assert torch.equal(under, tool(images))


def test_double_precision_throughout_is_kept():
    assert (
        classifier(build_network("conv(4)|relu", (2, 2, 3), 5)).double()(torch.rand(3, 2, 2, 3).double()).dtype
        == torch.float64
    )


def test_state_is_the_weights_alone():
    tool = classifier(build_network("flatten", (2, 2, 3), 5), permute=3)
    assert list(tool.state_dict()) == ["network.head.weight", "network.head.bias"]


def test_number_of_outputs_is_known_where_there_is_a_head():
    assert classifier(build_network("flatten", (2, 2, 3), 5)).outputs == 5 and classifier().outputs is None


@pytest.mark.parametrize("shape", [(2, 2, 3), (1, 3, 2, 3), (1, 2, 3, 2), (1, 12)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(UsageError, match="N×2×2×3"):
        classifier()(torch.rand(shape))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"mean": [0.5]}, "mean"),
        ({"std": [0.5, 0.5, 0.5]}, "std"),
        ({"std": [0.5, -0.5]}, "below 0"),
        ({"shape": (2, 3)}, "channels, height and width"),
        ({"shape": (2, 0, 3)}, "at least 1"),
        ({"shape": (2, 10**6, 10**6)}, "larger"),
    ],
)
def test_facts_that_do_not_fit_are_refused(changes, word):
    with pytest.raises(UsageError, match=word):
        classifier(**changes)


@pytest.mark.slow(8)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiler_takes_the_classifier_in_one_piece():
    tool = classifier(
        build_network("conv(4)|bn|relu|pool|se|dropout(0.3)|dense(4)|selu", (2, 6, 6), 5), (2, 6, 6), permute=3
    )
    compiled, images = torch.compile(tool, backend="aot_eager", fullgraph=True), torch.rand(4, 2, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        compiled(images).sum().backward()
    tool.eval()
    assert torch.allclose(compiled(images), tool(images), atol=1e-6)
