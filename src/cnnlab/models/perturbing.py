"""Pixels changed by adversaries before a classifier sees them: in training and in evaluation by the same rules."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from cnnlab.core.errors import UsageError
from cnnlab.core.seeds import SampleDraws, generator, scope
from cnnlab.models.inference import autocast, evaluating
from cnnlab.models.predictable import require_gradient
from cnnlab.models.shapes import format_shape
from cnnlab.objectives import Objective, Targets


class Perturbation(Protocol):
    """What is registered with :data:`cnnlab.core.hooks.perturbations`: changes pixels, N×C×H×W in [0, 1].

    One that never goes by the gradient has an attribute ``needs_gradient`` that is False, and is done to the pictures
    of a model without one, too. One that takes gradients by the pixels alone may say so by ``spares_weights``, and no
    work is done for those of the weights. What else it may have is for trainings: ``in_epoch(epoch)``, the perturbation
    of an epoch of their phase, counted from 0; ``watcher``, one of the same budget that they look at it by after each
    epoch, or None; and those of :class:`PairPerturbation`.
    """

    def __call__(
        self,
        classifier: Callable[[Tensor], Tensor],
        pixels: Tensor,
        encoded: Targets,
        objective: Objective,
        draws: SampleDraws,
    ) -> Tensor:
        """The pixels as changed, as many and of the same shape; what leaves [0, 1] is clipped.

        :param classifier: from pixels to outputs, in evaluation mode.
        :param encoded: the targets as the objective encodes them.
        :param draws: random numbers, a tensor for each picture.
        """
        ...


@runtime_checkable
class PairPerturbation(Perturbation, Protocol):
    """A perturbation of trainings whose loss is that of pictures as they are, and one of both together."""

    def check(self, objective: Objective) -> None:
        """Refuses an objective that it does not go with.

        :raises UsageError: saying why.
        """
        ...

    def pair_loss(self, before: Tensor, after: Tensor, objective: Objective) -> Tensor:
        """What is added to the loss of each picture, N.

        :param before, after: outputs N×K of the pictures as they are, and as changed.
        """
        ...


def perturbed(
    pixels: Tensor,
    encoded: Targets,
    perturbations: Sequence[Perturbation],
    classifier: nn.Module,
    objective: Objective,
    *,
    seed: int,
    index: Sequence[int],
    count: int | None = None,
    start: int = 0,
    precision: str = "float32",
    forward: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """The pixels as the perturbations change them one after another, float32 N×C×H×W in [0, 1].

    They see the classifier as it will be judged, with batch normalisation by running statistics, in the precision that
    is computed in, and leave it as it was found. What they draw is a function of the seed, of ``index`` and of a
    picture's place in the batch, however the batch is split.

    :param index: which batch it is, such as epoch and step.
    :param count: pictures of the whole batch, of which these are those from ``start`` on; these alone unless given.
    :param forward: the classifier in its compiled form.
    :raises UsageError: when a perturbation gives other than pixels of the same shape, or needs a gradient of a model
        that has none.
    """
    if any(getattr(perturbation, "needs_gradient", True) for perturbation in perturbations):
        require_gradient(classifier, "a perturbation goes by it")
    device, part = pixels.device, slice(start, start + len(pixels))
    for number, perturbation in enumerate(perturbations):
        place = (*index, number)
        draws = SampleDraws(generator(seed, "perturb", *place), count or len(pixels), part, device)
        # What takes no generator is seeded too, and takes nothing from what the forward pass draws.
        with (
            evaluating(classifier),
            torch.enable_grad(),
            autocast(device, precision),
            scope(seed, "perturb", *place, device=device),
        ):
            if getattr(perturbation, "spares_weights", False):
                classifier.requires_grad_(False)
            changed = perturbation(classifier if forward is None else forward, pixels, encoded, objective, draws)
        pixels = _checked(changed, pixels)
    return pixels


def _checked(changed: Tensor, pixels: Tensor) -> Tensor:
    if not isinstance(changed, Tensor) or changed.shape != pixels.shape:
        given = format_shape(tuple(changed.shape)) if isinstance(changed, Tensor) else type(changed).__name__
        raise UsageError(f"a perturbation must give pictures of {format_shape(tuple(pixels.shape))} and gave {given}.")
    return changed.detach().float().clamp(0, 1)
