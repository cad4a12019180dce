"""The best pair on a saliency map, held to a table of all pairs."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cnnlab.attacks import saliency_pairs
from cnnlab.attacks.saliency_pairs import best_pair, best_two

Numbers = NDArray[np.float64]


def of_a_table(u: Numbers, v: Numbers, is_open: NDArray[np.bool_]) -> float:
    """The product of the best pair, by all pairs; −∞ where there is none."""
    sums_u, sums_v = u[:, None] + u, v[:, None] + v
    valid = (sums_u > 0) & (sums_v > 0) & is_open[:, None] & is_open & ~np.eye(len(u), dtype=bool)
    return float(np.where(valid, sums_u * sums_v, -np.inf).max())


def check(u: Numbers, v: Numbers, is_open: NDArray[np.bool_]) -> None:
    """Holds the search to the table, for some pictures of n numbers each."""
    tensors = torch.from_numpy(u), torch.from_numpy(v), torch.from_numpy(is_open)
    places, there_is = best_pair(*tensors)
    for row, (i, j) in enumerate(places.tolist()):
        wanted = of_a_table(u[row], v[row], is_open[row])
        assert bool(there_is[row]) == (wanted > 0)
        if there_is[row]:
            assert i != j and is_open[row, i] and is_open[row, j]
            assert u[row, i] + u[row, j] > 0 and v[row, i] + v[row, j] > 0
            assert (u[row, i] + u[row, j]) * (v[row, i] + v[row, j]) == pytest.approx(wanted, rel=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.sampled_from([1, 2, 5, 50]), st.floats(-1, 1))
def test_the_best_pair_is_that_of_a_table_of_all_with_ties_too(seed: int, n: int, levels: int, lean: float) -> None:
    # Few levels make many ties; lean is how the two gradients go together, from against each other to alike.
    draw = np.random.default_rng(seed)
    u = draw.integers(-levels, levels + 1, (4, n)).astype(np.float64)
    v: Numbers = np.round(lean * u + (1 - abs(lean)) * draw.integers(-levels, levels + 1, (4, n)))
    check(u, v, draw.random((4, n)) < draw.choice([0.2, 0.7, 1.0]))


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
def test_it_is_so_where_all_lie_on_the_front(seed: int, n: int) -> None:
    draw = np.random.default_rng(seed)
    u = np.sort(draw.normal(0.3, 1, (3, n)), axis=1)
    v = -np.sort(-draw.normal(0.3, 1, (3, n)), axis=1)
    check(u, v, np.ones((3, n), dtype=bool))


def test_a_point_behind_one_other_may_be_of_the_best_pair_and_behind_two_not() -> None:
    # (5, 5) leads, (4, 4) stands behind it alone, (3, 3) behind both, and (9, −8) and (−8, 9) spoil the other sum.
    u, v = [3.0, 9, 5, -8, 4], [3.0, -8, 5, 9, 4]
    places, there_is = best_pair(torch.tensor([u]), torch.tensor([v]), torch.ones(1, 5, dtype=torch.bool))
    assert there_is.tolist() == [True] and sorted(places[0].tolist()) == [2, 4]


def test_two_sums_below_nothing_are_no_pair_although_their_product_is_above() -> None:
    u, v = torch.tensor([[-5.0, -1, -4]]), torch.tensor([[-1.0, -5, -4]])
    assert best_pair(u, v, torch.ones(1, 3, dtype=torch.bool))[1].tolist() == [False]


def test_nothing_open_and_no_gradient_are_no_pair() -> None:
    u = torch.tensor([[1.0, 2, 3], [0, 0, 0], [1, 2, 3]])
    is_open = torch.tensor([[False] * 3, [True] * 3, [False, True, False]])
    assert best_pair(u, u, is_open)[1].tolist() == [False] * 3
    assert best_two(u, is_open)[1].tolist() == [False] * 3


def test_where_both_gradients_are_opposite_the_best_pair_is_the_two_largest() -> None:
    draw = np.random.default_rng(0)
    u, is_open = draw.normal(size=(50, 30)), draw.random((50, 30)) < 0.6
    places, there_is = best_two(torch.from_numpy(u), torch.from_numpy(is_open))
    for row in range(50):
        wanted = of_a_table(u[row], u[row], is_open[row])
        assert bool(there_is[row]) == (wanted > 0)
        assert u[row, places[row].numpy()].sum() ** 2 == pytest.approx(wanted)


def test_blocks_of_a_large_front_give_what_one_table_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saliency_pairs, "_BLOCK", 7)
    draw = np.random.default_rng(1)
    u = np.sort(draw.normal(size=(2, 40)), axis=1)
    check(u, u[:, ::-1].copy(), np.ones((2, 40), dtype=bool))
