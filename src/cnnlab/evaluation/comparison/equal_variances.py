"""Which settings scatter as much as the others, so that one spread may stand for all of them."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

Array: TypeAlias = npt.NDArray[np.float64]
_ALARM = 0.01
_LEAST = 3


def unequal_variances(values: Array) -> list[int]:
    """Columns whose spread is unlike that of the rest, such as those of a learning rate that sometimes diverges.

    The rest is the largest group, of neighbours in the order of their spread, in which Bartlett's test finds nothing
    at 1%; of several as large the most alike. Columns of fewer than three values are not judged; all columns come back
    when no two agree.

    :param values: B×K, NaN where there is no value.
    """
    columns = [column[np.isfinite(column)] for column in values.T]
    judged = [place for place, column in enumerate(columns) if len(column) >= _LEAST]
    if len(judged) < 3:
        return []
    floor = _resolution(values) ** 2 / 12
    variances = {place: max(float(columns[place].var(ddof=1)), floor) for place in judged}
    ordered = sorted(judged, key=lambda place: variances[place])
    for size in range(len(ordered), 1, -1):
        groups = [ordered[start : start + size] for start in range(len(ordered) - size + 1)]
        p, alike = max((_p(group, columns, variances), group) for group in groups)
        if p >= _ALARM:
            return sorted(set(judged) - set(alike))
    return judged


def bartlett_p(sizes: Sequence[int], variances: Sequence[float]) -> float:
    """The p-value of Bartlett's test of equal variances (1937)."""
    df, spread = np.asarray(sizes, dtype=float) - 1, np.asarray(variances)
    total = df.sum()
    pooled = (df * spread).sum() / total
    statistic = total * np.log(pooled) - (df * np.log(spread)).sum()
    correction = 1 + ((1 / df).sum() - 1 / total) / (3 * (len(spread) - 1))
    return float(special.chdtrc(len(spread) - 1, statistic / correction))


def _p(places: Sequence[int], columns: Sequence[Array], variances: dict[int, float]) -> float:
    return bartlett_p([len(columns[place]) for place in places], [variances[place] for place in places])


def _resolution(values: Array) -> float:
    """The smallest step between values: an accuracy moves by whole pictures, so three equal ones need not mean much."""
    distinct = np.unique(values[np.isfinite(values)])
    scale = max(float(np.abs(distinct).max(initial=0.0)), 1e-300)
    steps = np.diff(distinct)
    steps = steps[steps > 1e-9 * scale]
    return float(steps.min()) if len(steps) else 1e-6 * scale
