"""The model-randomisation test, on networks whose maps under random weights can be worked out."""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnnlab.core import seeds
from cnnlab.core.errors import UsageError
from cnnlab.ensembles.classifier import EnsembleClassifier
from cnnlab.ensembles.combinations import WeightedMean
from cnnlab.explain import ATTRIBUTIONS, RandomisationTest, attribute, randomisation_test
from cnnlab.explain.honesty.randomised_copies import Randomiser, copied, steps_from_top
from cnnlab.models import Classifier, build_network
from cnnlab.testing import Check, tool_checks

CLASSES = {"label": ("cat", "dog")}
SHAPE = (1, 10, 10)


def made(network: nn.Module) -> Classifier:
    return Classifier(network, SHAPE, [0.0], [1.0], CLASSES, "classes(column=label)", "module(own)").eval()


def pointwise() -> Classifier:
    """ReLUs of each pixel by itself and their mean: guided gradients are one number wherever a pixel is not black.

    Whatever the weights are, so its maps are the silhouette of the picture, or blank.
    """
    with seeds.scope(1, "init"):
        layers = OrderedDict(
            conv1=nn.Conv2d(1, 12, 1, bias=False),
            relu1=nn.ReLU(),
            pool1=nn.AdaptiveAvgPool2d(1),
            flatten1=nn.Flatten(),
            head=nn.Linear(12, 2),
        )
        return made(nn.Sequential(layers))


def plane() -> Classifier:
    """One dense layer, of which the gradient is a row of weights: random ones have nothing to do with it."""
    with seeds.scope(2, "init"):
        return made(build_network("flatten", SHAPE, 2))


def edge_filter() -> Classifier:
    """One filter, and the mean of its ReLU: a new head changes the sign of a gradient and its size, not its place."""
    network = build_network("conv(1, 3)|relu|global_pool", SHAPE, 2)
    with torch.no_grad():
        network.get_submodule("conv1").weight.copy_(torch.tensor([[[[0.0, -1, 0], [-2, 5, -0.5], [0, -1.5, 0]]]]))
        network.get_submodule("conv1").bias.zero_()
        network.get_submodule("head").weight.copy_(torch.tensor([[1.0], [-1.0]]))
    return made(network)


def silhouettes(count: int = 6) -> Tensor:
    pixels = torch.zeros(count, *SHAPE)
    for place in range(count):
        pixels[place, :, 1 + place % 3 : 7, 2 : 5 + place % 4] = 0.8
    return pixels


def noise(count: int = 8) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def of_guided() -> RandomisationTest:
    return randomisation_test(pointwise(), silhouettes(), "guided-backpropagation", draws=3)


def test_guided_backpropagation_that_draws_silhouettes_fails(of_guided: RandomisationTest) -> None:
    assert of_guided.layers == ("head", "conv1")
    np.testing.assert_allclose(of_guided.similarity["absolute"], 1)
    assert of_guided.verdict == "fails"
    assert "guided-backpropagation fails" in of_guided.sentence
    assert "3 draws and 6 pictures" in of_guided.sentence


def test_a_failing_is_said_under_the_map(of_guided: RandomisationTest) -> None:
    found = attribute(pointwise(), silhouettes(), "guided-backpropagation")
    assert of_guided.noted(found).notes[-1] == of_guided.sentence
    passing = replace(of_guided, similarity={name: 0 * each for name, each in of_guided.similarity.items()})
    assert passing.noted(found).notes == found.notes


def test_gradient_of_a_plane_passes_and_the_edge_detector_fails() -> None:
    found = randomisation_test(plane(), noise(), "saliency", draws=4)
    assert found.verdict == "passes"
    assert abs(found.curve("signed")[-1].value) < 0.2
    np.testing.assert_array_equal(found.control, 1)
    control = randomisation_test(plane(), noise(), "edges", draws=2)
    assert control.verdict == "fails"
    assert control.curve("ssim")[-1].value == 1


def test_a_map_that_only_the_first_layer_changes_fails_in_part() -> None:
    found = randomisation_test(edge_filter(), noise(), "saliency", draws=5, seed=1)
    np.testing.assert_allclose(found.similarity["absolute"][:, 0], 1, atol=1e-6)
    assert found.curve()[-1].value < 0.5
    assert found.insensitive_above == "head"
    stays = replace(found, similarity={**found.similarity, "absolute": found.similarity["absolute"] * [[[1], [0]]]})
    assert stays.verdict == "fails in part"
    assert "from the top down to head" in stays.sentence


def test_an_interval_around_the_threshold_decides_nothing() -> None:
    found = randomisation_test(plane(), noise(3), "saliency", draws=2)
    table = np.array([[[0.3, 0.7, 0.5]], [[0.6, 0.5, 0.4]]])
    found = replace(found, similarity={**found.similarity, "absolute": table})
    assert found.verdict == "undecided"
    assert "does not decide" in found.sentence


def test_pictures_that_are_blank_to_begin_with_are_left_out() -> None:
    pixels = silhouettes(4)
    pixels[1] = 0
    found = randomisation_test(pointwise(), pixels, "guided-backpropagation", draws=1)
    assert found.pictures == 3
    assert any("1 of 4 pictures are left out" in note for note in found.notes)


def test_same_class_is_explained_whatever_the_random_network_predicts() -> None:
    asked = []

    class Spy(type(ATTRIBUTIONS.bind("saliency").build())):  # type: ignore[misc]
        name = "spy"

        def explain(self, batch: object) -> Tensor:
            values = super().explain(batch)
            asked.append(batch.chosen.indices)  # type: ignore[attr-defined]
            return values

    ATTRIBUTIONS.register("spy")(Spy)
    try:
        randomisation_test(plane(), noise(), "spy", draws=3)
    finally:
        ATTRIBUTIONS.remove("spy")
    assert len(asked) == 4
    assert len(set(asked)) == 1


def test_cascade_goes_from_the_top_down_and_norms_go_with_their_layer() -> None:
    network = build_network("conv(4, 3)|bn|relu|conv(4, 3)|bn|relu|flatten|dense(5)|relu", SHAPE, 2)
    steps = steps_from_top(made(network), noise(1), 10)
    assert [step.name for step in steps] == ["head", "dense1", "conv2", "conv1"]
    assert steps[2].modules == ("network.conv2", "network.bn2")
    fewer = steps_from_top(made(network), noise(1), 2)
    assert [step.name for step in fewer] == ["head", "conv1"]
    assert {name for step in fewer for name in step.modules} == {name for step in steps for name in step.modules}


def test_members_of_an_ensemble_are_gone_down_side_by_side() -> None:
    both = EnsembleClassifier([plane(), edge_filter()], ["a", "b"], WeightedMean(weights=(1.0, 1.0)))
    steps = steps_from_top(both, noise(1), 10)
    assert steps[0].modules == ("members.0.network.head", "members.1.network.head")
    assert steps[1].modules == ("members.1.network.conv1",)
    found = randomisation_test(both, noise(6), "saliency", draws=3)
    assert found.layers == ("head", "conv1")
    assert found.curve("signed")[-1].value < 0.5


@pytest.mark.parametrize("how", ["fresh", "shuffled"])
def test_random_weights_are_a_function_of_seed_and_draw_and_leave_lower_layers(how: str) -> None:
    def weights(seed: int, draw: int) -> dict[str, Tensor]:
        random = Randomiser(copied(edge_filter()), how, seed, draw)  # type: ignore[arg-type]
        for step in steps_from_top(random.model, noise(1), 10)[:1]:
            random.randomise(step)
        return dict(random.model.network.state_dict())  # type: ignore[operator, union-attr]

    one, again, before = weights(0, 0), weights(0, 0), edge_filter().network.state_dict()
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert torch.equal(one["conv1.weight"], before["conv1.weight"])
    many = [weights(seed, draw)["head.weight"] for seed in range(3) for draw in range(3)]
    assert any(not torch.equal(each, before["head.weight"]) for each in many)
    if how == "shuffled":
        assert all(torch.equal(each.sort(0).values, before["head.weight"].sort(0).values) for each in many)


def test_weights_without_a_way_to_draw_them_and_parametrised_ones_become_random_too() -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.linspace(-1, 1, 100).view(1, 1, 10, 10))

        def forward(self, maps: Tensor) -> Tensor:
            return maps * self.factor

    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 3, 3))
    network = nn.Sequential(OrderedDict(scale=Scale(), conv=conv, flatten=nn.Flatten(), head=nn.Linear(192, 2)))
    random = Randomiser(copied(made(network)), "fresh", 0, 0)
    for step in steps_from_top(random.model, noise(1), 10):
        random.randomise(step)
    after = dict(random.model.named_parameters())
    assert all(not torch.equal(weight, after[f"network.{name}"]) for name, weight in network.named_parameters())


def test_a_weight_that_two_layers_share_stays_as_the_upper_one_drew_it() -> None:
    first = nn.Linear(100, 100, bias=False)
    second = nn.Linear(100, 100, bias=False)
    second.weight = first.weight
    network = nn.Sequential(OrderedDict(flatten=nn.Flatten(), first=first, second=second, head=nn.Linear(100, 2)))
    random = Randomiser(copied(made(network)), "fresh", 0, 0)
    steps = steps_from_top(random.model, noise(1), 10)
    for step in steps[:2]:
        random.randomise(step)
    drawn = random.model.get_parameter("network.second.weight").clone()
    random.randomise(steps[2])
    assert torch.equal(random.model.get_parameter("network.first.weight"), drawn)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"method": "grad-camm"}, "grad-cam"),
        ({"draws": 0}, "draws is 1 or more"),
        ({"how": "zeros"}, "fresh or shuffled"),
        ({"threshold": 1.5}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        randomisation_test(plane(), noise(2), **{"method": "saliency", **wrong})  # type: ignore[arg-type]


def test_a_network_that_cannot_be_copied_says_so() -> None:
    network = build_network("flatten", SHAPE, 2)
    network.lock = (each for each in ())  # type: ignore[assignment]
    with pytest.raises(UsageError, match="cannot be copied"):
        randomisation_test(made(network), noise(2), "saliency", draws=1)


CHECKS = tool_checks(lambda model, pixels: randomisation_test(model, pixels, "grad-cam", draws=1, steps=2))


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
def test_model_is_left_as_found(check: Check) -> None:
    check()
