"""Attributions beside Captum's, on networks of modules that it can follow."""

import warnings
from collections.abc import Callable

import captum.attr as captum
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cnnlab import explain
from cnnlab.models import Classifier
from tests.explain.networks import layered, pictures, wrapped

TARGETS = [0, 3, 1, 2, 2]


@pytest.fixture
def classifier() -> Classifier:
    return wrapped(layered())


def layer(classifier: Classifier, name: str) -> nn.Module:
    return classifier.network.get_submodule(name)


def enlarged(maps: Tensor) -> NDArray[np.float32]:
    return captum.LayerAttribution.interpolate(maps, (12, 12), "bilinear").detach().numpy()[:, 0]


def close(ours: NDArray[np.float32], theirs: Tensor | NDArray[np.float32]) -> None:
    wanted = theirs.detach().numpy() if isinstance(theirs, Tensor) else theirs
    assert np.abs(wanted).max() > 1e-3, "there is something to compare"
    np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


def test_saliency(classifier: Classifier) -> None:
    theirs = captum.Saliency(classifier).attribute(pictures().requires_grad_(), TARGETS, abs=False)
    close(explain.saliency(classifier, pictures(), TARGETS).values, theirs)


def test_gradient_times_input(classifier: Classifier) -> None:
    theirs = captum.InputXGradient(classifier).attribute(pictures().requires_grad_(), TARGETS)
    close(explain.gradient_times_input(classifier, pictures(), TARGETS).values, theirs)


@pytest.mark.parametrize("baseline", [0.0, 0.25, "mean", "pictures"])
def test_integrated_gradients(classifier: Classifier, baseline: object) -> None:
    other = pictures(10)[5:]
    base = {"mean": 0.4, "pictures": other}.get(baseline, baseline) if isinstance(baseline, str) else baseline
    method = captum.IntegratedGradients(classifier)
    theirs, gap = method.attribute(pictures(), base, TARGETS, n_steps=20, return_convergence_delta=True)
    given = other if baseline == "pictures" else baseline
    ours = explain.integrated_gradients(classifier, pictures(), TARGETS, steps=20, baseline=given)
    close(ours.values, theirs)
    np.testing.assert_allclose(ours.facts["completeness_gap"], gap, atol=1e-4)


def test_guided_backpropagation(classifier: Classifier) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        theirs = captum.GuidedBackprop(classifier).attribute(pictures().requires_grad_(), TARGETS)
    close(explain.guided_backpropagation(classifier, pictures(), TARGETS).values, theirs)


def test_deconvnet(classifier: Classifier) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        theirs = captum.Deconvolution(classifier).attribute(pictures().requires_grad_(), TARGETS)
    close(explain.deconvnet(classifier, pictures(), TARGETS).values, theirs)


def test_guided_channels_of_a_layer(classifier: Classifier) -> None:
    found = explain.guided_channels(classifier, pictures(), "conv3", [2, 7])
    for ours, channel in zip(found, (2, 7), strict=True):

        def strongest(maps: Tensor, channel: int = channel) -> Tensor:
            return maps[:, channel].amax((1, 2))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            method = captum.NeuronGuidedBackprop(classifier, layer(classifier, "conv3"))
            close(ours.values, method.attribute(pictures().requires_grad_(), strongest))


@pytest.mark.parametrize("name", ["relu3", "conv2", "bn1", "pool3"])
def test_grad_cam(classifier: Classifier, name: str) -> None:
    theirs = captum.LayerGradCam(classifier, layer(classifier, name)).attribute(pictures(), TARGETS)
    close(explain.grad_cam(classifier, pictures(), TARGETS, name).values, enlarged(theirs))


@pytest.mark.parametrize("name", ["relu3", "conv2"])
def test_hirescam_is_gradient_times_activation(classifier: Classifier, name: str) -> None:
    theirs = captum.LayerGradientXActivation(classifier, layer(classifier, name)).attribute(pictures(), TARGETS)
    close(explain.hirescam(classifier, pictures(), TARGETS, name).values, enlarged(theirs.sum(1, keepdim=True)))


def test_guided_grad_cam(classifier: Classifier) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        method = captum.GuidedGradCam(classifier, layer(classifier, "relu3"))
        theirs = method.attribute(pictures().requires_grad_(), TARGETS, interpolate_mode="bilinear")
    close(explain.guided_grad_cam(classifier, pictures(), TARGETS, "relu3").values, theirs)


@pytest.mark.parametrize(("size", "stride"), [((3, 3), (1, 1)), ((4, 4), (3, 3)), ((5, 3), (2, 3)), ((12, 12), (4, 4))])
def test_occlusion(classifier: Classifier, size: tuple[int, int], stride: tuple[int, int]) -> None:
    method = captum.Occlusion(classifier)
    theirs = method.attribute(pictures(), (3, *size), (3, *stride), baselines=0.4, target=TARGETS)
    ours = explain.occlusion(classifier, pictures(), TARGETS, size=size, stride=stride)
    close(ours.values, theirs[:, 0])


def test_ablation_cam_weighs_by_what_captum_loses(classifier: Classifier) -> None:
    module = layer(classifier, "relu3")
    with torch.no_grad():
        maps = captum.LayerActivation(classifier, module).attribute(pictures())
        method = captum.LayerFeatureAblation(classifier, module)
        channels = torch.arange(16).view(1, 16, 1, 1).expand(1, 16, *maps.shape[2:])
        losses = method.attribute(pictures(), target=TARGETS, layer_mask=channels)[:, :, 0, 0]
        scores = classifier(pictures())[range(5), TARGETS]
    weights = losses / scores.abs()[:, None]
    theirs = enlarged(torch.einsum("nk,nkhw->nhw", weights, maps)[:, None])
    close(explain.ablation_cam(classifier, pictures(), TARGETS, "relu3").values, theirs)


def test_smoothgrad_of_the_same_draws(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = torch.randn(4, 5, 3, 12, 12, generator=torch.Generator().manual_seed(1))

    def ours(self: object, batch: object, rows: Tensor, copies: Tensor) -> Tensor:
        return drawn[copies, rows]

    monkeypatch.setattr("cnnlab.explain.gradients.SmoothGrad.drawn", ours)
    images = pictures()
    spread = 0.2 * (images.amax((1, 2, 3)) - images.amin((1, 2, 3)))
    method = captum.Saliency(classifier)
    noisy = [images + spread.view(-1, 1, 1, 1) * noise for noise in drawn]
    each = [method.attribute(copy.requires_grad_(), TARGETS, abs=False) for copy in noisy]
    close(explain.smoothgrad(classifier, images, TARGETS, n=4, noise=0.2).values, torch.stack(each).mean(0))


@pytest.mark.parametrize("method", ["gradient-shap(n=100)", "gradient-shap(n=100, noise=0.01)"])
def test_gradient_shap_comes_to_what_captum_comes_to(classifier: Classifier, method: str) -> None:
    noise = 0.01 if "noise" in method else 0.0
    torch.manual_seed(0)
    shap: Callable[..., Tensor] = captum.GradientShap(classifier).attribute
    theirs = shap(pictures(), torch.zeros(1, 3, 12, 12), n_samples=100, stdevs=noise, target=TARGETS)
    ours = explain.attribute(classifier, pictures(), method, TARGETS).values
    together = np.corrcoef(ours.ravel(), theirs.detach().numpy().ravel())[0, 1]
    assert together > 0.95
