"""Attributions by the gradient of the score by the pixels: at the picture, around it, and on the way to it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core import seeds
from cnnlab.core.arguments import Count, NonNegative
from cnnlab.core.errors import UsageError
from cnnlab.core.spec import Call
from cnnlab.explain.attribution import ATTRIBUTIONS, Attribution, Method, Model, attribute, carried_out
from cnnlab.explain.baselines import GIVEN, Baseline, SaidBaseline, baseline_pixels, given_baseline
from cnnlab.explain.batches import Batch, in_passes


def pixel_gradient(batch: Batch, pixels: Tensor | None = None, rows: Tensor | None = None) -> Tensor:
    """The gradient of the score by the pixels, M×C×H×W.

    :param pixels: changed pictures, M×C×H×W, ``rows`` which of the batch each is made of; those of the batch unless
        given.
    """
    leaf = (batch.pixels if pixels is None else pixels).detach().requires_grad_()
    score = batch.settle(batch.model(leaf)) if pixels is None else batch.score(leaf, rows)
    if not score.requires_grad:
        raise UsageError("the score depends on the pixels in no way that can be differentiated.")
    (gradient,) = torch.autograd.grad(score.sum(), leaf)
    return gradient


@ATTRIBUTIONS.register("saliency")
class Saliency(Method):
    """The gradient of the score by the pixels (Simonyan et al. 2014, section 3.1)."""

    name = "saliency"
    is_one_pass = True
    scale = "magnitude"

    def explain(self, batch: Batch) -> Tensor:
        """N×C×H×W."""
        return pixel_gradient(batch)


@ATTRIBUTIONS.register("gradient-x-input")
class GradientTimesInput(Method):
    """The gradient of the score by the pixels, times these (Shrikumar et al. 2016, equation 3)."""

    name = "gradient-x-input"
    is_one_pass = True

    def explain(self, batch: Batch) -> Tensor:
        """N×C×H×W."""
        return pixel_gradient(batch) * batch.pixels


@ATTRIBUTIONS.register("smoothgrad")
class SmoothGrad(Method):
    """The mean gradient over noisy copies of a picture (Smilkov et al. 2017, section 3).

    :param n: copies of each picture.
    :param noise: standard deviation of the noise, as a share of what lies between a picture's least and largest pixel.
    :param seed: of the noise, which is a function of this and of a picture's place.
    """

    name = "smoothgrad"
    scale = "magnitude"

    def __init__(self, n: Count = 25, noise: NonNegative = 0.15, seed: int = 0) -> None:
        self.n, self.noise, self.seed = n, noise, seed

    def explain(self, batch: Batch) -> Tensor:
        """N×C×H×W; copies leave [0, 1] where the noise takes them."""
        flat = batch.pixels.flatten(1)
        spread = self.noise * (flat.amax(1) - flat.amin(1))[:, None, None, None]
        total = torch.zeros_like(batch.pixels)
        batch.chosen  # noqa: B018 (settled on the pictures as they are)
        for rows, copies in in_passes(len(batch), self.n, batch.most, batch.pixels.device):
            noise = self.drawn(batch, rows, copies)
            noisy = batch.pixels[rows] + spread[rows] * noise
            total.index_add_(0, rows, pixel_gradient(batch, noisy, rows))
        return total / self.n

    def drawn(self, batch: Batch, rows: Tensor, copies: Tensor) -> Tensor:
        """Noise of deviation 1 for some copies of some pictures, M×C×H×W."""
        places = zip(rows.tolist(), copies.tolist(), strict=True)
        return _normal(batch, [seeds.generator(self.seed, self.name, batch.start + row, copy) for row, copy in places])


@ATTRIBUTIONS.register("integrated-gradients")
class IntegratedGradients(Method):
    """The mean gradient on the straight way from a baseline to the picture, times the way (Sundararajan et al. 2017).

    Equation 1, its integral by Gauss and Legendre's rule. By the axiom of completeness the values of a picture add up
    to the score of the picture less that of the baseline; how far they miss is ``facts["completeness_gap"]``.

    :param steps: at which the gradient is taken.
    :param baseline: a number for all pixels, from 0 (black) to 1, or ``mean`` for the mean colour of the training.
    """

    name = "integrated-gradients"

    def __init__(self, steps: Count = 50, baseline: SaidBaseline = 0.0) -> None:
        self.steps = steps
        self.baseline: Baseline = baseline

    def explain(self, batch: Batch) -> Tensor:
        """N×C×H×W."""
        points, shares = np.polynomial.legendre.leggauss(self.steps)
        alphas, weights = (batch.pixels.new_tensor(each) / 2 for each in (points + 1, shares))
        base = baseline_pixels(batch, self.baseline)
        way, total = batch.pixels - base, torch.zeros_like(batch.pixels)
        batch.chosen  # noqa: B018 (settled on the pictures as they are)
        for rows, steps in in_passes(len(batch), self.steps, batch.most, batch.pixels.device):
            shape = (-1, 1, 1, 1)
            gradient = pixel_gradient(batch, base[rows] + alphas[steps].view(shape) * way[rows], rows)
            total.index_add_(0, rows, gradient * weights[steps].view(shape))
        values = total * way
        with torch.no_grad():
            change = batch.scores - batch.score(base)
        batch.facts |= {"completeness_gap": values.sum((1, 2, 3)) - change, "change_of_score": change}
        return values

    def notes(self, facts: Mapping[str, NDArray[np.float32]], scores: NDArray[np.float32]) -> list[str]:
        """The gap."""
        gap, change = (np.abs(facts[name]) for name in ("completeness_gap", "change_of_score"))
        worst = int(np.argmax(gap))
        share = f", {100 * gap[worst] / change[worst]:.2g}% of it" if change[worst] > 0 else ""
        said = f"the values add up to the change of the score within {gap[worst]:.2g}{share}"
        return [f"{said} (completeness gap, {self.steps} steps)"]


@ATTRIBUTIONS.register("gradient-shap")
class GradientShap(Method):
    """The mean gradient at random points on the ways from baselines to the picture, times the way (expected gradients).

    SHAP's gradient form (Lundberg and Lee 2017; Erion et al. 2021, equation 3): in expectation the values of a picture
    add up to its score less the mean score of the baselines.

    :param n: points for each picture.
    :param baseline: a number for all pixels, from 0 (black) to 1, or ``mean`` for the mean colour of the training; in
        Python also pictures, of which each point takes one.
    :param noise: standard deviation of noise on the picture, in units of [0, 1].
    :param seed: of what is drawn, which is a function of this and of a picture's place.
    """

    name = "gradient-shap"

    def __init__(self, n: Count = 50, baseline: SaidBaseline = 0.0, noise: NonNegative = 0.0, seed: int = 0) -> None:
        self.n, self.noise, self.seed = n, noise, seed
        self.baseline: Baseline = baseline

    def explain(self, batch: Batch) -> Tensor:
        """N×C×H×W."""
        choices = baseline_pixels(batch, self.baseline, for_each=False)
        total = torch.zeros_like(batch.pixels)
        batch.chosen  # noqa: B018 (settled on the pictures as they are)
        for rows, points in in_passes(len(batch), self.n, batch.most, batch.pixels.device):
            places = zip(rows.tolist(), points.tolist(), strict=True)
            drawn = [seeds.generator(self.seed, self.name, batch.start + row, point) for row, point in places]
            which = torch.cat([torch.randint(len(choices), (1,), generator=each) for each in drawn])
            alphas = torch.cat([torch.rand(1, generator=each) for each in drawn]).to(batch.pixels)
            base, shown = choices[which.to(rows.device)], batch.pixels[rows]
            if self.noise:
                shown = shown + self.noise * _normal(batch, drawn)
            way = shown - base
            gradient = pixel_gradient(batch, base + alphas[:, None, None, None] * way, rows)
            total.index_add_(0, rows, gradient * way)
        return total / self.n


def _normal(batch: Batch, generators: list[torch.Generator]) -> Tensor:
    shape = batch.pixels.shape[1:]
    return torch.stack([torch.randn(shape, generator=each) for each in generators]).to(batch.pixels)


def saliency(model: Model, images: Any, target: Any = None, **options: Any) -> Attribution:
    """The gradient of the score by the pixels, N×C×H×W (Simonyan et al. 2014, section 3.1).

    Arguments as of :func:`~cnnlab.explain.attribute`. Values are signed; maps are the largest magnitude over channels.
    """
    return attribute(model, images, Saliency.name, target, **options)


def gradient_times_input(model: Model, images: Any, target: Any = None, **options: Any) -> Attribution:
    """The gradient of the score by the pixels, times the pixels in [0, 1], N×C×H×W (Shrikumar et al. 2016, equation 3).

    Arguments as of :func:`~cnnlab.explain.attribute`.
    """
    return attribute(model, images, GradientTimesInput.name, target, **options)


def smoothgrad(
    model: Model,
    images: Any,
    target: Any = None,
    *,
    n: int = 25,
    noise: float = 0.15,
    seed: int = 0,
    **options: Any,
) -> Attribution:
    """The mean gradient over noisy copies of each picture, N×C×H×W (Smilkov et al. 2017, section 3).

    Other arguments as of :func:`~cnnlab.explain.attribute`.

    :param n: copies of each picture.
    :param noise: standard deviation of the noise, as a share of what lies between a picture's least and largest pixel.
    """
    return attribute(
        model, images, Call(SmoothGrad.name, (), {"n": n, "noise": noise, "seed": seed}), target, **options
    )


def integrated_gradients(
    model: Model, images: Any, target: Any = None, *, steps: int = 50, baseline: Any = 0.0, **options: Any
) -> Attribution:
    """The mean gradient on the way from a baseline to each picture, times the way, N×C×H×W (Sundararajan et al. 2017).

    The values of a picture add up to the score of the picture less that of the baseline, but for
    ``facts["completeness_gap"]``, which more steps make smaller. Other arguments as of
    :func:`~cnnlab.explain.attribute`.

    :param steps: at which the gradient is taken.
    :param baseline: a number from 0 (black) to 1, ``mean`` for the mean colour of the training, or a picture, or one
        for each.
    """
    return _from_baseline(IntegratedGradients, {"steps": steps}, baseline, model, images, target, options)


def gradient_shap(
    model: Model,
    images: Any,
    target: Any = None,
    *,
    n: int = 50,
    baseline: Any = 0.0,
    noise: float = 0.0,
    seed: int = 0,
    **options: Any,
) -> Attribution:
    """SHAP's gradient form, N×C×H×W (Lundberg and Lee 2017; Erion et al. 2021, equation 3).

    In expectation the values of a picture add up to its score less the mean score of the baselines. Other arguments as
    of :func:`~cnnlab.explain.attribute`.

    :param n: points for each picture.
    :param baseline: a number from 0 (black) to 1, ``mean`` for the mean colour of the training, or pictures, such as
        some of the training, of which each point takes one.
    :param noise: standard deviation of noise on the pictures, in units of [0, 1].
    """
    arguments = {"n": n, "noise": noise, "seed": seed}
    return _from_baseline(GradientShap, arguments, baseline, model, images, target, options)


def _from_baseline(
    kind: Any, arguments: dict[str, Any], baseline: Any, model: Model, images: Any, target: Any, options: dict[str, Any]
) -> Attribution:
    """With a baseline that a spec can say, or pictures in its place."""
    pictures = given_baseline(baseline)
    if pictures is None:
        return attribute(model, images, Call(kind.name, (), {**arguments, "baseline": baseline}), target, **options)
    bound = ATTRIBUTIONS.bind(Call(kind.name, (), arguments))
    method = kind(**{**bound.arguments, "baseline": pictures})
    spec = str(Call(kind.name, (), {**bound.arguments, "baseline": GIVEN}))
    return carried_out(method, spec, model, images, target, None, **options)
