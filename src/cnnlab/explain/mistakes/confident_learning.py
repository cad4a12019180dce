"""Confident learning: which labels are probably wrong, by what a classifier says of pictures that it has not seen.

Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70 (2021). The steps,
and what is done where the paper leaves it open, are those of cleanlab with ``filter_by="prune_by_noise_rate"``: tests
hold the results equal.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Counts: TypeAlias = NDArray[np.int64]
_SLACK = 1e-6
"""By so much a probability may fall short of its threshold, for rounding."""


def confident_thresholds(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """K numbers: how sure the classifier is of a class, on average over the pictures labelled so (equation 2).

    A class without pictures has infinity: nothing is confidently of it.
    """
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, probabilities[np.arange(len(labels)), labels], classes)
    thresholds: NDArray[np.float64] = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    return thresholds


def confident_joint(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> Counts:
    """K×K: pictures by their label (row) and the class that they confidently are (column), scaled to all pictures.

    A picture counts where some class reaches its threshold, for the most probable of these (equation 1). Rows are then
    scaled to the number of pictures so labelled, and rounded so that this stays (equation 3).
    """
    classes = probabilities.shape[1]
    reached = probabilities >= confident_thresholds(probabilities, labels) - _SLACK
    several = reached.sum(1) > 1
    guess = np.where(several, probabilities.argmax(1), reached.argmax(1))
    told = reached.any(1)
    counted = np.bincount(labels[told] * classes + guess[told], minlength=classes**2).reshape(classes, classes)
    # Each class has at least one picture that is labelled as it should be.
    np.fill_diagonal(counted, counted.diagonal().clip(min=1))
    given = np.bincount(labels, minlength=classes)
    return _rounded(counted / counted.sum(1, keepdims=True) * given[:, None])


def wrong_labels(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which labels are probably wrong: of each off-diagonal count of the joint so many, by the largest margins.

    The margin of a picture labelled i for class j is p(j) − p(i). Pictures whose label is the most probable class are
    left alone, whatever the counts.
    """
    joint = confident_joint(probabilities, labels)
    wrong = np.zeros(len(labels), bool)
    for given, true in np.argwhere(joint * (1 - np.eye(len(joint), dtype=np.int64)) > 0):
        places = np.flatnonzero(labels == given)
        if len(places) > 1:
            margins = probabilities[places, true] - probabilities[places, given]
            wrong[places[np.argsort(-margins)[: joint[given, true]]]] = True
    wrong &= probabilities.argmax(1) != labels
    return wrong


def _rounded(table: NDArray[np.float64]) -> Counts:
    """Whole numbers that keep the sum of each row: what rounding changes is put right where it did most."""
    whole = np.rint(table).astype(np.int64)
    for row, exact in zip(whole, table, strict=True):
        missing = round(float(exact.sum())) - int(row.sum())
        order = np.argsort(exact - row)
        row[order[::-1][:missing] if missing > 0 else order[:-missing]] += np.sign(missing)
    return whole
