"""Attributions without a gradient: parts of the picture are covered, and the score is looked at."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnlab.core import seeds
from cnnlab.core.arguments import Count, Fraction
from cnnlab.core.errors import UsageError
from cnnlab.core.spec import Call
from cnnlab.explain.attribution import ATTRIBUTIONS, Attribution, Method, Model, attribute, carried_out
from cnnlab.explain.baselines import GIVEN, Baseline, SaidBaseline, baseline_pixels, given_baseline
from cnnlab.explain.batches import Batch, in_passes

_SHARE = 4
"""A window is a quarter of the shorter side, unless it is told."""


@ATTRIBUTIONS.register("occlusion")
class Occlusion(Method):
    """What the score loses when a window is covered (Zeiler and Fergus 2014, section 4.2).

    A pixel's value is the mean over the windows that cover it; those at the right and lower edge are cut off there.

    :param size: of the window in pixels, or its height and width; a quarter of the shorter side unless given.
    :param stride: from one window to the next, down and across; half of its size unless given.
    :param baseline: what is put in its place: a number from 0 (black) to 1, or ``mean`` for the mean colour of the
        training.
    """

    name = "occlusion"
    needs_gradient = False

    def __init__(
        self,
        size: Count | tuple[Count, Count] | None = None,
        stride: Count | tuple[Count, Count] | None = None,
        baseline: SaidBaseline = "mean",
    ) -> None:
        self.size, self.stride = size, stride
        self.baseline: Baseline = baseline

    def windows(self, height: int, width: int) -> Tensor:
        """Which pixels each window covers, W×H×W."""
        size = _pair(self.size or max(1, min(height, width) // _SHARE))
        stride = _pair(self.stride) if self.stride else (max(1, size[0] // 2), max(1, size[1] // 2))
        if size[0] > height or size[1] > width:
            raise UsageError(f"a window of {size[0]}×{size[1]} is larger than pictures of {height}×{width}.")
        if stride[0] > size[0] or stride[1] > size[1]:
            raise UsageError(
                f"windows of {size[0]}×{size[1]} that are {stride[0]}×{stride[1]} apart leave pixels uncovered: a "
                "stride is at most the size."
            )
        spans = [_spans(*sides) for sides in zip((height, width), size, stride, strict=True)]
        return torch.einsum("ah,bw->abhw", *(each.float() for each in spans)).flatten(0, 1).bool()

    def explain(self, batch: Batch) -> Tensor:
        """N×H×W."""
        pixels, (count, _, height, width) = batch.pixels, batch.pixels.shape
        windows = self.windows(height, width).to(pixels.device)
        base = baseline_pixels(batch, self.baseline)
        losses = pixels.new_zeros(count, len(windows), dtype=torch.float32)
        with torch.no_grad():
            for rows, numbers in in_passes(count, len(windows), batch.most, pixels.device):
                covered = torch.where(windows[numbers][:, None], base[rows], pixels[rows])
                losses[rows, numbers] = batch.scores[rows] - batch.score_quickly(covered, rows)
        cover = windows.flatten(1).to(losses.dtype)
        return (losses @ cover / cover.sum(0)).view(count, height, width)


def _pair(sides: int | Sequence[int]) -> tuple[int, int]:
    return (sides, sides) if isinstance(sides, int) else (sides[0], sides[1])


def _spans(length: int, size: int, stride: int) -> Tensor:
    """Where windows lie along one axis, W×length."""
    starts = torch.arange(1 + math.ceil((length - size) / stride))[:, None] * stride
    places = torch.arange(length)
    return (places >= starts) & (places < starts + size)


@ATTRIBUTIONS.register("rise")
class RISE(Method):
    """The mean of random masks, each counted by the score of the picture seen through it (Petsiuk et al. 2018).

    Equation 6, with masks as of section 3.2: grids of 0 and 1, enlarged bilinearly and shifted by up to a cell.

    :param masks: how many; the same for every picture.
    :param cells: of the grid along each side.
    :param share: of cells that are seen.
    :param baseline: what is put in the place of what is not seen: a number from 0 (black) to 1, or ``mean`` for the
        mean colour of the training.
    :param seed: of the masks.
    """

    name = "rise"
    needs_gradient = False
    scale = "range"

    def __init__(
        self,
        masks: Count = 1000,
        cells: Count = 7,
        share: Fraction = 0.5,
        baseline: SaidBaseline = "mean",
        seed: int = 0,
    ) -> None:
        self.masks, self.cells, self.share, self.seed = masks, cells, share, seed
        self.baseline: Baseline = baseline
        if not 0 < share < 1:
            raise UsageError(f"share of rise is a number between 0 and 1, of which masks are made; got {share:g}.")

    def drawn(self, height: int, width: int, start: int, stop: int) -> Tensor:
        """The masks from ``start`` up to ``stop``, M×1×H×W."""
        grids = torch.rand(self.masks, 1, self.cells, self.cells, generator=seeds.generator(self.seed, "rise", 0))
        cell = (-(-height // self.cells), -(-width // self.cells))
        shifts = torch.rand(self.masks, 2, generator=seeds.generator(self.seed, "rise", 1))[start:stop]
        offsets = (shifts * torch.tensor(cell)).long().tolist()
        grids = (grids[start:stop] < self.share).float()
        size = [(self.cells + 1) * side for side in cell]
        large = F.interpolate(grids, size=size, mode="bilinear", align_corners=False)
        cut = (each[:, y : y + height, x : x + width] for each, (y, x) in zip(large, offsets, strict=True))
        return torch.stack(list(cut))

    def explain(self, batch: Batch) -> Tensor:
        """N×H×W."""
        pixels, (count, _, height, width) = batch.pixels, batch.pixels.shape
        base = baseline_pixels(batch, self.baseline)
        total = pixels.new_zeros(count, height * width, dtype=torch.float32)
        with torch.no_grad():
            batch.chosen  # noqa: B018 (settled on the pictures as they are)
            for rows, numbers in in_passes(count, self.masks, batch.most, pixels.device):
                first, last = int(numbers[0]), int(numbers[-1]) + 1
                masks = self.drawn(height, width, first, last).to(pixels)
                chosen = numbers - first
                seen = torch.lerp(base[rows], pixels[rows], masks[chosen])
                scores = pixels.new_zeros(count, last - first)
                scores[rows, chosen] = batch.score_quickly(seen, rows).to(scores)
                total += (scores @ masks.flatten(1)).float()
        return total.view(count, height, width) / (self.masks * self.share)


def occlusion(
    model: Model,
    images: Any,
    target: Any = None,
    *,
    size: int | tuple[int, int] | None = None,
    stride: int | tuple[int, int] | None = None,
    baseline: Any = "mean",
    **options: Any,
) -> Attribution:
    """What the score loses when a window is covered, N×H×W (Zeiler and Fergus 2014, section 4.2).

    It needs no gradient. Other arguments as of :func:`~cnnlab.explain.attribute`.

    :param size: of the window in pixels, or its height and width; a quarter of the shorter side unless given.
    :param stride: from one window to the next; half of its size unless given.
    :param baseline: what is put in its place: a number from 0 (black) to 1, ``mean`` for the mean colour of the
        training, or a picture, or one for each.
    """
    arguments = {"size": size, "stride": stride}
    pictures = given_baseline(baseline)
    if pictures is None:
        return attribute(model, images, Call(Occlusion.name, (), arguments | {"baseline": baseline}), target, **options)
    bound = ATTRIBUTIONS.bind(Call(Occlusion.name, (), arguments))
    method = Occlusion(**{**bound.arguments, "baseline": pictures})
    spec = str(Call(Occlusion.name, (), {**bound.arguments, "baseline": GIVEN}))
    return carried_out(method, spec, model, images, target, None, **options)


def rise(
    model: Model,
    images: Any,
    target: Any = None,
    *,
    masks: int = 1000,
    cells: int = 7,
    share: float = 0.5,
    baseline: float | Literal["mean"] = "mean",
    seed: int = 0,
    **options: Any,
) -> Attribution:
    """The mean of random masks, each counted by the score seen through it, N×H×W (Petsiuk et al. 2018, equation 6).

    It needs no gradient. Other arguments as of :func:`~cnnlab.explain.attribute`; the paper takes
    ``score="probability"``.

    :param masks: how many; the same for every picture.
    :param cells: of the grid along each side.
    :param share: of cells that are seen.
    :param baseline: what is put in the place of what is not seen: a number from 0 (black) to 1, or ``mean`` for the
        mean colour of the training.
    """
    arguments = {"masks": masks, "cells": cells, "share": share, "baseline": baseline, "seed": seed}
    return attribute(model, images, Call(RISE.name, (), arguments), target, **options)
