"""The order of classes in which those that are taken for one another stand together."""

import numpy as np
from numpy.typing import NDArray

from cnnlab.evaluation import Confusion


def class_order(confusion: Confusion) -> NDArray[np.int64]:
    """K places: the leaves of a tree of classes, those confused most under one branch.

    How alike two classes are is the mean of the shares that each gives to the other. Branches are joined by mean
    likeness, and turned so that neighbouring leaves are as alike as the tree allows (Bar-Joseph et al. 2001). Of two
    ways to read the line, that is taken in which the first class of the data comes in the first half.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    count = len(confusion.names)
    if count < 3 or not confusion.mistakes(1):
        return np.arange(count)
    shares = confusion.shares
    likeness = (shares + shares.T) / 2
    distances = 1 - likeness / likeness[~np.eye(count, dtype=bool)].max()
    np.fill_diagonal(distances, 0)
    leaves: NDArray[np.int64] = leaves_list(
        linkage(squareform(distances, checks=False), "average", optimal_ordering=True)
    ).astype(np.int64)
    return leaves if 2 * int(np.flatnonzero(leaves == 0)[0]) < count else leaves[::-1].copy()


def ordered_confusion(confusion: Confusion) -> Confusion:
    """The same counts, rows and columns in the order of :func:`class_order`."""
    order = class_order(confusion)
    return Confusion(tuple(confusion.names[place] for place in order), confusion.counts[np.ix_(order, order)])
