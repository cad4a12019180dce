"""Class activation maps: the feature maps of a layer, added up by how much each matters to the score."""

from abc import abstractmethod
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.core.spec import Call
from cnnlab.explain.attribution import ATTRIBUTIONS, Attribution, Method, Model, attribute
from cnnlab.explain.baselines import SaidBaseline, baseline_pixels
from cnnlab.explain.batches import Batch
from cnnlab.explain.layers import Listener, Place, enlarged
from cnnlab.models import Classifier, evaluating
from cnnlab.models.chain import chain_of
from cnnlab.models.cutting import Cut, Remainder


def maps_and_gradients(batch: Batch) -> list[tuple[Tensor, Tensor]]:
    """Of each layer the maps A and the gradient of the score by them, both N×K×h×w.

    Autograd follows what comes after the layer, and nothing before it.
    """
    leaves: list[Tensor] = []

    def detached(output: Tensor) -> Tensor:
        leaves.append(output.detach().requires_grad_())
        # A copy, for what follows may work in place.
        return leaves[-1].clone()

    with Listener(batch.places, detached) as listener:
        score = batch.settle(batch.model(batch.pixels))
        listener.outputs  # noqa: B018 (refuses a layer that was not passed)
    found: list[tuple[Tensor, Tensor]] = []
    gradients = (
        torch.autograd.grad(score.sum(), leaves, allow_unused=True) if score.requires_grad else [None] * len(leaves)
    )
    for place, leaf, gradient in zip(batch.places, leaves, gradients, strict=True):
        if gradient is None:
            raise UsageError(f"the score depends on the layer {place.name} in no way that can be differentiated.")
        found.append((leaf.detach(), gradient))
    return found


def maps_of(batch: Batch) -> list[Tensor]:
    """What each layer puts out, N×K×h×w, without a gradient; what is explained is settled in the same pass."""
    found: list[Tensor] = []

    def kept(output: Tensor) -> Tensor:
        found.append(output)
        # A copy, for what follows may work in place.
        return output.clone()

    for place in batch.places:
        with torch.no_grad(), Listener([place], kept):
            outputs = place.classifier(batch.pixels)
        if place.classifier is batch.model:
            batch.settle(outputs)
    return found


class GradientCAM(Method):
    """A class activation map by gradients: subclasses say how maps and gradients become one."""

    has_layer = True
    is_one_pass = True
    scale = "positive"

    def explain(self, batch: Batch) -> Tensor:
        """N×H×W, the mean over the layers."""
        found = zip(batch.places, maps_and_gradients(batch), strict=True)
        maps = [enlarged(self.join(*pair)[:, None], place) for place, pair in found]
        return torch.stack(maps).mean(0)[:, 0]

    @abstractmethod
    def join(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """N×K×h×w both, to N×h×w, before what is below 0 is cut off."""


@ATTRIBUTIONS.register("grad-cam")
class GradCAM(GradientCAM):
    """Feature maps weighted by the mean of their gradients (Selvaraju et al. 2017, equations 1 and 2)."""

    name = "grad-cam"

    def join(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """Equation 2 before its ReLU."""
        return torch.einsum("nkhw,nk->nhw", maps, gradients.mean((2, 3)))


@ATTRIBUTIONS.register("grad-cam++")
class GradCAMPlusPlus(GradientCAM):
    """Grad-CAM whose places count by higher derivatives (Chattopadhay et al. 2018, equations 5, 12 and 19).

    With Y = exp(S) over a network of piecewise linear parts, equation 19 makes of the gradient g of S by the maps A
    α = g² / (2 g² + g³ Σ A), the sum over the places of a channel, and equation 5 the weight Σ α ReLU(∂Y/∂A) of a
    channel. Its factor exp(S), the same for all of a map, is left out.
    """

    name = "grad-cam++"

    def join(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """Equation 12 before its ReLU."""
        squares = gradients.square()
        below = 2 * squares + squares * gradients * maps.sum((2, 3), keepdim=True)
        shares = torch.where(below != 0, squares / below, torch.zeros_like(below))
        weights = (shares * gradients.clamp(min=0)).sum((2, 3))
        return torch.einsum("nkhw,nk->nhw", maps, weights)


@ATTRIBUTIONS.register("hirescam")
class HiResCAM(GradientCAM):
    """Feature maps times their gradients, place by place (Draelos and Carin 2020)."""

    name = "hirescam"

    def join(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """The sum over channels."""
        return (maps * gradients).sum(1)


@ATTRIBUTIONS.register("layer-cam")
class LayerCAM(GradientCAM):
    """Feature maps times what of their gradients is above 0, place by place (Jiang et al. 2021)."""

    name = "layer-cam"

    def join(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """Their sum over channels, before its ReLU."""
        return (maps * gradients.clamp(min=0)).sum(1)


@ATTRIBUTIONS.register("score-cam")
class ScoreCAM(Method):
    """Feature maps weighted by the score of the picture seen through each of them (Wang et al. 2020, algorithm 1).

    Channel A is enlarged and brought to [0, 1] as H = (A - min A) / (max A - min A); its increase of the score is
    C = f(X·H) - f(X_b), where X·H is the picture faded to the baseline X_b where H is 0. The map is Σ α A with α the
    softmax of C over the channels, as the algorithm has it, or C itself, as the equation before it. A channel that is
    the same everywhere has H = 0, for which the score is known.

    :param weights: ``softmax`` of the increases, or the ``increase`` itself.
    :param baseline: a number for all pixels, from 0 (black) to 1, or ``mean`` for the mean colour of the training,
        which is 0 for a network that sees normalised pictures.
    """

    name = "score-cam"
    needs_gradient = False
    has_layer = True
    scale = "positive"

    def __init__(self, weights: Literal["softmax", "increase"] = "softmax", baseline: SaidBaseline = "mean") -> None:
        self.weights, self.baseline = weights, baseline

    def explain(self, batch: Batch) -> Tensor:
        """N×H×W, the mean over the layers."""
        with torch.no_grad():
            found, maps = maps_of(batch), []
            base = baseline_pixels(batch, self.baseline)
            unseen = batch.score_quickly(base)
            for place, own in zip(batch.places, found, strict=True):
                increases = self.increases(batch, own, place, base, unseen)
                weights = increases.softmax(1) if self.weights == "softmax" else increases
                maps.append(enlarged(torch.einsum("nkhw,nk->nhw", own, weights)[:, None], place))
            return torch.stack(maps).mean(0)[:, 0]

    def increases(self, batch: Batch, maps: Tensor, place: Place, base: Tensor, unseen: Tensor) -> Tensor:
        """C for each channel of maps N×K×h×w, N×K."""
        found = maps.new_zeros(maps.shape[:2], dtype=unseen.dtype)
        flat = maps.flatten(2)
        varied = (flat.amax(2) > flat.amin(2)).nonzero()
        for rows, channels in (part.T for part in torch.split(varied, batch.most)):
            masks = enlarged(maps[rows, channels][:, None], place)
            least, largest = masks.amin((2, 3), keepdim=True), masks.amax((2, 3), keepdim=True)
            masks = masks.sub_(least).div_(largest - least)
            seen = torch.lerp(base[rows], batch.pixels[rows], masks)
            found[rows, channels] = batch.score_quickly(seen, rows) - unseen[rows]
        return found


@ATTRIBUTIONS.register("ablation-cam")
class AblationCAM(Method):
    """Feature maps weighted by what the score loses without each of them (Desai and Ramaswamy 2020).

    The weight of a channel is (y - y_k) / |y|, of the score y and that with the channel at 0; the paper divides by y,
    which would turn the map around where the score is negative.
    """

    name = "ablation-cam"
    needs_gradient = False
    has_layer = True
    scale = "positive"

    def explain(self, batch: Batch) -> Tensor:
        """N×H×W, the mean over the layers."""
        with torch.no_grad():
            maps = []
            for place, own in zip(batch.places, maps_of(batch), strict=True):
                score = batch.scores
                losses = self.losses(batch, own, place, score)
                weights = losses / score.abs().clamp(min=torch.finfo(score.dtype).tiny)[:, None]
                maps.append(enlarged(torch.einsum("nkhw,nk->nhw", own, weights)[:, None], place))
            return torch.stack(maps).mean(0)[:, 0]

    def losses(self, batch: Batch, maps: Tensor, place: Place, score: Tensor) -> Tensor:
        """What the score loses without each channel of maps N×K×h×w, N×K; nothing without one that is 0 anyway."""
        found = maps.new_zeros(maps.shape[:2], dtype=score.dtype)
        alive = (maps != 0).flatten(2).any(2).nonzero()
        rest = remainder_after(place) if place.classifier is batch.model else None
        for rows, channels in (part.T for part in torch.split(alive, batch.most)):
            without = maps[rows]
            without[torch.arange(len(rows)), channels] = 0
            if rest is not None:
                outputs = rest(without)
            else:
                with Listener([place], partial(_instead, without)):
                    outputs = batch.model(batch.pixels[rows])
            found[rows, channels] = score[rows] - batch.chosen.of(outputs, rows)
        return found


def _instead(maps: Tensor, output: Tensor) -> Tensor:
    return maps


def remainder_after(place: Place) -> Remainder | None:
    """The network after a layer, where it is a chain of layers of which this is one; None where it is not."""
    classifier = place.classifier
    if not isinstance(classifier, Classifier):
        return None
    with evaluating(classifier):
        for module in classifier.modules():
            # Nobody hears of the pass by which it is seen what follows what.
            module._forward_hooks.clear()
        links = chain_of(classifier.network, classifier.shape)
    last = next((number for number, link in enumerate(links) if link.module is place.module), None)
    return None if last is None else Remainder(classifier, Cut(links[: last + 1]))


def grad_cam(model: Model, images: Any, target: Any = None, layer: str | None = None, **options: Any) -> Attribution:
    """Grad-CAM (Selvaraju et al. 2017, equations 1 and 2), N×H×W.

    Arguments as of :func:`~cnnlab.explain.attribute`. Values are those before the equation's ReLU, enlarged bilinearly;
    what is shown is cut off at 0.
    """
    return attribute(model, images, GradCAM.name, target, layer, **options)


def grad_cam_plus_plus(
    model: Model, images: Any, target: Any = None, layer: str | None = None, **options: Any
) -> Attribution:
    """Grad-CAM++ (Chattopadhay et al. 2018, equations 5, 12 and 19), N×H×W; its factor exp(S) is left out.

    Arguments as of :func:`~cnnlab.explain.attribute`.
    """
    return attribute(model, images, GradCAMPlusPlus.name, target, layer, **options)


def hirescam(model: Model, images: Any, target: Any = None, layer: str | None = None, **options: Any) -> Attribution:
    """HiResCAM (Draelos and Carin 2020), N×H×W.

    Arguments as of :func:`~cnnlab.explain.attribute`.
    """
    return attribute(model, images, HiResCAM.name, target, layer, **options)


def layer_cam(model: Model, images: Any, target: Any = None, layer: str | None = None, **options: Any) -> Attribution:
    """Layer-CAM (Jiang et al. 2021), N×H×W.

    Arguments as of :func:`~cnnlab.explain.attribute`.
    """
    return attribute(model, images, LayerCAM.name, target, layer, **options)


def score_cam(
    model: Model,
    images: Any,
    target: Any = None,
    layer: str | None = None,
    *,
    weights: Literal["softmax", "increase"] = "softmax",
    baseline: float | Literal["mean"] = "mean",
    **options: Any,
) -> Attribution:
    """Score-CAM (Wang et al. 2020, algorithm 1), N×H×W; see :class:`ScoreCAM` for the equations.

    It needs no gradient, and a pass for each channel of each picture that is not the same everywhere. Other arguments
    as of :func:`~cnnlab.explain.attribute`.

    :param weights: ``softmax`` of the increases of the score over the channels, or the ``increase`` itself.
    :param baseline: what the picture fades to: a number from 0 (black) to 1, or ``mean`` for the mean colour of the
        training.
    """
    spec = Call(ScoreCAM.name, (), {"weights": weights, "baseline": baseline})
    return attribute(model, images, spec, target, layer, **options)


def ablation_cam(
    model: Model, images: Any, target: Any = None, layer: str | None = None, **options: Any
) -> Attribution:
    """Ablation-CAM (Desai and Ramaswamy 2020), N×H×W; see :class:`AblationCAM`.

    It needs no gradient, and a pass from the layer on for each channel. Arguments as of
    :func:`~cnnlab.explain.attribute`.
    """
    return attribute(model, images, AblationCAM.name, target, layer, **options)
