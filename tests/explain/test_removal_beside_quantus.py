"""Deletion beside what Quantus 0.6.0 gives for the same network, pictures and maps.

Its numbers stand here, for it is no library of these tests. They are of

    PixelFlipping(features_in_step=6, normalise=False, abs=False, perturb_baseline=0.25)

called with ``softmax=True``; its curves begin after the first step.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from cnnlab.explain import Attribution, attribute, removal_curves
from cnnlab.models import Classifier, build_network

QUANTUS = [
    [0.0117630, 0.0710794, 0.3597546, 0.9745462, 0.9698314, 0.5429297],
    [0.8520604, 0.3606146, 0.0130972, 0.0049549, 0.0067390, 0.2556603],
    [0.0052951, 0.0157357, 0.5347223, 0.9898987, 0.9816006, 0.2014099],
]


def network() -> Classifier:
    """A convolution and a dense layer whose weights are sines."""
    built = build_network("conv(4, 3)|relu|flatten", (1, 6, 6), 3)
    with torch.no_grad():
        for place, weight in enumerate(built.parameters()):
            weight.copy_(torch.sin(3.0 * torch.arange(weight.numel()) + place).view_as(weight))
    return Classifier(built, (1, 6, 6), [0.0], [1.0], {"label": tuple("abc")}, "classes(column=label)", "own").eval()


def pictures() -> torch.Tensor:
    """Three, whose pixels are sines."""
    return (0.5 + 0.5 * torch.sin(7.0 * torch.arange(3 * 36))).view(3, 1, 6, 6)


def maps() -> NDArray[np.float32]:
    """A number for each pixel, none twice in a picture."""
    return np.cos(5.0 * np.arange(3 * 36, dtype=np.float32)).reshape(3, 6, 6)


def test_deletion_gives_the_curves_of_quantus() -> None:
    given: Attribution = replace(
        attribute(network(), pictures(), "saliency", [0, 1, 2]), values=maps(), method="planted", scale="signed"
    )
    found = removal_curves(network(), pictures(), given, steps=6, draws=0, deletion_baseline=0.25)
    np.testing.assert_allclose(found.scores["deletion"][:, 1:], QUANTUS, rtol=1e-4, atol=1e-6)
