"""Maps by t-SNE, PCA and UMAP."""

import sys

import numpy as np
import pytest

from cnnlab.core.errors import SpecError, UsageError
from cnnlab.explain import map_quality
from cnnlab.explain.embedding import projections
from cnnlab.explain.embedding.projections import PROJECTIONS


@pytest.fixture
def blobs() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    labels = np.repeat(np.arange(5), 24)
    return draw.normal(size=(120, 20)) + 5 * np.eye(20)[labels], labels


def made(spec: str, points: np.ndarray, seed: int = 0, threads: int = 1) -> np.ndarray:
    positions: np.ndarray = PROJECTIONS.bind(spec).build(points=points, seed=seed, threads=threads)
    return positions


def test_pca_gives_the_two_axes_of_largest_variance(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    points, _ = blobs
    centred = points - points.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    assert np.abs(made("pca", points)) == pytest.approx(np.abs(centred @ axes[:2].T))


def test_tsne_keeps_neighbours_and_is_a_function_of_codes_and_seed(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    points, labels = blobs
    spec = "tsne(perplexity=10, iterations=100)"
    first = made(spec, points)
    assert (made(spec, points, threads=2) == first).all()
    assert not np.allclose(made(spec, points, seed=1), first)
    kept, by_pca = map_quality(points, first, labels), map_quality(points, made("pca", points), labels)
    assert kept.trustworthiness > max(0.9, by_pca.trustworthiness)
    assert kept.plane is not None and kept.plane.accuracy == 1


def test_by_the_grid_it_keeps_neighbours_and_is_the_same_whatever_the_threads(
    blobs: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projections, "_LEAST_FOR_GRID", 1)
    points, labels = blobs
    first = made("tsne(perplexity=10, iterations=60)", points)
    assert (made("tsne(perplexity=10, iterations=60)", points, threads=2) == first).all()
    assert map_quality(points, first, labels).trustworthiness > 0.9


def test_a_perplexity_that_few_pictures_cannot_have_is_refused_and_the_default_made_to_fit() -> None:
    points = np.random.default_rng(0).normal(size=(10, 4))
    assert made("tsne(iterations=20)", points).shape == (10, 2)
    with pytest.raises(UsageError, match="a perplexity of at most 3; got 30"):
        made("tsne(perplexity=30)", points)


def test_umap_that_is_not_installed_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(UsageError, match=r"a map by UMAP needs umap.*pip install 'cnnlab\[umap\]'"):
        made("umap", np.random.default_rng(0).normal(size=(10, 4)))


def test_an_unknown_projection_names_those_there_are() -> None:
    with pytest.raises(SpecError, match="tsne"):
        PROJECTIONS.bind("tsen")
