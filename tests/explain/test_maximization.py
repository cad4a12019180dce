"""Activation maximisation: what is found, of whom, and that each picture is made by itself."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnnlab import explain
from cnnlab.core.errors import UsageError
from cnnlab.explain import maximization
from cnnlab.explain.maximization import Ascent, rows_at_once
from cnnlab.explain.parametrizations import Pixels, Waves
from cnnlab.models import Classifier, Predictable, build_network
from cnnlab.testing import check_tool, conv_classifier, linear_classifier, two_head_classifier

CPU = torch.device("cpu")


def classifier_of(network: nn.Module, shape: tuple[int, int, int], outputs: int = 2, **options: object) -> Classifier:
    moments = [0.0] * shape[0], [1.0] * shape[0]
    names = {"label": tuple("abcdefghij"[:outputs])}
    return Classifier(network, shape, *moments, names, "classes", "module(own)", **options).eval()


def small(layers: str = "conv(8)|bn|relu|pool|conv(12)|relu|global_pool", channels: int = 3) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return classifier_of(build_network(layers, (channels, 16, 16), 4), (channels, 16, 16), 4)


def edge_filters() -> Classifier:
    """Two filters: left lighter than right, and above darker than below."""
    conv = nn.Conv2d(1, 2, 2, bias=False)
    weights = [[[[1.0, -1.0], [1.0, -1.0]]], [[[-1.0, -1.0], [1.0, 1.0]]]]
    with torch.no_grad():
        conv.weight.copy_(torch.tensor(weights))
    pool = nn.AdaptiveAvgPool2d(1)
    network = nn.Sequential(OrderedDict(conv=conv, pool=pool, flatten=nn.Flatten(), head=nn.Linear(2, 2)))
    return classifier_of(network, (1, 8, 8))


def test_an_edge_filter_is_answered_by_an_edge() -> None:
    found = explain.maximize(edge_filters(), "conv", jitter=0, variation=0)
    # The mean over the map is what is left of the picture at its edges: the first column less the last.
    across, down = found.images[:, 0]
    assert across[1:-1, 0].min() > 0.9 and across[1:-1, -1].max() < 0.1
    assert down[0, 1:-1].max() < 0.1 and down[-1, 1:-1].min() > 0.9
    assert (found.scores > found.starts).all()


def test_scores_are_what_the_model_gives_for_the_pictures() -> None:
    classifier = small()
    found = explain.maximize(classifier, "conv2", [7, 2], steps=5)
    maps = explain.activations(classifier, found.images, "conv2").values
    assert found.scores == pytest.approx([maps[0, 7].mean(), maps[1, 2].mean()], abs=1e-6)
    classes = explain.maximize(classifier, units=["c", "a"], steps=5)
    with torch.no_grad():
        outputs = classifier(torch.from_numpy(classes.images))
    assert classes.names == ("c", "a") and classes.units.tolist() == [2, 0]
    assert classes.scores == pytest.approx([float(outputs[0, 2]), float(outputs[1, 0])], abs=1e-5)


@pytest.mark.parametrize("kind", ["fourier", "pixels"])
def test_a_picture_does_not_depend_on_those_that_are_made_with_it(kind: str) -> None:
    classifier = small()
    options = {"kind": kind, "steps": 40, "blur": 0.2, "variation": 0.1}
    together = explain.maximize(classifier, "conv2", [4, 0, 9], **options)
    for place, channel in enumerate([4, 0, 9]):
        alone = explain.maximize(classifier, "conv2", channel, **options)
        assert np.abs(alone.images[0] - together.images[place]).max() < 1e-3


def test_chunks_give_the_same_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = small()
    whole = explain.maximize(classifier, "conv1", steps=10)
    monkeypatch.setattr(maximization, "_MOST_ROWS", 3)
    parts = explain.maximize(classifier, "conv1", steps=10)
    assert len(parts) == 8 and np.abs(parts.images - whole.images).max() < 1e-3


def test_chunks_are_as_even_as_can_be() -> None:
    sizes = [list(map(len, maximization._evenly(list(range(count)), 17))) for count in (64, 17, 18, 1)]
    assert sizes == [[16, 16, 16, 16], [17], [9, 9], [1]]
    assert [number for part in maximization._evenly(list(range(64)), 7) for number in part] == list(range(64))


def test_the_seed_decides() -> None:
    first, again, other = (explain.maximize(small(), "conv1", 0, steps=8, seed=seed).images for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.allclose(first, other, atol=0.01)


def test_grey_pictures_and_colours_stay_within_zero_and_one() -> None:
    for channels in (1, 3, 4):
        found = explain.maximize(small(channels=channels), "conv2", [0, 1], steps=30, rate=0.5)
        assert found.images.shape == (2, channels, 16, 16) and found.images.dtype == np.float32
        assert found.images.min() >= 0 and found.images.max() <= 1


class Counting(nn.Module):
    """Counts how often it is passed, itself or a copy of it."""

    calls = 0

    def forward(self, input: Tensor) -> Tensor:
        Counting.calls += 1
        return input


def test_what_comes_after_the_layer_is_not_computed_at_every_step() -> None:
    classifier = edge_filters()
    classifier.network.pool = nn.Sequential(classifier.network.pool, Counting())
    taken = []
    for steps in (2, 20):
        Counting.calls = 0
        explain.maximize(classifier, "conv", steps=steps)
        taken.append(Counting.calls)
    assert taken[0] == taken[1] > 0


def test_a_unit_that_is_silent_at_first_is_found_all_the_same() -> None:
    """A ReLU that noise round grey never reaches has no gradient there."""
    conv, second = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        conv.weight.fill_(1.0), conv.bias.fill_(-0.75)
        second.weight.fill_(1.0), second.bias.zero_()
    network = nn.Sequential(OrderedDict(conv=conv, relu=nn.ReLU(), second=second, flatten=nn.Flatten()))
    found = explain.maximize(classifier_of(network, (1, 8, 8), 10), "second", kind="pixels", steps=120)
    assert found.starts == [0] and found.scores[0] > 0.001 and not found.notes


def test_a_unit_that_nothing_raises_is_told_of() -> None:
    classifier = edge_filters()
    with torch.no_grad():
        classifier.network.conv.weight[1] = 0
    found = explain.maximize(classifier, "conv", steps=3, jitter=0)
    assert found.notes == ("nothing was found that raises channel 1 above the noise at the start",)


def test_of_a_relu_what_goes_in_is_maximised() -> None:
    classifier = small()
    through = explain.maximize(classifier, "relu2", [3], steps=6)
    plain = explain.maximize(classifier, "conv2", [3], steps=6)
    assert np.allclose(through.images, plain.images, atol=1e-5)
    assert through.notes == ("relu2 is a ReLU, and what goes into it is maximised",)


def test_a_permuted_classifier_gets_the_picture_that_its_network_wants() -> None:
    plain, permuted = edge_filters(), edge_filters()
    permuted = classifier_of(permuted.network, (1, 8, 8), permute=5)
    wanted = explain.maximize(plain, "conv", steps=60, variation=0).images
    found = explain.maximize(permuted, "conv", steps=60, variation=0).images
    seen = permuted.normalised(torch.from_numpy(found)).numpy()
    assert np.abs(seen - wanted).max() < 1e-3 and np.abs(found - wanted).max() > 0.5


def test_classes_are_pixels_where_the_weights_are_and_heads_have_names() -> None:
    found = explain.maximize(linear_classifier(), "head", jitter=0, kind="pixels", steps=200, variation=0)
    # Each pixel goes to the side of its weight, (1, -1, 0, 4); one without a weight stays near grey.
    assert found.images[0, 0].ravel()[[0, 1, 3]] == pytest.approx([1, 0, 1], abs=0.05)
    assert 0.3 < found.images[0, 0].ravel()[2] < 0.7
    assert explain.maximize(two_head_classifier(), steps=2).names == ("side=left", "side=right", "size")
    assert explain.maximize(two_head_classifier(), units="side=right", steps=2).units.tolist() == [1]


def test_blur_and_variation_make_smoother_pictures() -> None:
    def roughness(**options: float) -> float:
        found = explain.maximize(small(), "conv1", kind="pixels", steps=30, jitter=0, **{"variation": 0.0, **options})
        return float(np.abs(np.diff(found.images, axis=3)).mean())

    plain = roughness()
    assert roughness(blur=0.5) < 0.7 * plain
    assert roughness(variation=2.0) < 0.7 * plain


def test_small_pictures_are_held_smooth_unless_it_is_told() -> None:
    def variation(side: int, told: float | None = None) -> float | None:
        return Ascent(variation=told).for_pictures((3, side + 5, side)).variation

    assert [variation(28), variation(63), variation(64), variation(224)] == [0.5, 0.5, 0, 0]
    assert variation(28, told=0) == 0 and variation(224, told=0.2) == 0.2
    found = explain.maximize(small(), "conv1", 0, steps=2)
    assert found.ascent == Ascent(steps=2, jitter=1, variation=0.5) and "total variation × 0.5" in str(found.ascent)


def test_waves_of_one_frequency_are_blurred_by_the_gaussian_of_it() -> None:
    wave = torch.cos(2 * torch.pi * 3 * torch.arange(32) / 32).expand(1, 1, 32, 32)
    left = Pixels((1, 32, 32), CPU).blurred(wave, 1.5)
    assert torch.allclose(left, wave * np.exp(-2 * (np.pi * 1.5 * 3 / 32) ** 2), atol=1e-5)


def test_noise_of_waves_has_broad_ones_most() -> None:
    made_of = Waves((1, 64, 64), CPU)
    drawn = torch.stack([made_of.drawn(torch.Generator().manual_seed(seed)) for seed in range(20)])
    fields = made_of.pictures(drawn).logit()
    powers = torch.fft.rfft2(fields)[:, 0, 0].abs().square().mean(0)
    # One over the frequency, and its square in power.
    assert powers[2:5].mean() / powers[16:32].mean() > 20


def test_rows_at_once_are_bounded_by_memory() -> None:
    assert rows_at_once(10, CPU) == 64
    assert rows_at_once(2**40, CPU) == 1
    assert rows_at_once(2**23, CPU) <= 16


@pytest.mark.parametrize("layer", ["conv2", "relu2", None])
def test_models_are_left_as_found(layer: str | None) -> None:
    check_tool(lambda classifier, pixels: explain.maximize(classifier, layer, steps=2, variation=0.1).images)


def test_models_are_left_as_found_where_the_layer_is_wrong() -> None:
    def tool(classifier: Classifier, pixels: Tensor) -> str:
        try:
            explain.maximize(classifier, "conv9")
        except UsageError as error:
            return str(error)
        raise AssertionError("there is no such layer")

    # It fails before any layer does.
    check_tool(tool)


class Vote(Predictable):
    """A model without a gradient."""

    has_gradient = False


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: explain.maximize(small(), "conv3"), "no layer 'conv3'. Did you mean conv"),
        (lambda: explain.maximize(small(), "conv2", 12), r"the layer conv2 has 12 units, 0 to 11; got 12\."),
        (lambda: explain.maximize(small(), units="z"), r"the output of the classifier has no z\. Valid: a, b, c, d\."),
        (lambda: explain.maximize(small(), "conv2", []), "name at least one of the 12"),
        (lambda: explain.maximize(small(), "conv2", steps=0), "steps is at least 1"),
        (lambda: explain.maximize(small(), "conv2", kind="dct"), "kind is fourier or pixels; got 'dct'"),
        (lambda: explain.maximize(small(), "conv2", blur=-1), "at least 0"),
        (lambda: explain.maximize(Vote(), "conv2"), "maximisation goes by the gradient, and the outputs of this vote"),
    ],
)
def test_what_cannot_be_meant_is_answered_in_one_sentence(call, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        call()


def test_an_unused_layer_is_told_of() -> None:
    classifier = conv_classifier()
    classifier.network.spare = nn.Conv2d(1, 1, 1)
    classifier.network.forward = lambda input: nn.Sequential(*list(classifier.network.children())[:-1])(input)
    with pytest.raises(UsageError, match="pictures do not pass the layer spare"):
        explain.maximize(classifier, "spare")
