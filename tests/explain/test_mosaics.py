"""Pointing on mosaics, with a network that knows each class by its channel."""

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.explain import mosaics, pointing
from cnnlab.explain.honesty.mosaics import quadrants
from cnnlab.models import Classifier, build_network
from cnnlab.testing import Check, tool_checks

NAMES = ("ant", "bee", "cat", "dog", "elk")


def by_channel() -> Classifier:
    """Each class is the mean of a channel of its own."""
    shape = (5, 6, 7)
    network = build_network("conv(5, 1)|relu|global_pool", shape, 5)
    with torch.no_grad():
        network.get_submodule("conv1").weight.copy_(torch.eye(5).view(5, 5, 1, 1))
        network.get_submodule("conv1").bias.zero_()
        network.get_submodule("head").weight.copy_(torch.eye(5))
        network.get_submodule("head").bias.zero_()
    classes = {"label": NAMES}
    return Classifier(network, shape, [0.0] * 5, [1.0] * 5, classes, "classes(column=label)", "module(own)").eval()


def pictures(labels: list[int]) -> Tensor:
    """Bright in the channel of the class, black in the others."""
    pixels = torch.zeros(len(labels), 5, 6, 7)
    for place, label in enumerate(labels):
        pixels[place, label] = 0.5 + 0.04 * place
    return pixels


LABELS = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]


def test_maps_of_a_network_that_knows_classes_by_colour_point_to_their_quadrants() -> None:
    tiles = mosaics(pictures(LABELS), LABELS)
    found = pointing(by_channel(), tiles, "gradient-x-input")
    np.testing.assert_allclose(found.shares, 1)
    assert found.hits.all()
    assert found.recognised.all()
    assert found.guessed == 0.8
    assert found.notes == ()
    assert found.gain.value == pytest.approx(0.75)


def test_grad_cam_of_the_last_map_does_so_too() -> None:
    assert pointing(by_channel(), mosaics(pictures(LABELS), LABELS), "grad-cam").share.value == pytest.approx(1)


def test_occlusion_points_to_its_quadrant() -> None:
    found = pointing(by_channel(), mosaics(pictures(LABELS), LABELS), "occlusion(size=1)")
    np.testing.assert_allclose(found.shares, 1, atol=1e-6)


@pytest.mark.parametrize("method", ["random", "edges"])
def test_map_that_is_the_same_for_every_class_has_exactly_a_quarter(method: str) -> None:
    found = pointing(by_channel(), mosaics(pictures(LABELS), LABELS), method)
    np.testing.assert_allclose(found.shares.mean(1), 0.25, rtol=1e-6)


def test_blank_maps_count_as_chance_and_are_told() -> None:
    tiles = mosaics(pictures(LABELS), LABELS)
    model = by_channel()
    with torch.no_grad():
        model.network.get_submodule("head").weight.neg_()  # type: ignore[union-attr]
    found = pointing(model, tiles, "grad-cam")
    np.testing.assert_array_equal(found.shares, 0.25)
    assert found.blank == 4 * len(tiles)
    assert "8 of 8 maps show nothing above 0" in found.notes[0]
    assert not found.hits.any()


def test_mosaic_is_four_pictures_shrunk_by_averaging() -> None:
    pixels = torch.arange(4 * 16, dtype=torch.float32).view(4, 1, 4, 4) / 64
    tiles = mosaics(pixels, ["a", "b", "c", "d"])
    for number, (top, left) in enumerate([(0, 0), (0, 2), (2, 0), (2, 2)]):
        own = pixels[int(tiles.sources[0, number]), 0]
        wanted = own.view(2, 2, 2, 2).mean((1, 3))
        torch.testing.assert_close(tiles.images[0, 0, top : top + 2, left : left + 2], wanted)
        assert tiles.targets[0][number] == "abcd"[int(tiles.sources[0, number])]


def test_no_picture_is_used_twice_and_four_classes_are_in_each() -> None:
    labels = [0] * 5 + [1] * 4 + [2] * 3 + [3] * 3 + [4] * 5
    tiles = mosaics(torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0)), labels, seed=4)
    assert len(tiles) == 5
    assert len(np.unique(tiles.sources)) == 20
    assert all(len(set(each)) == 4 for each in tiles.targets)
    assert len(mosaics(torch.zeros(20, 1, 4, 4), labels, most=2)) == 2


def test_network_that_does_not_know_the_pictures_again_is_told_of() -> None:
    model = by_channel()
    with torch.no_grad():
        model.network.get_submodule("head").weight.zero_()  # type: ignore[union-attr]
        model.network.get_submodule("head").bias.copy_(torch.arange(5.0))  # type: ignore[union-attr]
    labels = [0, 1, 2, 3] * 6
    found = pointing(model, mosaics(pictures(labels).clip(max=1), labels), "random")
    assert found.recognition.value == 0.75
    assert "in 75% of cases" in found.notes[0]


@pytest.mark.parametrize("size", [(2, 2), (5, 7), (28, 28)])
def test_quadrants_part_the_picture(size: tuple[int, int]) -> None:
    np.testing.assert_array_equal(quadrants(*size).sum(0), 1)


@pytest.mark.parametrize(
    ("labels", "said"), [([0, 1, 2, 2], "of 4 classes, and these are of 3"), ([0, 1, 2], "3 labels for 4 pictures")]
)
def test_mosaics_want_four_classes_and_a_label_each(labels: list[int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        mosaics(torch.zeros(4, 1, 4, 4), labels)


def pointed(model: Classifier, pixels: Tensor) -> object:
    # Three classes by four names, which are as good for what is to be left alone.
    return pointing(model, mosaics(pixels[:1].repeat(4, 1, 1, 1), [0, "cat", 1, 2]), "grad-cam")


CHECKS = tool_checks(pointed)


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
def test_pointing_leaves_the_model_as_found(check: Check) -> None:
    check()
