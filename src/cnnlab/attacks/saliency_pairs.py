"""The best pair of pixels on a saliency map, without a table of all pairs.

Of each of n numbers of a picture two things are known: u, by how much changing it raises the wanted class, and v, by
how much it lowers all others together (Papernot et al. 2016, algorithm 3, with the signs turned for pixels that are
lowered). Of all pairs i ≠ j with u_i + u_j > 0 and v_i + v_j > 0 the one is wanted whose product

    (u_i + u_j) · (v_i + v_j)

is largest. For 3×224×224 a table of them has 2·10¹⁰ entries, 84 GiB. What makes it unnecessary:

1. The product grows, where both sums are above 0, with each of u_i, u_j, v_i and v_j. Say that k dominates i where
   u_k ≥ u_i and v_k ≥ v_i, of equals the one that stands first in some fixed order; this is transitive, and nothing
   dominates itself. A pair (i, j) where some k other than j dominates i is no better than (k, j). Replaced again and
   again, which ends, since one goes up a strict order, it becomes a pair in which nothing dominates i but perhaps j,
   and nothing dominates j but perhaps i. So **a best pair lies among those that at most one other dominates**: the
   Pareto front, and what only a single point of the front keeps off it.
2. Sorted by falling u, what dominates a point stands before it and has at least its v. So a point is kept exactly where
   its v is above the *second largest* v of all before it. A running second largest is a running maximum of what the
   running maximum pushes down: S_i = max(S_{i-1}, min(v_i, M_{i-1})), M the running maximum. A sort and two scans.
3. Of points spread without order the front has some ln n members, 12 of 150,000. The pairs of those kept are gone
   through in blocks, so that even where all are on the front no table of all is made.
4. On probabilities the derivatives of all classes sum to 0, so v = u: the points lie on a rising line, and the best
   pair is the two largest u.
"""

import torch
from torch import Tensor

_BLOCK = 2**21
"""Pairs looked at in one go."""


def best_two(u: Tensor, is_open: Tensor) -> tuple[Tensor, Tensor]:
    """The best pair where v = u: places N×2, and whether there is one, N.

    :param u: N×n.
    :param is_open: which of the numbers may be chosen, N×n.
    """
    largest = u.masked_fill(~is_open, -torch.inf).topk(2)
    return largest.indices, largest.values.sum(1) > 0


def best_pair(u: Tensor, v: Tensor, is_open: Tensor) -> tuple[Tensor, Tensor]:
    """The best pair: places N×2, and whether there is one, N.

    :param u, v: N×n.
    :param is_open: which of the numbers may be chosen, N×n.
    """
    places, known = _packed(_rough(u, v, is_open))
    some_u = u.gather(1, places).masked_fill_(~known, -torch.inf)
    some_v = v.gather(1, places).masked_fill_(~known, -torch.inf)
    kept, known = _packed(_hardly_dominated(some_u, some_v))
    chosen, scores = _best_of_all(some_u.gather(1, kept), some_v.gather(1, kept), known)
    return places.gather(1, kept.gather(1, chosen)), scores > 0


def _rough(u: Tensor, v: Tensor, is_open: Tensor) -> Tensor:
    """Leaves out what two good points both dominate, N×n: most of many, and quicker than a sort."""
    scaled = torch.minimum(u / u.abs().amax(1, keepdim=True), v / v.abs().amax(1, keepdim=True))
    good = scaled.nan_to_num(nan=0.0).masked_fill(~is_open, -torch.inf).topk(2).indices
    beaten = (u <= u.gather(1, good).amin(1, keepdim=True)) & (v <= v.gather(1, good).amin(1, keepdim=True))
    # The two themselves may be alike.
    return is_open & ~beaten.scatter(1, good, False)


def _hardly_dominated(u: Tensor, v: Tensor) -> Tensor:
    """Which points at most one other dominates, N×n; −∞ stands for none at all."""
    order = u.argsort(1, descending=True)
    v = v.gather(1, order)
    first = v.cummax(1).values
    pushed = torch.minimum(v[:, 1:], first[:, :-1]).cummax(1).values
    kept = v > -torch.inf
    kept[:, 2:] &= v[:, 2:] > pushed[:, :-1]
    return torch.zeros_like(kept).scatter_(1, order, kept)


def _packed(kept: Tensor) -> tuple[Tensor, Tensor]:
    """The places of what is kept of each row, N×m, and which of them there are; at least two columns."""
    rows, places = kept.nonzero(as_tuple=True)
    counts = kept.sum(1)
    width = max(2, int(counts.max()))
    columns = kept.cumsum(1)[rows, places] - 1
    packed = torch.zeros(len(kept), width, dtype=torch.long, device=kept.device)
    packed[rows, columns] = places
    return packed, torch.arange(width, device=kept.device) < counts[:, None]


def _best_of_all(u: Tensor, v: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """The best of all pairs of what is left, N×2, and its product, N; −∞ where there is none."""
    count, width = u.shape
    best = torch.full((count,), -torch.inf, dtype=u.dtype, device=u.device)
    chosen = torch.zeros(count, 2, dtype=torch.long, device=u.device)
    block = max(1, _BLOCK // (count * width))
    for start in range(0, width - 1, block):
        firsts = slice(start, min(start + block, width - 1))
        # Each pair once: the second stands behind the first.
        seconds = slice(start + 1, width)
        sum_u = u[:, firsts, None] + u[:, None, seconds]
        sum_v = v[:, firsts, None] + v[:, None, seconds]
        rows = torch.arange(firsts.start, firsts.stop, device=u.device)[:, None]
        behind = torch.arange(seconds.start, width, device=u.device) > rows
        valid = (sum_u > 0) & (sum_v > 0) & behind & known[:, firsts, None] & known[:, None, seconds]
        products = (sum_u * sum_v).masked_fill_(~valid, -torch.inf).flatten(1)
        scores, flat = products.max(1)
        pairs = torch.stack([flat // (width - start - 1), flat % (width - start - 1) + 1], 1) + start
        better = scores > best
        best, chosen = torch.where(better, scores, best), torch.where(better[:, None], pairs, chosen)
    return chosen, best
