"""Lengths of perturbations, and the balls that budgets are.

A perturbation is N×C×H×W in units of [0, 1]; its length is taken over all its C·H·W numbers.
"""

import math
from typing import Literal, TypeAlias

import torch
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


def length(perturbation: Tensor, norm: AnyNorm) -> Tensor:
    """The length of each, N; ``l0`` counts the pixels, all channels together, that differ at all."""
    if norm == "l0":
        return (perturbation != 0).any(1).flatten(1).sum(1).to(perturbation.dtype)
    flat = perturbation.flatten(1)
    if norm == "linf":
        return flat.abs().amax(1)
    return flat.norm(dim=1) if norm == "l2" else flat.abs().sum(1)


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """The direction of length 1 in which a function with this gradient grows most; 0 where the gradient is 0.

    In L1 that is the one number with the largest gradient.
    """
    if norm == "linf":
        return gradient.sign()
    if norm == "l2":
        return gradient / _per_picture(gradient.flatten(1).norm(dim=1), gradient).clamp(min=_TINY)
    flat = gradient.flatten(1)
    largest = flat.abs().argmax(1, keepdim=True)
    return torch.zeros_like(flat).scatter_(1, largest, flat.gather(1, largest).sign()).view_as(gradient)


def project(perturbation: Tensor, norm: Norm, eps: float | Tensor) -> Tensor:
    """The nearest perturbation, in L2, within the ball.

    :param eps: the radius, one for all or one for each, N.
    """
    radii = torch.as_tensor(eps, dtype=perturbation.dtype, device=perturbation.device).expand(len(perturbation))
    if norm == "linf":
        bound = _per_picture(radii, perturbation)
        return perturbation.clamp(-bound, bound)
    if norm == "l2":
        lengths = perturbation.flatten(1).norm(dim=1)
        return perturbation * _per_picture((radii / lengths.clamp(min=_TINY)).clamp(max=1), perturbation)
    return _onto_l1(perturbation.flatten(1), radii).view_as(perturbation)


def _onto_l1(flat: Tensor, radii: Tensor) -> Tensor:
    """By the sorted magnitudes, after Duchi et al., Efficient Projections onto the ℓ1-Ball (2008), figure 1."""
    magnitudes = flat.abs()
    ordered = magnitudes.sort(1, descending=True).values
    sums = ordered.cumsum(1) - radii[:, None]
    counts = torch.arange(1, flat.shape[1] + 1, device=flat.device)
    kept = (ordered * counts > sums).sum(1, keepdim=True).clamp(min=1)
    threshold = (sums.gather(1, kept - 1) / kept).clamp(min=0)
    shrunk = flat.sign() * (magnitudes - threshold).clamp(min=0)
    return torch.where((magnitudes.sum(1) <= radii)[:, None], flat, shrunk)


def within(pixels: Tensor, origin: Tensor, norm: Norm, eps: float | Tensor) -> Tensor:
    """Pictures brought into the ball around others and into [0, 1].

    Values clipped to [0, 1] move towards the original's, so the ball is not left again.
    """
    return (origin + project(pixels - origin, norm, eps)).clamp(0, 1)


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


def _per_picture(numbers: Tensor, like: Tensor) -> Tensor:
    return numbers.view(-1, *(1,) * (like.dim() - 1))
