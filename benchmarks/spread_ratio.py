"""Tests of equal spreads over few repeats, held against simulated pairs of which the truth is known.

    OMP_NUM_THREADS=1 python benchmarks/spread_ratio.py

How often each test calls two spreads different where they are not, and where one is three times the other. Pairs are
correlated, as an ensemble and its member are, which share their repeat. The interval of the ratio is that of all ratios
which the test does not reject, so it misses the true one as often as the test errs. Writes ``spread-ratio.json`` and
``.md`` under ``benchmarks/results``.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from result_files import write_results
from scipy import stats

from cnnlab.evaluation.comparison.spread_ratio import spread_ratio

Array = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]
STUDIES = 4000
RATIO = 3.0
REPEATS = (5, 10)
CORRELATIONS = (0.0, 0.5, 0.8)
NUMBERS: dict[str, Draw] = {
    "normal": lambda source, shape: source.normal(size=shape),
    "light tails (uniform)": lambda source, shape: source.uniform(-1, 1, size=shape) * 3**0.5,
    "heavy tails (t, 5 df)": lambda source, shape: source.standard_t(5, size=shape) * 0.6**0.5,
    "skewed (exponential)": lambda source, shape: source.exponential(size=shape) - 1,
}
TESTS: dict[str, Callable[[Array, Array], Array]] = {
    "Pitman-Morgan": lambda one, other: np.array(
        [spread_ratio(*pair).p_value for pair in zip(one, other, strict=True)]
    ),
    "F": lambda one, other: _f(one, other),
    "Levene": lambda one, other: _levene(one, other, np.mean),
    "Brown-Forsythe": lambda one, other: _levene(one, other, np.median),
}
NOTE = """
A share is that of studies with p < 5%; its margin of chance is {margin:.1%} (two standard errors). Correlation is that
of the pairs. With five repeats a permutation within pairs has 32 outcomes, and no p-value under 2/32 = 6%.
"""


def main() -> None:
    """Measures everything and writes it."""
    rows = []
    for kind, draw in NUMBERS.items():
        for repeats in REPEATS:
            for correlation in CORRELATIONS:
                pairs = _pairs(draw, repeats, correlation)
                shares = {name: [_share(test, pairs, 1.0), _share(test, pairs, RATIO)] for name, test in TESTS.items()}
                rows.append({"numbers": kind, "repeats": repeats, "correlation": correlation, "called": shares})
                print(rows[-1], flush=True)
    record = {"studies": STUDIES, "ratio": RATIO, "rows": rows}
    write_results(Path(__file__).parent / "results", "spread-ratio", record, _page(rows))


def _pairs(draw: Draw, repeats: int, correlation: float) -> Array:
    """Studies × 2 × repeats, of spread 1 and this correlation; the same draws for every test and ratio."""
    source = np.random.default_rng([repeats, round(100 * correlation)])
    shared, one, other = draw(source, (3, STUDIES, repeats))
    own, common = (1 - correlation) ** 0.5, correlation**0.5
    return np.stack([common * shared + own * one, common * shared + own * other], axis=1)


def _share(test: Callable[[Array, Array], Array], pairs: Array, ratio: float) -> float:
    return float(np.mean(test(ratio * pairs[:, 0], pairs[:, 1]) < 0.05))


def _f(one: Array, other: Array) -> Array:
    ratio, df = one.var(axis=1, ddof=1) / other.var(axis=1, ddof=1), one.shape[1] - 1
    p: Array = 2 * np.minimum(stats.f.sf(ratio, df, df), stats.f.cdf(ratio, df, df))
    return p


def _levene(one: Array, other: Array, centre: Callable[..., Array]) -> Array:
    """Of how far each is from the centre of its own; the median makes it the test of Brown and Forsythe."""
    away = [np.abs(values - centre(values, axis=1, keepdims=True)) for values in (one, other)]
    p: Array = stats.f_oneway(*away, axis=1).pvalue
    return p


def _page(rows: list[dict[str, object]]) -> str:
    margin = 2 * (0.05 * 0.95 / STUDIES) ** 0.5
    lines = [
        "# Tests of equal spreads over few repeats\n",
        f"Measured by `benchmarks/spread_ratio.py`, {STUDIES:,} simulated studies a row: how often spreads are called",
        f"different where they are the same, and where one is {RATIO:g} times the other.\n",
        "| numbers | repeats | correlation | " + " | ".join(f"{name}: same | {RATIO:g}×" for name in TESTS) + " |",
        "| --- | ---: | ---: |" + " ---: | ---: |" * len(TESTS),
    ]
    for row in rows:
        called = row["called"]
        assert isinstance(called, dict)
        cells = " | ".join(f"{share:.1%}" for pair in called.values() for share in pair)
        lines.append(f"| {row['numbers']} | {row['repeats']} | {row['correlation']} | {cells} |")
    return "\n".join(lines) + "\n" + NOTE.format(margin=margin)


if __name__ == "__main__":
    main()
