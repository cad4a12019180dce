"""What a map keeps, against scikit-learn."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import KNeighborsClassifier

from cnnlab.explain import map_quality
from cnnlab.explain.embedding import quality


@pytest.fixture
def points() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(1)
    labels = draw.integers(0, 4, 150)
    codes = draw.normal(size=(150, 12)) + 1.2 * np.eye(12)[labels]
    return codes, codes[:, :2] + 0.5 * draw.normal(size=(150, 2)), labels


def test_all_numbers_are_those_of_scikit_learn(
    points: tuple[np.ndarray, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes, positions, labels = points
    # Several stretches of rows, the last of them shorter.
    monkeypatch.setattr(quality, "_CHUNK_BYTES", 8 * 150 * 40)
    found = map_quality(codes, positions, labels)
    assert found.neighbours == 10
    assert found.trustworthiness == pytest.approx(trustworthiness(codes, positions, n_neighbors=10), abs=1e-12)
    assert found.codes is not None and found.plane is not None
    for separation, space in ((found.codes, codes), (found.plane, positions)):
        told = KNeighborsClassifier(10).fit(space, labels).predict(None)
        assert (separation.right == (told == labels)).all()
        assert separation.silhouettes == pytest.approx(silhouette_samples(space, labels), abs=1e-9)
        means = [silhouette_samples(space, labels)[labels == label].mean() for label in range(4)]
        assert separation.by_class(5)[:4] == pytest.approx(means, abs=1e-9)
        assert np.isnan(separation.by_class(5)[4])


def test_a_map_that_is_the_codes_is_trusted_wholly_and_one_by_lot_is_not() -> None:
    codes = np.random.default_rng(0).normal(size=(200, 2))
    by_lot = np.random.default_rng(5).permutation(codes)
    assert map_quality(codes, 3 * codes + 7).trustworthiness == 1
    assert map_quality(codes, by_lot).trustworthiness == pytest.approx(0.5, abs=0.06)
    assert map_quality(codes, by_lot).codes is None


def test_the_only_picture_of_a_class_has_a_silhouette_of_zero_and_few_pictures_have_few_neighbours() -> None:
    found = map_quality(np.eye(6), np.eye(6)[:, :2], np.array([0, 0, 1, 1, 1, 2]))
    assert found.neighbours == 2
    assert found.codes is not None and found.codes.silhouettes[5] == 0
