"""Pictures as points: which codes, which pictures, and what is told of them."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnnlab.core.errors import UsageError
from cnnlab.ensembles.classifier import EnsembleClassifier
from cnnlab.ensembles.combinations import WeightedMean
from cnnlab.evaluation import predictor_of
from cnnlab.explain import embed
from cnnlab.explain.embedding.codes import codes_of, last_dense
from cnnlab.models import Classifier, Predictable
from cnnlab.runs import Run
from cnnlab.testing import check_tool
from cnnlab.testing.model_tools import random_pixels, small_classifier

GREY = (1, 8, 8)


@pytest.mark.parametrize("layer", [None, "conv2", "outputs"])
def test_a_model_is_left_as_it_was_found(layer: str | None) -> None:
    def tool(classifier: Classifier, pixels: Tensor) -> object:
        found = embed(
            classifier, torch.cat([pixels, 1 - pixels, pixels**2, pixels.flip(3)]), layer=layer, method="pca", threads=1
        )
        return found.positions, found.quality.trustworthiness, found.space

    check_tool(tool)


def test_codes_are_by_default_what_the_last_dense_layer_is_given() -> None:
    classifier = small_classifier(GREY).eval()
    predictor, pixels = predictor_of(classifier), random_pixels(GREY, 5)
    with torch.no_grad():
        expected = classifier.network[:-1](classifier.normalised(pixels))
        outputs = classifier(pixels)
        conv = classifier.network[:1](classifier.normalised(pixels)).flatten(1)
    assert last_dense(classifier) == "head"
    found = codes_of(predictor, [pixels[:3], pixels[3:]])
    assert found.space == "inputs of head (96 numbers)"
    assert found.values == pytest.approx(expected.numpy(), abs=1e-6)
    assert codes_of(predictor, [pixels], "outputs").values == pytest.approx(outputs.numpy(), abs=1e-6)
    assert codes_of(predictor, [pixels], "conv1").values == pytest.approx(conv.numpy(), abs=1e-6)
    assert codes_of(None, [pixels], "pixels").values == pytest.approx(pixels.flatten(1).numpy())


def test_bytes_and_floats_are_the_same_pictures() -> None:
    whole = torch.randint(0, 256, (6, *GREY), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    first, second = (embed(None, images, layer="pixels", method="pca") for images in (whole, whole / 255))
    assert first.positions == pytest.approx(second.positions, abs=1e-5)
    assert (first.thumbnails == second.thumbnails).all() and (first.thumbnails == whole.numpy()).all()


def test_wrong_layers_pictures_and_models_are_refused_in_a_sentence() -> None:
    class Voters(Predictable):
        def forward(self, pixels: Tensor) -> Tensor:
            return pixels.flatten(1)

    voters = Voters()
    voters.shape, voters.classes, voters.objective = GREY, {"label": ("a", "b")}, "classes"
    pixels, classifier = random_pixels(GREY, 5), small_classifier(GREY)
    with pytest.raises(UsageError, match=r"no layer 'conv3'.*conv2"):
        embed(classifier, pixels, layer="conv3")
    with pytest.raises(UsageError, match=r"is no network and no ensemble of networks.*Take layer=outputs"):
        embed(voters, pixels)
    assert embed(voters, pixels, layer="outputs", method="pca").space == "raw outputs (64 numbers)"
    with pytest.raises(UsageError, match="at least 4 pictures; got 2"):
        embed(classifier, pixels[:2])
    with pytest.raises(UsageError, match="the same for every picture"):
        embed(None, torch.ones(6, *GREY), layer="pixels")
    with pytest.raises(UsageError, match="not finite"):
        embed(None, torch.full((6, *GREY), torch.nan), layer="pixels")
    with pytest.raises(UsageError, match="a model by itself has no pictures"):
        embed(classifier)
    with pytest.raises(UsageError, match="5 pictures and 3 labels"):
        embed(classifier, pixels, labels=[0, 1, 2])
    with pytest.raises(UsageError, match="none is named"):
        embed(None, pixels)


def ensemble() -> EnsembleClassifier:
    """Two members, the second with codes a hundred times as large."""
    members = [small_classifier(GREY).eval(), small_classifier(GREY).eval()]
    with torch.no_grad():
        for parameter in members[1].network.conv2.parameters():
            parameter.mul_(-100)
    return EnsembleClassifier(members, ["one", "other"], WeightedMean(weights=(1.0, 1.0))).eval()


def test_codes_of_an_ensemble_are_those_of_its_members_side_by_side_each_counting_alike() -> None:
    whole, pixels = ensemble(), random_pixels(GREY, 7)
    found = codes_of(predictor_of(whole), [pixels[:4], pixels[4:]])
    assert found.space == "inputs of head of 2 members (192 numbers)"
    own = [codes_of(predictor_of(member), [pixels]).values for member in whole.members]
    for place, codes in enumerate(own):
        block = found.values[:, 96 * place : 96 * (place + 1)]
        centred = codes - codes.mean(0)
        # The same but for place and scale, and of the same mean square as any other's.
        assert block == pytest.approx(centred / np.sqrt(np.square(centred).sum(1).mean()), abs=1e-5)
        assert np.square(block).sum(1).mean() == pytest.approx(1)
    assert embed(whole, pixels, method="pca").space == found.space


def test_a_layer_of_an_ensemble_is_that_of_each_member_or_of_the_one_that_is_named() -> None:
    whole, pixels = ensemble(), random_pixels(GREY, 5)
    assert codes_of(predictor_of(whole), [pixels], "conv1").space == "outputs of conv1 of 2 members (512 numbers)"
    one = codes_of(predictor_of(whole), [pixels], "members.1.network.conv2")
    assert one.space == "outputs of members.1.network.conv2 (96 numbers)"
    assert one.values == pytest.approx(codes_of(predictor_of(whole.members[1]), [pixels], "conv2").values, rel=1e-5)
    with pytest.raises(UsageError, match=r"no layer 'conv3'.*conv2"):
        embed(whole, pixels, layer="conv3")


def test_a_network_that_ends_in_no_dense_layer_is_asked_for_a_layer_by_name() -> None:
    network = nn.Sequential(OrderedDict(conv1=nn.Conv2d(1, 3, 8), flatten1=nn.Flatten()))
    classifier = Classifier(network, GREY, [0.5], [0.2], {"label": ("a", "b", "c")}, "classes", "module(all conv)")
    pixels = random_pixels(GREY, 5)
    with pytest.raises(UsageError, match=r"ends in no dense layer.*layer=NAME"):
        embed(classifier, pixels)
    assert embed(classifier, pixels, layer="conv1", method="pca").space == "outputs of conv1 (3 numbers)"


def test_of_a_run_its_own_test_pictures_are_taken_with_their_classes_and_what_was_predicted(kept: Run) -> None:
    found = embed(kept, most=100, method="pca", seed=3)
    stored = kept.predictions("test")
    places = [stored.ids.index(name) for name in found.ids]
    assert len(found) == 100 and places == sorted(places)
    assert found.of.startswith("100 of the 359 test pictures") and found.model == kept.name
    assert found.labels is not None and (found.labels == stored.targets["label"][places]).all()
    assert found.predicted is not None and (found.predicted == stored.outputs["label"][places].argmax(1)).all()
    assert found.names == tuple("0123456789") and found.thumbnails.shape == (100, 1, 8, 8)
    assert np.abs(found.positions.mean(0)).max() < 1e-9
    again, other = embed(kept, most=100, method="pca", seed=3), embed(kept, most=100, method="pca", seed=4)
    assert again.ids == found.ids and (again.positions == found.positions).all() and other.ids != found.ids
    with pytest.raises(UsageError, match=r"no split 'tset'.*test"):
        embed(kept, split="tset")
