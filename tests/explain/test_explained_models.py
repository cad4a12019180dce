"""Models of every kind: permuted, grey, in bfloat16, of several heads, ensembles, without a gradient."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnlab import explain
from cnnlab.core.errors import UsageError
from cnnlab.ensembles.classifier import EnsembleClassifier
from cnnlab.ensembles.combinations import Vote, WeightedMean
from cnnlab.explain import ATTRIBUTIONS
from cnnlab.models import Classifier
from cnnlab.models.classifier import pixel_permutation
from cnnlab.testing import linear_classifier, tiny_image, two_head_classifier
from tests.explain.networks import layered, pictures, wrapped

ATTRIBUTIONS.complete()
BY_GRADIENT = [entry.name for entry in ATTRIBUTIONS if entry.make.needs_gradient]  # type: ignore[attr-defined]
WITHOUT = [entry.name for entry in ATTRIBUTIONS if entry.name not in BY_GRADIENT]


@pytest.mark.parametrize("method", ["saliency", "grad-cam", "score-cam", "occlusion(size=1, stride=1)"])
def test_a_map_is_of_the_picture_as_it_is_given_and_not_as_it_is_permuted(method: str) -> None:
    plain = wrapped(layered())
    permuted = wrapped(layered(), permute=5)
    order = pixel_permutation(5, (3, 12, 12))
    # A picture whose permutation is the plain one.
    given = torch.empty(5, 3, 144)
    given[:, :, order] = pictures().flatten(2)
    wanted = explain.attribute(plain, pictures(), method, "owl").maps().reshape(5, 144)
    found = explain.attribute(permuted, given.reshape(5, 3, 12, 12), method, "owl").maps().reshape(5, 144)
    np.testing.assert_allclose(found[:, order.numpy()], wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("method", ["saliency", "grad-cam", "occlusion", "guided-backpropagation"])
def test_grey_pictures_and_weights_in_bfloat16_are_explained(method: str) -> None:
    shape = (1, 12, 12)
    exact = explain.attribute(wrapped(layered(shape), shape), pictures(3, shape), method, "owl").maps()
    short = wrapped(layered(shape), shape).to(torch.bfloat16)
    found = explain.attribute(short, pictures(3, shape), method, "owl")
    assert found.values.dtype == np.float32
    assert np.corrcoef(found.maps().ravel(), exact.ravel())[0, 1] > 0.9


def test_autocast_around_a_call_does_not_make_it_coarser() -> None:
    classifier = wrapped(layered())
    wanted = explain.saliency(classifier, pictures(), "owl").values
    with torch.autocast("cpu", torch.bfloat16):
        assert (explain.saliency(classifier, pictures(), "owl").values == wanted).all()


def test_several_heads_are_explained_by_name_and_the_first_unless_named() -> None:
    classifier, picture = two_head_classifier(), tiny_image()
    assert explain.saliency(classifier, picture, "side=left").values.ravel().tolist() == [4, 0, 0, 0]
    assert explain.saliency(classifier, picture, ("side", "right")).values.ravel().tolist() == [0, 0, 0, 2]
    assert explain.saliency(classifier, picture, "size").values.ravel().tolist() == [1, -1, 1, -1]
    unnamed = explain.saliency(classifier, picture)
    assert unnamed.target_names == ("side=right",)
    assert "first, side" in unnamed.notes[0]


def test_a_number_on_a_circle_is_explained_by_the_direction_that_is_predicted() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False))
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[3.0, 0, 0, 0], [0, 0, 0, 1.0]]))
    objective = "circular(period=12, column=hour)"
    classifier = Classifier(network, (1, 2, 2), [0.0], [1.0], {}, objective, "module(own)").eval()
    found = explain.saliency(classifier, tiny_image())
    # Sine 3/4 and cosine 1: the direction is (3/5, 4/5), along which the outputs reach 5/4.
    assert found.values.ravel() == pytest.approx([3 * 3 / 5, 0, 0, 4 / 5])
    assert found.scores[0] == pytest.approx(1.25)
    assert found.target_names == ("hour",)
    with pytest.raises(UsageError, match="predicted as a number"):
        explain.saliency(classifier, tiny_image(), 3)


def test_one_logit_for_two_classes_explains_the_first_by_its_negative() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    classes = {"label": ("cat", "dog")}
    classifier = Classifier(network, (1, 2, 2), [0.0], [1.0], classes, "binary(column=label)", "module(own)").eval()
    assert explain.saliency(classifier, tiny_image(), "dog").values.ravel().tolist() == [1, 2, 3, 4]
    assert explain.saliency(classifier, tiny_image(), "cat").values.ravel().tolist() == [-1, -2, -3, -4]
    assert explain.saliency(classifier, tiny_image()).target_names == ("dog",)


def test_each_picture_may_have_a_target_of_its_own() -> None:
    classifier, three = linear_classifier(), tiny_image().repeat(3, 1, 1, 1)
    found = explain.saliency(classifier, three, ["owl", 1, None])
    assert found.target_names == ("owl", "dog", "cat")
    assert found.targets.tolist() == [2, 1, 0]
    assert found.scores.tolist() == [2.75, 2.0, 3.75]
    assert found.values[1].ravel().tolist() == [1, -1, 3, 0]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("cot", "Did you mean cat"),
        (7, "classes 0 to 2, and no 7.*0 cat, 1 dog, 2 owl"),
        (["cat", "dog"], "2 for 1 pictures"),
        (1.5, "no class 1.5"),
    ],
)
def test_a_wrong_target_is_told_of_with_what_there_is(target: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        explain.saliency(linear_classifier(), tiny_image(), target)


def test_a_probability_is_explained_where_it_is_asked_for() -> None:
    classifier = linear_classifier()
    found = explain.occlusion(classifier, tiny_image(), "cat", size=1, stride=1, baseline=0.0, score="probability")
    with torch.no_grad():
        before = classifier(tiny_image()).softmax(1)[0, 0]
        without = tiny_image()
        without[0, 0, 1, 1] = 0
        after = classifier(without).softmax(1)[0, 0]
    assert found.values[0, 1, 1] == pytest.approx(float(before - after))
    with pytest.raises(UsageError, match="no probability"):
        explain.saliency(two_head_classifier(), tiny_image(), "size", score="probability")


def ensemble(combination: object) -> EnsembleClassifier:
    members = [wrapped(layered()), wrapped(layered())]
    with torch.no_grad():
        members[1].network.conv1.weight.mul_(-1)
    return EnsembleClassifier(members, ["first", "second"], combination).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("method", [*BY_GRADIENT, *WITHOUT])
def test_an_ensemble_is_explained_where_it_has_a_gradient(method: str) -> None:
    spec = {"rise": "rise(masks=8)", "smoothgrad": "smoothgrad(n=2)", "gradient-shap": "gradient-shap(n=2)"}
    found = explain.attribute(ensemble(WeightedMean(weights=(1.0, 2.0))), pictures(2), spec.get(method, method), "owl")
    assert np.isfinite(found.values).all()
    assert np.abs(found.values).max() > 0


@pytest.mark.parametrize("method", ["hirescam", "grad-cam", "layer-cam"])
def test_a_map_of_an_ensemble_is_the_mean_of_those_of_its_members(method: str) -> None:
    whole = ensemble(WeightedMean(weights=(1.0, 1.0), of="logits"))
    found = explain.attribute(whole, pictures(2), method, "owl", "relu2").values
    parts = [
        explain.attribute(whole, pictures(2), method, "owl", f"members.{number}.network.relu2").values
        for number in (0, 1)
    ]
    np.testing.assert_allclose(found, (parts[0] + parts[1]) / 2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", BY_GRADIENT)
def test_a_vote_is_refused_by_what_goes_by_the_gradient(method: str) -> None:
    with pytest.raises(UsageError, match=r"goes by the gradient.*one of the models"):
        explain.attribute(ensemble(Vote()), pictures(2), method)


@pytest.mark.parametrize("method", WITHOUT)
def test_a_vote_is_explained_without_a_gradient(method: str) -> None:
    spec = "rise(masks=8)" if method == "rise" else method
    assert np.isfinite(explain.attribute(ensemble(Vote()), pictures(2), spec, "owl").values).all()


def test_a_layer_that_the_score_does_not_depend_on_is_told_of() -> None:
    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused, self.last = nn.Conv2d(3, 2, 3), nn.Conv2d(3, 2, 3), nn.Linear(2, 4)

        def forward(self, input: torch.Tensor) -> torch.Tensor:
            self.unused(input)
            output: torch.Tensor = self.last(self.used(input).mean((2, 3)))
            return output

    with pytest.raises(UsageError, match="depends on the layer unused in no way"):
        explain.grad_cam(wrapped(Beside()), pictures(), layer="unused")


def test_an_activation_in_place_behind_a_layer_does_not_change_what_is_seen_of_it() -> None:
    def network(in_place: bool) -> nn.Sequential:
        made = layered()
        made.relu2 = nn.ReLU(inplace=in_place)
        return made

    for method in ("grad-cam", "hirescam", "score-cam", "ablation-cam"):
        apart = explain.attribute(wrapped(network(False)), pictures(), method, "owl", "conv2").values
        within = explain.attribute(wrapped(network(True)), pictures(), method, "owl", "conv2").values
        np.testing.assert_allclose(within, apart, rtol=1e-4, atol=1e-5 * np.abs(apart).max())
