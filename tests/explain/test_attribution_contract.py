"""What every method of attribution holds to, whatever it computes."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnnlab import explain
from cnnlab.core.errors import UsageError
from cnnlab.explain import ATTRIBUTIONS, Attribution
from cnnlab.models import Classifier
from cnnlab.testing import conv_classifier, linear_classifier, tiny_image, tool_checks
from tests.explain.networks import layered, pictures, wrapped

ATTRIBUTIONS.complete()
FEW = {
    "gradient-shap": "gradient-shap(n=2)",
    "integrated-gradients": "integrated-gradients(steps=3)",
    "rise": "rise(masks=6)",
    "smoothgrad": "smoothgrad(n=2)",
}
METHODS = [FEW.get(entry.name, entry.name) for entry in ATTRIBUTIONS]
CAMS = [entry.name for entry in ATTRIBUTIONS if entry.make.has_layer]  # type: ignore[attr-defined]


def _tool(method: str) -> object:
    def tool(classifier: Classifier, pixels: Tensor) -> Attribution:
        return explain.attribute(classifier, pixels, method, "dog")

    tool.__name__ = method
    return tool


@pytest.mark.parametrize("method", METHODS)
def test_a_method_leaves_the_model_as_found_and_answers_alike(method: str) -> None:
    for check in tool_checks(_tool(method)):  # type: ignore[arg-type]
        check()


def test_channels_of_a_layer_leave_the_model_as_found() -> None:
    for check in tool_checks(lambda classifier, pixels: explain.guided_channels(classifier, pixels, "relu2", 2)):
        check()


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_target_layer_or_picture_leaves_the_model_as_found(method: str) -> None:
    classifier = wrapped(layered()).train()
    classifier.network.conv1.weight.requires_grad_(False)
    wrong: list[tuple[object, object, str | None]] = [
        (pictures(), "unicorn", None),
        (pictures()[:, :2], None, None),
        (pictures() * 3, None, None),
    ]
    if method in CAMS:
        wrong += [(pictures(), None, "conv9"), (pictures(), None, "dense1")]
    for images, target, layer in wrong:
        with pytest.raises(UsageError):
            explain.attribute(classifier, images, method, target, layer)
    assert all(module.training for module in classifier.modules())
    flags = [parameter.requires_grad for parameter in classifier.parameters()]
    assert flags == [name != "network.conv1.weight" for name, _ in classifier.named_parameters()]
    assert not any(module._forward_hooks for module in classifier.modules())


@pytest.mark.parametrize("method", METHODS)
def test_how_pictures_are_parted_into_batches_changes_nothing(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = wrapped(layered())
    whole = explain.attribute(classifier, pictures(), method)
    monkeypatch.setattr("cnnlab.explain.batches.at_once", lambda *given, **more: 2)
    parted = explain.attribute(classifier, pictures(), method)
    np.testing.assert_allclose(parted.values, whole.values, rtol=1e-3, atol=1e-5 * np.abs(whole.values).max())
    assert list(parted.targets) == list(whole.targets)
    assert parted.target_names == whole.target_names


@pytest.mark.parametrize("free", [1 << 20, 1 << 40])
def test_a_batch_takes_no_more_than_a_share_of_the_free_memory(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlab.explain.batches.free_memory", lambda: free)
    sizes: list[int] = []
    classifier = wrapped(layered())
    classifier.network.conv1.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    explain.saliency(classifier, pictures(40))
    # What the layers of one picture put out, with a gradient for each, in floats: the three blocks of maps, the rows.
    kept = 2 * 4 * (8 * 144 * 3 + 8 * 36 + 12 * 36 * 2 + 16 * 16 * 3 + 16 * 4 * 2 + 10 * 2 + 4)
    most = max(1, (free // 4) // kept)
    assert max(sizes) <= most
    assert max(sizes) == (40 if free > 1 << 30 else most)


def test_bytes_and_floats_of_one_picture_or_several_are_the_same_pictures() -> None:
    whole = (pictures(2) * 255).round().to(torch.uint8)
    classifier = wrapped(layered())
    given = [whole, whole.numpy(), whole.float() / 255, (whole.double() / 255).numpy()]
    values = [explain.saliency(classifier, images).values for images in given]
    alone = explain.saliency(classifier, whole[0])
    for other in values[1:]:
        np.testing.assert_allclose(other, values[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(alone.values, values[0][:1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 1, 12, 12), "N×3×12×12"),
        (torch.zeros(0, 3, 12, 12), "at least one"),
        (torch.full((1, 3, 12, 12), 2.0), "from 0 to 1"),
        (torch.full((1, 3, 12, 12), torch.nan), "from 0 to 1"),
        (torch.zeros(1, 3, 12, 12, dtype=torch.int64), "uint8"),
        ("photo.jpg", "arrays or tensors"),
    ],
)
def test_wrong_pictures_are_told_of_in_a_sentence(images: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        explain.saliency(wrapped(layered()), images)


@pytest.mark.parametrize(
    ("layer", "message"),
    [("conv9", "Did you mean conv"), ("dense1", r"puts out 10 for a picture.*last that has them is relu3")],
)
def test_a_wrong_layer_is_told_of_with_what_there_is(layer: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        explain.grad_cam(wrapped(layered()), pictures(), layer=layer)


def test_a_wrong_method_is_told_of_with_what_there_is() -> None:
    with pytest.raises(UsageError, match="grad-cam"):
        explain.attribute(wrapped(layered()), pictures(), "gradcam2")


def test_the_last_map_is_the_activation_after_the_last_convolution() -> None:
    assert explain.grad_cam(wrapped(layered()), pictures()).layer == "relu3"


def test_a_network_without_maps_is_refused_for_maps_and_explained_by_pixels() -> None:
    classifier = linear_classifier()
    with pytest.raises(UsageError, match=r"no feature maps.*integrated-gradients"):
        explain.grad_cam(classifier, tiny_image())
    assert explain.saliency(classifier, tiny_image()).values.shape == (1, 1, 2, 2)


def test_a_blank_map_says_so() -> None:
    found = explain.grad_cam(conv_classifier(), tiny_image(), "dog")
    assert (found.values < 0).all()
    assert (found.scaled() == 0).all()
    assert "no value above 0" in found.notes[0]


def test_a_constant_map_says_so() -> None:
    assert "constant" in explain.saliency(conv_classifier(), tiny_image(), "cat").notes[0]


def test_a_map_of_a_score_that_nothing_moves_is_blank_and_says_so() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(400, 4))
    with torch.no_grad():
        network[2].weight.zero_()
    for method in ("saliency", "occlusion", "grad-cam"):
        assert "blank" in explain.attribute(wrapped(network), pictures(2), method).notes[0]


def result(values: object, scale: object) -> Attribution:
    array = np.asarray(values, dtype=np.float32)
    return Attribution(array, "m", None, np.zeros(1, int), ("cat",), np.zeros(1, np.float32), scale)  # type: ignore[arg-type]


def test_values_are_shown_by_the_rule_that_is_stated() -> None:
    values = [[[-4.0, 0.0], [1.0, 2.0]]]
    assert result(values, "signed").scaled().tolist() == [[[-1.0, 0.0], [0.25, 0.5]]]
    assert result(values, "positive").scaled().tolist() == [[[0.0, 0.0], [0.5, 1.0]]]
    assert result(values, "range").scaled().tolist() == [[[0.0, np.float32(4 / 6)], [np.float32(5 / 6), 1.0]]]
    channels = [[[[-4.0, 0.0]], [[1.0, 2.0]]]]
    assert result(channels, "magnitude").maps().tolist() == [[[4.0, 2.0]]]
    assert result(channels, "signed").maps().tolist() == [[[-3.0, 2.0]]]
    assert result(channels, "magnitude").scaled().tolist() == [[[1.0, 0.5]]]
    assert result(values, "signed").low.tolist() == [-4.0]
    assert result(values, "signed").high.tolist() == [2.0]


def test_a_percentile_keeps_one_pixel_from_darkening_all_others() -> None:
    values = np.full((1, 10, 10), 1.0)
    values[0, 0, 0] = 100
    shown = result(values, "magnitude").scaled(percentile=95)
    assert (shown == 1).all()


@pytest.mark.parametrize("method", ["grad-cam", "guided-backpropagation", "saliency"])
def test_a_small_picture_passes_with_channels_first_and_many_with_channels_last_to_the_same_end(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[bool] = []
    classifier = wrapped(layered())
    classifier.network.conv1.register_forward_hook(
        lambda module, inputs, output: orders.append(inputs[0].is_contiguous())
    )
    quick = explain.attribute(classifier, pictures(1), method, 1).values
    assert all(orders)
    monkeypatch.setattr("cnnlab.explain.attribution.SMALL", 0)
    orders.clear()
    usual = explain.attribute(classifier, pictures(1), method, 1).values
    assert not any(orders)
    np.testing.assert_allclose(quick, usual, rtol=1e-4, atol=1e-5 * np.abs(usual).max())
