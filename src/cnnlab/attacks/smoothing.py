"""Randomised smoothing: what a model says most often of a noisy picture, and how far that is certain to hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cnnlab.attacks.adversarial import Row
from cnnlab.attacks.draws import PictureDraws
from cnnlab.attacks.perturbed import Attacked, Victim, opened, read_labels, victim
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import track
from cnnlab.evaluation import Interval, wilson
from cnnlab.models import batch_for, given_pixels, on_device

ABSTAINS = -1
_MOST_AT_ONCE = 500
_NORMAL = NormalDist()


@dataclass(frozen=True, eq=False)
class Smoothed:
    """What a smoothed model says of N pictures, and within which distance in L2 it says it of every picture.

    The smoothed model says what the model says most often of a picture with normal noise on every number of it. With a
    probability of 1 − ``alpha``, for each picture by itself, no change of up to ``radii`` in L2 changes that answer
    (Cohen et al. 2019, theorem 1). It holds for pictures in floats; what is rounded to 8 bits has moved already.

    :param classes: names of the classes.
    :param labels: the right classes.
    :param predicted: the classes; −1 where the smoothed model abstains, for noise decides too often.
    :param radii: in units of [0, 1]; 0 where it abstains.
    :param votes: how many of the ``n`` draws were of the class in question; ``candidates`` that class.
    :param least: the lower bound, at a confidence of 1 − ``alpha``, of that class's probability under noise.
    :param sigma: the deviation of the noise, in units of [0, 1].
    """

    classes: tuple[str, ...]
    labels: Row
    predicted: Row
    radii: NDArray[np.float64]
    candidates: Row
    votes: Row
    least: NDArray[np.float64]
    sigma: float
    n0: int
    n: int
    alpha: float
    seed: int

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Which pictures the smoothed model is right about, without abstaining."""
        right: NDArray[np.bool_] = self.predicted == self.labels
        return right

    @property
    def abstained(self) -> float:
        """The share of pictures at which it abstains."""
        return float((self.predicted == ABSTAINS).mean())

    @property
    def accuracy(self) -> float:
        """The share that it is right about."""
        return self.certified_accuracy(0.0)

    @property
    def largest_radius(self) -> float:
        """What any picture can come to with so many draws: when all agree."""
        return self.sigma * _NORMAL.inv_cdf(self.alpha ** (1 / self.n))

    def certified_accuracy(self, radius: float) -> float:
        """The share that it is right about whatever is changed by up to a radius in L2."""
        return float((self.right & (self.radii >= radius)).mean())

    def interval(self, radius: float) -> Interval | None:
        """Of the certified accuracy, over pictures: Wilson's, 95%."""
        return wilson(int((self.right & (self.radii >= radius)).sum()), len(self))

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain JSON, with the certified accuracy at quarters of the largest radius."""
        steps = [self.largest_radius * quarter / 4 for quarter in range(5)]
        return {
            "sigma": self.sigma,
            "pictures": len(self),
            "draws": self.n,
            "confidence": 1 - self.alpha,
            "accuracy": self.accuracy,
            "abstained": self.abstained,
            "median_radius": float(np.median(self.radii[self.right])) if self.right.any() else None,
            "largest_radius": self.largest_radius,
            "certified_accuracy": [
                {
                    "radius": radius,
                    "accuracy": self.certified_accuracy(radius),
                    "interval": None if (found := self.interval(radius)) is None else found.to_dict(),
                }
                for radius in steps
            ],
        }

    def __repr__(self) -> str:
        return (
            f"Smoothed(sigma={self.sigma:g}: {len(self)} pictures, accuracy {self.accuracy:.4f}, "
            f"abstains at {self.abstained:.4f})"
        )


def smoothed(
    model: Attacked,
    images: Any,
    labels: Any,
    sigma: float = 0.25,
    *,
    n0: int = 100,
    n: int = 1000,
    alpha: float = 0.001,
    column: str | None = None,
    seed: int = 0,
    pictures: Sequence[int] | None = None,
    device: str | None = None,
) -> Smoothed:
    """What a model says of pictures under noise, and the distance within which that is certain (Cohen et al. 2019).

    Some draws choose a class, others bound its probability from below, by Clopper and Pearson; the noise of a picture
    depends on the seed and on ``pictures`` alone. No gradient is needed, so any model that predicts classes will do.
    A model that was not trained on such noise abstains often.

    :param model: a run, a model by itself, or the name of either.
    :param images: N×C×H×W or C×H×W of the model's own shape, uint8 or float in [0, 1], tensor or array.
    :param labels: the right class of each, by its name or number.
    :param sigma: the deviation of the noise, in units of [0, 1]; it is not clipped.
    :param n0: draws by which a class is chosen.
    :param n: draws by which its probability is bounded.
    :param alpha: how likely the answer for a picture may be wrong, between 0 and 1.
    :param column: of several heads with classes, which is asked; the first unless given.
    :param pictures: a number for each, by which noise is drawn; their places unless given.
    :param device: another device than the model's own.
    :raises UsageError: for a deviation, count or level that cannot be, and as of :func:`cnnlab.attacks.perturb`.
    """
    if not sigma > 0 or n0 < 1 or n < 1 or not 0 < alpha < 1:
        raise UsageError(
            f"smoothing takes sigma above 0, at least 1 draw for n0 and n, and alpha between 0 and 1; got "
            f"sigma={sigma:g}, n0={n0}, n={n}, alpha={alpha:g}."
        )
    predictor = opened(model, device)
    pixels = given_pixels(images, predictor.classifier.shape)
    numbers = list(range(len(pixels))) if pictures is None else list(pictures)
    with victim(predictor, column) as placed:
        right = read_labels(labels, placed.head, len(pixels), predictor.device).cpu().numpy()
        said = []
        for place in track(range(len(pixels)), "smoothing", len(pixels)):
            draws = PictureDraws(seed, [numbers[place]], predictor.device)
            said.append(_counts(placed, pixels[place], draws, sigma, (n0, n)))
    choosing, bounding = np.stack(said, 1)
    candidates = choosing.argmax(1)
    votes = bounding[np.arange(len(bounding)), candidates]
    predicted, radii, least = _certain(candidates, votes, sigma, n, alpha)
    classes = placed.head.names
    return Smoothed(classes, right, predicted, radii, candidates, votes, least, sigma, n0, n, alpha, seed)


def _certain(
    candidates: Row, votes: Row, sigma: float, n: int, alpha: float
) -> tuple[Row, NDArray[np.float64], NDArray[np.float64]]:
    """What is predicted, within which radius, and the bound of the probability that it follows from, each N.

    A class that is said with a probability of over a half is the one said most often, and by the theorem stays so
    within the deviation times the quantile of that probability.
    """
    least = clopper_pearson_low(votes, n, alpha)
    is_sure = least > 0.5
    quantiles = np.array([_NORMAL.inv_cdf(each) if each > 0.5 else 0.0 for each in least])
    return np.where(is_sure, candidates, ABSTAINS), sigma * quantiles, least


def clopper_pearson_low(successes: NDArray[np.int64], n: int, alpha: float) -> NDArray[np.float64]:
    """The lower bound, at a confidence of 1 − ``alpha``, of probabilities of which there were successes in n draws."""
    from scipy.stats import beta

    some = np.maximum(successes, 1)
    low: NDArray[np.float64] = np.where(successes > 0, beta.ppf(alpha, some, n - some + 1), 0.0)
    return low


def _counts(placed: Victim, picture: torch.Tensor, draws: PictureDraws, sigma: float, sizes: Sequence[int]) -> Row:
    """How often each class is said of a noisy picture, S×K, for S counts of draws."""
    pixels = on_device(picture[None], placed.model)
    # Of the shape alone, so that the same is drawn wherever it is computed.
    at_once = batch_for(placed.model.shape, _MOST_AT_ONCE)
    rows = []
    for size in sizes:
        row = np.zeros(len(placed.head.names), dtype=np.int64)
        for start in range(0, size, at_once):
            noise = draws.normal(min(at_once, size - start), *pixels.shape[1:])[0].to(pixels.dtype)
            with torch.no_grad():
                said = placed.logits(pixels + sigma * noise).argmax(1)
            row += np.bincount(said.cpu().numpy(), minlength=len(row))
        rows.append(row)
    return np.stack(rows)
