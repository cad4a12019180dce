"""Operations that make one picture of two, and blend their targets alike."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

import numpy as np
import torch
from torch import Generator, Tensor

from cnnlab.augment.catalogue import augmentations
from cnnlab.augment.operation import Info, MixingOperation, Parameters, SoftTargets
from cnnlab.augment.pasting import boxes, paste
from cnnlab.augment.resampling import as_float
from cnnlab.augment.sampling import noise_seed, uniform
from cnnlab.core.arguments import Range

Alpha: TypeAlias = Annotated[float, Range(0, 100, open_low=True)]


@augmentations.register("mixup")
@dataclass(frozen=True)
class Mixup(MixingOperation):
    """Blends each picture with another of the batch, and its targets in the same shares.

    The share λ of the picture itself is from Beta(``alpha``, ``alpha``), for each picture on its own; who is blended
    with whom is a random permutation of the batch.

    Source: H. Zhang, M. Cisse, Y. Dauphin and D. Lopez-Paz, "mixup: beyond empirical risk minimization", 2018,
    section 2, where one λ serves a whole batch.
    """

    alpha: Alpha = 0.2

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws partners and shares."""
        partner = torch.randperm(info.count, generator=generator)
        return {"partner": partner, "share": _shares(generator, self.alpha, self.p, info.count)}

    def apply(self, images: Tensor, targets: SoftTargets, parameters: Parameters) -> tuple[Tensor, SoftTargets]:
        """Blends."""
        pixels, partner, share = as_float(images), parameters["partner"], parameters["share"]
        mixed = torch.lerp(pixels.index_select(0, partner), pixels, share[:, None, None, None])
        return mixed, blend(targets, partner, share)


@augmentations.register("cutmix")
@dataclass(frozen=True)
class Cutmix(MixingOperation):
    """Pastes a rectangle of another picture of the batch into each, and blends targets by the areas.

    The share λ of the area that stays is from Beta(``alpha``, ``alpha``), for each picture on its own; the rectangle
    has the picture's proportions and its centre anywhere. Where it is cut off at the border, λ is what really stays.

    Source: S. Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features",
    2019, section 3.2, where one rectangle serves a whole batch.
    """

    alpha: Alpha = 1.0

    def draw(self, generator: Generator, info: Info) -> Parameters:
        """Draws partners, rectangles and with them the shares."""
        _, height, width = info.shape
        partner = torch.randperm(info.count, generator=generator)
        side = (1 - _shares(generator, self.alpha, self.p, info.count)).sqrt()
        place = uniform(generator, 0, 1, 2, info.count)
        top, bottom = _interval(place[0], side, height)
        left, right = _interval(place[1], side, width)
        share = 1 - (bottom - top) * (right - left) / (height * width)
        return {"partner": partner, "box": torch.stack([top, bottom, left, right], 1).int(), "share": share}

    def apply(self, images: Tensor, targets: SoftTargets, parameters: Parameters) -> tuple[Tensor, SoftTargets]:
        """Pastes and blends."""
        partner = parameters["partner"]
        inside = boxes(parameters["box"], *images.shape[-2:])
        return paste(images, images.index_select(0, partner), inside), blend(targets, partner, parameters["share"])


def blend(targets: SoftTargets, partner: Tensor, share: Tensor) -> SoftTargets:
    """Each row ``share`` of itself and the rest of its partner's."""
    return {name: torch.lerp(rows[partner], rows, share[:, None].to(rows.dtype)) for name, rows in targets.items()}


def _shares(generator: Generator, alpha: float, p: float, count: int) -> Tensor:
    """λ from Beta(alpha, alpha) for those chosen, 1 for the others."""
    is_chosen = torch.rand(count, generator=generator) < p
    drawn = np.random.default_rng(noise_seed(generator)).beta(alpha, alpha, count)
    return torch.where(is_chosen, torch.from_numpy(drawn), 1)


def _interval(place: Tensor, side: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """First pixel and the one after the last, of an interval of a share ``side`` of ``size`` around a place."""
    length = (side * size).round()
    start = (place * size).floor() - (length / 2).floor()
    return start.clamp(0, size), (start + length).clamp(0, size)
