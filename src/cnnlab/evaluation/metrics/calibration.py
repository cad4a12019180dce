"""Whether a classifier is right as often as it says: calibration, and proper scores of its probabilities."""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from cnnlab.core.displays import html_table
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.evaluation.intervals import LEVEL, Interval
from cnnlab.evaluation.metrics.class_probabilities import Array, ClassPredictions, class_predictions
from cnnlab.runs import Predictions

if TYPE_CHECKING:
    import pandas as pd

Binning: TypeAlias = Literal["width", "mass"]
BINS = 15


@dataclass(frozen=True)
class Bin:
    """Pictures predicted with a confidence above ``low`` and up to ``high``.

    :param confidence: their mean; ``accuracy`` the share that was right. NaN in an empty bin.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """How confidence compares with accuracy.

    :param bins: by confidence, of the class predicted; together they are the reliability diagram.
    :param ece: expected calibration error, the mean distance between a bin's confidence and its accuracy, weighted by
        its pictures (Guo and others, On Calibration of Modern Neural Networks, 2017); ``mce`` the largest of them.
    :param brier: Brier score (1950) over all classes, the mean squared distance from the one-hot target: 0 to 2.
    :param nll: negative log-likelihood of the right class, in nats: the loss of a softmax classifier.
    :param confidence: mean over all pictures; above ``accuracy``, the classifier is overconfident.
    """

    bins: tuple[Bin, ...]
    ece: float
    mce: float
    brier: float
    nll: float
    accuracy: float
    confidence: float
    n: int

    def frame(self) -> "pd.DataFrame":
        """The reliability diagram as a table, a row a bin."""
        import pandas as pd

        return pd.DataFrame([asdict(bin_) for bin_ in self.bins])

    def _repr_html_(self) -> str:
        rows = [(bin_.low, bin_.high, bin_.n, bin_.confidence, bin_.accuracy) for bin_ in self.bins]
        return html_table(("above", "up to", "pictures", "mean confidence", "accuracy"), rows, most=100)

    def __repr__(self) -> str:
        return f"Calibration({self.n:,} pictures, expected calibration error {self.ece:.4f})"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        return {**asdict(self), "bins": [asdict(bin_) for bin_ in self.bins]}


def calibration(
    predictions: Predictions | ClassPredictions,
    column: str | None = None,
    *,
    bins: int = BINS,
    binning: Binning = "width",
) -> Calibration:
    """Calibration of the class predicted, and the scores of all probabilities.

    :param binning: bins of equal ``width`` over confidences from 0 to 1, or of equal ``mass``: as many pictures in
        each, which shows more where most confidences are near 1.
    :raises UsageError: when there are no targets, or fewer than one bin.
    """
    if binning not in get_args(Binning):
        raise UsageError(f"there is no binning {binning!r}. {suggestion(binning, get_args(Binning))}")
    if bins < 1:
        raise UsageError(f"confidences go into one bin or more, not {bins}.")
    classes = class_predictions(predictions, column)
    parts = _by_width(classes.confidence, bins) if binning == "width" else _by_mass(classes.confidence, bins)
    filled = [part for part in parts if part[2].any()]
    gaps = [abs(float((classes.right[members] - classes.confidence[members]).mean())) for _, _, members in filled]
    sizes = [int(members.sum()) for _, _, members in filled]
    of_right = classes.probabilities[np.arange(len(classes)), classes.labels]
    with np.errstate(divide="ignore"):
        nll = float(-np.log(of_right).mean())
    return Calibration(
        bins=tuple(_bin(classes, *part) for part in parts),
        ece=float(np.average(gaps, weights=sizes)),
        mce=max(gaps),
        brier=float(((classes.probabilities**2).sum(axis=1) - 2 * of_right + 1).mean()),
        nll=nll,
        accuracy=float(classes.right.mean()),
        confidence=float(classes.confidence.mean()),
        n=len(classes),
    )


@dataclass(frozen=True)
class CalibrationErrorInterval:
    """How sure an expected calibration error is.

    :param interval: of the error in these bins over other pictures like these, for this very classifier.
    :param by_chance: the error that a perfectly calibrated classifier as confident as this one would show on as many
        pictures, on average. The error measured is too large by so much at the most, and the less the larger it is.
    """

    ece: float
    interval: Interval
    by_chance: float


def calibration_error_interval(
    predictions: Predictions | ClassPredictions,
    column: str | None = None,
    *,
    bins: int = BINS,
    binning: Binning = "width",
    level: float = LEVEL,
    repeats: int = 1,
    resamples: int = 1000,
) -> CalibrationErrorInterval:
    """An interval of the expected calibration error, by resampling pictures.

    In every bin chance adds to the distance between confidence and accuracy, whichever side it falls to, so the error
    measured is too large, and that of a bootstrap sample more so: its percentiles miss the true error nearly always
    where calibration is good. Here the upper end is turned about the error measured, which takes the excess off (the
    basic bootstrap). The lower end is the error less what chance alone makes of perfect calibration, right and wrong
    drawn by the confidences themselves: it is 0 where the classifier may be perfectly calibrated, and is cautious
    elsewhere. Coverage by simulation is in ``benchmarks/results``.

    :param repeats: how many classifiers' predictions of the same pictures stand one after another; pictures are drawn
        with the predictions of all of them.
    :param resamples: drawn with fixed seeds, so that equal calls give equal numbers.
    :raises UsageError: when the predictions are not as many of each of the repeats.
    """
    classes = class_predictions(predictions, column)
    if repeats < 1 or len(classes) % repeats:
        raise UsageError(f"{len(classes)} predictions are not of {repeats} classifiers on the same pictures.")
    images = len(classes) // repeats
    found = calibration(classes, bins=bins, binning=binning)
    edges = np.array([part.high for part in found.bins])
    places = np.searchsorted(edges, classes.confidence, side="left").clip(max=len(edges) - 1)
    # The gaps of each picture, summed in each bin: a sample of pictures is a sample of rows.
    of_images = np.zeros((images, len(edges)))
    np.add.at(of_images, (np.arange(len(classes)) % images, places), classes.right - classes.confidence)
    generator, samples, perfect = np.random.default_rng(0), np.empty(resamples), np.empty(resamples)
    for place in range(resamples):
        drawn = np.bincount(generator.integers(0, images, images), minlength=images)
        samples[place] = np.abs(drawn @ of_images).sum() / len(classes)
        # What one of them has right the others have, as far as their confidences allow.
        are_right = np.tile(generator.random(images), repeats) < classes.confidence
        by_bin = np.bincount(places, are_right - classes.confidence, minlength=len(edges))
        perfect[place] = np.abs(by_bin).sum() / len(classes)
    tail = (1 - level) / 2
    low = max(0.0, found.ece - float(np.quantile(perfect, 1 - tail)))
    high = min(1.0, max(2 * found.ece - float(np.quantile(samples, tail)), found.ece))
    interval = Interval(low, high, level, f"bootstrap over {images} pictures, chance taken off", "pictures")
    return CalibrationErrorInterval(found.ece, interval, float(perfect.mean()))


def _by_width(confidence: Array, bins: int) -> list[tuple[float, float, Any]]:
    edges = np.linspace(0, 1, bins + 1)
    places = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    return [(float(edges[place]), float(edges[place + 1]), places == place) for place in range(bins)]


def _by_mass(confidence: Array, bins: int) -> list[tuple[float, float, Any]]:
    """Edges at quantiles; equal confidences stay together, so that bins may be fewer than asked for."""
    ordered = np.sort(confidence)
    highest = [float(part[-1]) for part in np.array_split(ordered, bins) if len(part)]
    edges = [0.0, *dict.fromkeys(highest)]
    return [(low, high, (confidence > low) & (confidence <= high)) for low, high in pairwise(edges)]


def _bin(classes: ClassPredictions, low: float, high: float, members: Any) -> Bin:
    n = int(members.sum())
    if not n:
        return Bin(low, high, 0, float("nan"), float("nan"))
    return Bin(low, high, n, float(classes.confidence[members].mean()), float(classes.right[members].mean()))
