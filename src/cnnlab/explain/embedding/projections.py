"""Rows of numbers to points of a plane: t-SNE, PCA and UMAP, under their names in specs."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.arguments import Count, Fraction, Positive
from cnnlab.core.errors import UsageError
from cnnlab.core.lazy_imports import require
from cnnlab.core.registry import Registry

Points: TypeAlias = NDArray[np.float64]
COMPONENTS = 50
"""Principal components that wider codes are brought to before neighbours are looked for."""
_PERPLEXITY = 30.0
_LEAST_FOR_GRID = 4000
"""Pictures from which the grid takes less time than the tree, measured in one thread."""
_START = 1e-4
"""Standard deviation of the points that t-SNE starts from, along the first axis (Kobak and Berens 2019)."""

PROJECTIONS: Registry[Points] = Registry("projection", given=("points", "seed", "threads", "start"))


def principal_components(points: NDArray[Any], count: int, seed: int) -> tuple[Points, float]:
    """N×count coordinates along the axes of largest variance, and the share of the variance that these hold.

    Exact where the covariance is small; of more than a thousand columns by random projections (Halko et al. 2011).
    """
    from sklearn.decomposition import PCA

    fitted = PCA(min(count, *points.shape), random_state=seed)
    coordinates: Points = fitted.fit_transform(points).astype(np.float64)
    return coordinates, float(fitted.explained_variance_ratio_.sum())


@PROJECTIONS.register("pca")
def pca(points: NDArray[Any], seed: int, threads: int, start: Points | None = None) -> Points:
    """The two axes of largest variance: distances are kept as well as a plane can, neighbours often are not."""
    found, _ = principal_components(points, 2, seed)
    return found if found.shape[1] == 2 else np.pad(found, ((0, 0), (0, 2 - found.shape[1])))


@PROJECTIONS.register("tsne", "t-sne")
def tsne(
    points: NDArray[Any],
    seed: int,
    threads: int,
    start: Points | None = None,
    perplexity: Positive | None = None,
    iterations: Count = 500,
) -> Points:
    """t-SNE, which keeps neighbours together; sizes of clusters and distances between them say little.

    The form of Linderman et al. (2019), by openTSNE: repulsion is interpolated on a grid and convolved by FFT; of fewer
    than 4,000 pictures, for which a grid takes longer, it is that of a tree (van der Maaten 2014). It starts from the
    first two principal components (Kobak and Berens 2019), with a rate of N/12 (Belkina et al. 2019), and has half as
    many steps of early exaggeration first. Neighbours are found exactly and not approximately, so that the same codes
    give the same map whatever the threads.

    :param perplexity: about how many neighbours count; by default 30, or of few pictures a third of them.
    :param iterations: steps after those of early exaggeration.
    :raises UsageError: when there are too few pictures for the perplexity.
    """
    from openTSNE import TSNE
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors
    from sklearn.neighbors import NearestNeighbors

    most = (len(points) - 1) / 3
    if perplexity is not None and perplexity > most:
        raise UsageError(
            f"t-SNE of {len(points):,} pictures takes a perplexity of at most {most:g}; got {perplexity:g}. Take less, "
            "or more pictures."
        )
    wanted = min(_PERPLEXITY, most) if perplexity is None else perplexity
    search = NearestNeighbors(n_neighbors=max(1, int(3 * wanted)), algorithm="brute").fit(points)
    distances, indices = search.kneighbors()
    index = PrecomputedNeighbors(indices, distances.astype(np.float64))
    affinities = PerplexityBasedNN(knn_index=index, perplexity=wanted, n_jobs=threads, random_state=seed)
    first = pca(points, seed, threads) if start is None else start
    repulsion = "fft" if len(points) >= _LEAST_FOR_GRID else "bh"
    model = TSNE(
        early_exaggeration_iter=iterations // 2,
        n_iter=iterations,
        negative_gradient_method=repulsion,
        n_jobs=threads,
        random_state=seed,
    )
    fitted = model.fit(affinities=affinities, initialization=_jittered(first, seed))
    return np.asarray(fitted, dtype=np.float64)


@PROJECTIONS.register("umap")
def umap(
    points: NDArray[Any],
    seed: int,
    threads: int,
    start: Points | None = None,
    neighbours: Count = 15,
    min_dist: Fraction = 0.1,
) -> Points:
    """UMAP (McInnes et al. 2018), where umap-learn is installed; in one thread, since it is drawn by the seed."""
    module = require("umap", "a map by UMAP")
    first = pca(points, seed, threads) if start is None else start
    first = _jittered(first, seed)
    # In the range that umap-learn starts from.
    first *= 10 / np.ptp(first, axis=0).max()
    few = min(neighbours, len(points) - 1)
    model = module.UMAP(n_neighbors=few, min_dist=min_dist, init=first, random_state=seed, n_jobs=1)
    return np.asarray(model.fit_transform(points), dtype=np.float64)


def _jittered(points: Points, seed: int) -> Points:
    """The points brought to the size that t-SNE starts from; equal ones are set apart by a little, by the seed."""
    scaled: Points = points / max(float(np.std(points[:, 0])), 1e-300) * _START
    return scaled + np.random.default_rng(seed).normal(scale=0.01 * _START, size=scaled.shape)
