"""How alike two maps of one picture are: by the order of their values, and by structure."""

from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from cnnlab.core.errors import UsageError
from cnnlab.explain.attribution import Attribution

Array: TypeAlias = npt.NDArray[np.float64]
Similarity: TypeAlias = Literal["absolute", "signed", "ssim"]
SIMILARITIES: tuple[Similarity, ...] = ("absolute", "signed", "ssim")
"""Spearman's rank correlation of magnitudes, that of signed values, and structural similarity of what is shown."""
_SIGMA, _RADIUS = 1.5, 5
_DECIMALS = 6
_K1, _K2 = 0.01, 0.03


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> Array:
    """Spearman's rank correlation of each pair, N, of arrays N×…; equal values share the mean of their ranks.

    Values closer than a millionth of the largest magnitude count as equal, for in float32 they are so but for rounding,
    and would be put in an order by it. A constant array puts its values in no order: it is correlated with any
    other by 0, and with a constant one by NaN.
    """
    ranks = [_centred_ranks(each) for each in (first, second)]
    if ranks[0].shape != ranks[1].shape:
        raise UsageError(f"maps of {ranks[0].shape} values cannot be set beside maps of {ranks[1].shape}.")
    lengths = [np.sqrt((each**2).sum(1)) for each in ranks]
    products = (ranks[0] * ranks[1]).sum(1)
    both = lengths[0] * lengths[1]
    found: Array = np.divide(products, both, out=np.zeros_like(products), where=both > 0)
    found[(lengths[0] == 0) & (lengths[1] == 0)] = np.nan
    return found.clip(-1, 1)


def _centred_ranks(values: npt.ArrayLike) -> Array:
    from scipy.stats import rankdata

    flat = np.nan_to_num(np.asarray(values, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    flat = flat.reshape(len(flat), -1)
    largest = np.abs(flat).max(1, keepdims=True)
    ranks = rankdata(np.divide(flat, largest, out=flat, where=largest > 0).round(_DECIMALS), axis=1)
    return cast("Array", ranks - ranks.mean(1, keepdims=True))


def structural_similarity(first: npt.ArrayLike, second: npt.ArrayLike, span: float) -> Array:
    """The mean structural similarity of each pair, N, of maps N×H×W (Wang et al. 2004, equation 13).

    With the paper's constants and its window, Gaussian with a deviation of 1.5 over 11×11 pixels, at every place where
    it lies within the map; over smaller maps the window is as large as fits.

    :param span: from the least value that there can be to the largest.
    """
    from scipy.ndimage import gaussian_filter

    left, right = (np.asarray(each, dtype=np.float64) for each in (first, second))
    radius = min(_RADIUS, (min(left.shape[1:]) - 1) // 2)
    inner = tuple(slice(radius, side - radius) for side in left.shape[1:])

    def mean(values: Any) -> Any:
        return gaussian_filter(values, _SIGMA, radius=radius, axes=(1, 2))[:, *inner]

    low, high = mean(left), mean(right)
    spread_left, spread_right = mean(left * left) - low * low, mean(right * right) - high * high
    common = mean(left * right) - low * high
    steady, steady_spread = (_K1 * span) ** 2, (_K2 * span) ** 2
    above = (2 * low * high + steady) * (2 * common + steady_spread)
    below = (low * low + high * high + steady) * (spread_left + spread_right + steady_spread)
    return cast("Array", (above / below).mean((1, 2)))


def similarities(first: Attribution, second: Attribution) -> dict[Similarity, Array]:
    """How alike two attributions by one method are, picture by picture, N each; see :data:`SIMILARITIES`."""
    one, other = _compared(first), _compared(second)
    span = 2.0 if first.scale == "signed" else 1.0
    return {
        "absolute": rank_correlation(np.abs(one), np.abs(other)),
        "signed": rank_correlation(one, other),
        "ssim": structural_similarity(first.scaled(), second.scaled(), span),
    }


def is_blank(found: Attribution) -> npt.NDArray[np.bool_]:
    """Whether a picture's values are all the same, N, so that they put its pixels in no order."""
    flat = _compared(found).reshape(len(found), -1)
    return cast("npt.NDArray[np.bool_]", flat.max(1) == flat.min(1))


def _compared(found: Attribution) -> npt.NDArray[np.float32]:
    """The raw values; of a method whose own equation cuts off what is below 0, without that."""
    return found.values.clip(min=0) if found.scale == "positive" else found.values
