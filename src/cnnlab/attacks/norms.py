"""Lengths of perturbations, and the balls that budgets are.

A perturbation is N×C×H×W in units of [0, 1]; its length is taken over all its C·H·W numbers.
"""

import math
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.attacks.draws import Draws

Norm: TypeAlias = Literal["linf", "l2", "l1"]
AnyNorm: TypeAlias = Norm | Literal["l0"]
"""What lengths are measured in: also by how many pixels differ, which is no norm and has no steepest direction."""
DUALS: dict[Norm, Norm] = {"linf": "l1", "l2": "l2", "l1": "linf"}
"""A linear function grows over a step of length 1 by at most the length of its gradient in the dual norm."""
USUAL_BUDGETS: dict[Norm, float] = {"linf": 8 / 255, "l2": 0.5, "l1": 12.0}
"""Those of RobustBench and AutoAttack for photos of 32×32."""
WORDS: dict[str, str] = {"linf": "L∞", "l2": "L2", "l1": "L1", "l0": "L0"}
_TINY = 1e-12
_EDGE = 1e-6
"""A pixel so near to 0 or 1 is there, for sums are rounded."""
_LEAST = torch.finfo(torch.float32).tiny


def length(perturbation: Tensor, norm: AnyNorm) -> Tensor:
    """The length of each, N; ``l0`` counts the pixels, all channels together, that differ at all."""
    if norm == "l0":
        return (perturbation != 0).any(1).flatten(1).sum(1).to(perturbation.dtype)
    flat = perturbation.flatten(1)
    if norm == "linf":
        return flat.abs().amax(1)
    return flat.norm(dim=1) if norm == "l2" else flat.abs().sum(1)


def steepest(gradient: Tensor, norm: Norm, share: float | Tensor = 0.0) -> Tensor:
    """The direction of length 1 in which a function with this gradient grows most; 0 where the gradient is 0.

    :param share: in L1, of the numbers that are moved, those with the largest gradients, each as far as the others; at
        least one, which is the steepest direction by itself. One for all or one for each, N. Of a network more than
        one gain more, for no number goes beyond [0, 1] (Tramèr & Boneh 2019, section 3).
    """
    if norm == "linf":
        return gradient.sign()
    if norm == "l2":
        # Squares of the least gradients would be 0 in float32.
        scaled = gradient / _per_picture(gradient.flatten(1).abs().amax(1).clamp(min=_LEAST), gradient)
        return scaled / _per_picture(scaled.flatten(1).norm(dim=1).clamp(min=1), gradient)
    magnitudes = gradient.flatten(1).abs()
    count = magnitudes.shape[1]
    moved = (torch.as_tensor(share, device=gradient.device).expand(len(gradient)) * count).long().clamp(1, count)
    order = magnitudes.argsort(1, descending=True)
    places = torch.arange(count, device=gradient.device).expand_as(order)
    signs = torch.zeros_like(magnitudes).scatter_(1, order, (places < moved[:, None]).to(magnitudes.dtype))
    signs = (signs * gradient.flatten(1).sign()).view_as(gradient)
    return signs / _per_picture(signs.flatten(1).abs().sum(1).clamp(min=1), signs)


def movable(gradient: Tensor, pixels: Tensor) -> Tensor:
    """The gradient, and 0 where it leads out of [0, 1]."""
    return torch.where(torch.where(gradient > 0, pixels > 1 - _EDGE, pixels < _EDGE), 0.0, gradient)


def project(perturbation: Tensor, norm: Norm, eps: float | Tensor) -> Tensor:
    """The nearest perturbation, in L2, within the ball.

    :param eps: the radius, one for all or one for each, N.
    """
    radii = _radii(eps, perturbation)
    if norm == "linf":
        bound = _per_picture(radii, perturbation)
        return perturbation.clamp(-bound, bound)
    if norm == "l2":
        lengths = perturbation.flatten(1).norm(dim=1)
        return perturbation * _per_picture((radii / lengths.clamp(min=_TINY)).clamp(max=1), perturbation)
    return _onto_l1(perturbation.flatten(1), radii).view_as(perturbation)


def within(pixels: Tensor, origin: Tensor, norm: Norm, eps: float | Tensor) -> Tensor:
    """Pictures brought into the ball around others and into [0, 1].

    In L∞ and in L1 to the nearest that is in both. In L2 first into the ball: values clipped to [0, 1] move towards
    the original's, so the ball is not left again.
    """
    change = pixels - origin
    if norm != "l1":
        return (origin + project(change, norm, eps)).clamp(0, 1)
    room = torch.where(change > 0, 1 - origin, origin).flatten(1)
    return (origin + _onto_l1(change.flatten(1), _radii(eps, change), room).view_as(change)).clamp(0, 1)


def _onto_l1(flat: Tensor, radii: Tensor, room: Tensor | None = None) -> Tensor:
    """Every magnitude less a threshold, not below 0 nor beyond its room.

    That is the projection for one threshold, at which the length is the radius (Croce & Hein, Mind the Box, 2021,
    proposition 2.1; without bounds Duchi et al. 2008). As the threshold grows the length falls in straight lines, each
    number's from where it comes down to its room to where it is 0.
    """
    magnitudes = flat.abs()
    bounded = magnitudes if room is None else magnitudes.minimum(room)
    bends, order = torch.cat([magnitudes - bounded, magnitudes], 1).sort(1)
    falling = torch.where(order < flat.shape[1], 1.0, -1.0).cumsum(1)
    fallen = F.pad((falling[:, :-1] * bends.diff(dim=1)).cumsum(1), (1, 0))
    excess = bounded.sum(1, keepdim=True) - fallen - radii[:, None]
    last = ((excess > 0).sum(1, keepdim=True) - 1).clamp(min=0)
    threshold = bends.gather(1, last) + excess.gather(1, last) / falling.gather(1, last).clamp(min=1)
    shrunk = (magnitudes - threshold).clamp(min=0).minimum(bounded)
    # The sums above are of thousands of numbers, and their rounding is not to leave the ball.
    shrunk = shrunk * (radii / shrunk.sum(1).clamp(min=_TINY)).clamp(max=1)[:, None]
    return flat.sign() * torch.where((bounded.sum(1) <= radii)[:, None], bounded, shrunk)


def drawn_within(draws: Draws, like: Tensor, norm: Norm, eps: float) -> Tensor:
    """Perturbations drawn evenly from the ball, N×C×H×W."""
    shape, count = tuple(like.shape[1:]), math.prod(like.shape[1:])
    if norm == "linf":
        return eps * (2 * draws.uniform(*shape) - 1)
    radii = eps * draws.uniform(1, 1, 1) ** (1 / count)
    if norm == "l2":
        return radii * steepest(draws.normal(*shape), "l2")
    # Shares of exponentials are even on the simplex.
    shares = -torch.log1p(-draws.uniform(*shape))
    signs = 2.0 * draws.integers(2, *shape) - 1
    return radii * signs * shares / _per_picture(shares.flatten(1).sum(1), shares)


def _radii(eps: float | Tensor, like: Tensor) -> Tensor:
    return torch.as_tensor(eps, dtype=like.dtype, device=like.device).expand(len(like))


def _per_picture(numbers: Tensor, like: Tensor) -> Tensor:
    return numbers.view(-1, *(1,) * (like.dim() - 1))
