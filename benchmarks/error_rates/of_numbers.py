"""Intervals of one number, and two classifiers on the same images."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from scipy import special, stats
from simulation import SD, Array, Generator, Simulation

from cnnlab.evaluation import (
    ClassPredictions,
    Interval,
    calibration_error_interval,
    compare_to_mean,
    compare_to_number,
    mean_interval,
    wilson,
)
from cnnlab.evaluation.comparison.mcnemar import difference_interval, mcnemar_p
from cnnlab.evaluation.comparison.permutation_test import sign_flip_interval
from cnnlab.evaluation.metrics.auc_interval import auc_interval, auc_parts

EVERYTHING = Interval(-math.inf, math.inf)


def references(simulation: Simulation) -> None:
    """Measured values beside a number."""
    for repeats in (2, 3, 5):
        for off, promised in ((0.01, "at most 2.5%"), (0.005, "at most 2.5%")):
            simulation.share(
                "reproduced, though off by the tolerance",
                f"{repeats} repeats, off by {100 * off:g} points",
                promised,
                2000,
                lambda g, b=repeats, d=off: (
                    compare_to_number(g.normal(0.9, SD, b), 0.9 + d, tolerance=d).verdict == "reproduced"
                ),
            )
        simulation.share(
            "better or worse than a number that is true",
            f"{repeats} repeats",
            "at most 5%",
            2000,
            lambda g, b=repeats: compare_to_number(g.normal(0.9, SD, b), 0.9).verdict in ("better", "worse"),
        )
        for theirs, ratio in ((2, 1.0), (5, 1.0), (5, 0.2), (5, 5.0), (10, 0.3), (10, 1.0)):
            simulation.share(
                "better or worse than a published mean with its SD",
                f"{repeats} repeats against {theirs}, their SD {ratio:g} times ours",
                "at most 5%",
                2000,
                lambda g, b=repeats, n=theirs, r=ratio: against_published(g, b, n, r),
            )


def against_published(generator: Generator, repeats: int, theirs: int, ratio: float) -> bool:
    """Whether an equal recipe is told apart from what somebody else measured of it."""
    published = generator.normal(0.9, ratio * SD, theirs)
    ours = generator.normal(0.9, SD, repeats).tolist()
    found = compare_to_mean(ours, float(published.mean()), float(published.std(ddof=1)), theirs)
    return found.verdict in ("better", "worse")


def paired_shares(simulation: Simulation) -> None:
    """Coverage for the difference of two accuracies on the same images: the least over a grid of shares, exactly."""
    shares = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4)
    grid = [(first, second) for first in shares for second in shares if second <= first]
    for n in (20, 50, 100, 360, 1000, 10_000):
        least = dict.fromkeys(PAIRED, 1.0)
        intervals: dict[tuple[str, int, int], tuple[float, float]] = {}
        for first, second in grid:
            outcomes = list(_outcomes(n, first, second))
            for name, interval in PAIRED.items():
                held = 0.0
                for one, other, chance in outcomes:
                    key = (name, one, other)
                    if key not in intervals:
                        intervals[key] = interval(one, other, n)
                    low, high = intervals[key]
                    held += chance * (low - 1e-9 <= first - second <= high + 1e-9)
                least[name] = min(least[name], held / sum(chance for *_, chance in outcomes))
        for name, coverage in least.items():
            promised = "at least 93%" if name == CHOSEN else "for comparison"
            simulation.add(
                "paired accuracies, least coverage over 105 shares", f"{n} images, {name}", coverage, 0, promised
            )


def _outcomes(n: int, first: float, second: float) -> Iterator[tuple[int, int, float]]:
    """How many images only one of the two has right, with the probability; 2,000 drawn where there are too many."""
    ranges = [
        range(int(low), int(high) + 1) for low, high in (stats.binom.interval(1 - 1e-7, n, s) for s in (first, second))
    ]
    if len(ranges[0]) * len(ranges[1]) > 4000:
        drawn = np.random.default_rng(0).multinomial(n, [first, second, 1 - first - second], size=2000)
        yield from ((int(one), int(other), 1 / 2000) for one, other, _ in drawn)
        return
    for one in ranges[0]:
        for other in ranges[1]:
            if one + other <= n:
                logs = [*special.xlogy([one, other, n - one - other], [first, second, 1 - first - second])]
                logs += [special.gammaln(n + 1), *-special.gammaln(np.array([one, other, n - one - other]) + 1)]
                yield one, other, float(np.exp(np.sum(logs)))


def _agresti_min(one: int, other: int, n: int) -> tuple[float, float]:
    first, second, count = one + 0.5, other + 0.5, n + 2
    difference = (first - second) / count
    half = 1.959964 * math.sqrt(first + second - (first - second) ** 2 / count) / count
    return difference - half, difference + half


def _newcombe(one: int, other: int, n: int) -> tuple[float, float]:
    """Method 10, where six of ten of the images on which both agree are right."""
    both = round(0.6 * (n - one - other))
    neither = n - one - other - both
    ends = [wilson(both + only, n) or Interval(0, 1) for only in (one, other)]
    (p, q), (low_p, high_p), (low_q, high_q) = (
        [(both + one) / n, (both + other) / n],
        *((found.low, found.high) for found in ends),
    )
    product = (both + one) * (other + neither) * (both + other) * (one + neither)
    excess = both * neither - one * other
    excess = max(excess - n / 2, 0.0) if excess > 0 else excess
    phi = excess / math.sqrt(product) if product else 0.0

    def reach(down: float, up: float) -> float:
        return math.sqrt(max(down**2 - 2 * phi * down * up + up**2, 0.0))

    return p - q - reach(p - low_p, high_q - q), p - q + reach(q - low_q, high_p - p)


def _chosen(one: int, other: int, n: int) -> tuple[float, float]:
    found = difference_interval(one, other, n)
    return found.low, found.high


CHOSEN = "Tango's (chosen)"
PAIRED: dict[str, Callable[[int, int, int], tuple[float, float]]] = {
    CHOSEN: _chosen,
    "Agresti and Min's": _agresti_min,
    "Newcombe's method 10": _newcombe,
}


def mcnemar_calls(simulation: Simulation) -> None:
    """Equally good classifiers called different."""
    for n, share in ((100, 0.1), (360, 0.03), (10_000, 0.05)):
        drawn = np.random.default_rng(n).multinomial(n, [share, share, 1 - 2 * share], size=20_000)
        calls = np.mean([mcnemar_p(int(one), int(other)) <= 0.05 for one, other, _ in drawn])
        name = f"{n} images, {100 * share:g}% right for either alone"
        simulation.add("equally good classifiers told apart (McNemar)", name, calls, 20_000, "at most 5%")


def coverages(simulation: Simulation) -> None:
    """Intervals of one number."""
    for repeats in (2, 3, 5, 10):
        for name, draw in (
            ("normal values", lambda g, b: (g.normal(0.9, SD, b), 0.9, 0.0)),
            ("epochs, 5 or 6 alike often", lambda g, b: (5.0 + g.binomial(1, 0.5, b), 5.5, 1.0)),
            ("epochs, 6 in one of five, else 5", lambda g, b: (5.0 + g.binomial(1, 0.2, b), 5.2, 1.0)),
            ("shares of 10 images", lambda g, b: (g.binomial(10, 0.9, b) / 10, 0.9, 0.1)),
        ):
            simulation.share(
                "mean over repeats, coverage",
                f"{repeats} repeats, {name}",
                "at least 93%",
                1500,
                lambda g, b=repeats, d=draw: covers(*d(g, b)),
            )
    for name, draw_differences in (
        ("normal", lambda g: g.normal(0, 1, 8)),
        ("double exponential", lambda g: g.laplace(0, 1, 8)),
    ):
        simulation.share(
            "permutation interval, coverage",
            f"8 differences, {name}",
            "at least 94%",
            400,
            lambda g, d=draw_differences: 0.0 in (sign_flip_interval(d(g), 0.95) or Interval(1, 1)),
        )


def epochs_that_jump(simulation: Simulation) -> None:
    """A false claim of at most so many epochs, exactly, by how many of the repeats take longer than five."""
    section = "a false claim of at most so many epochs supported"
    for repeats in range(2, 13):
        shares = np.arange(0.01, 1, 0.01)
        worst = max(_supported(repeats, 6, share, 5 + share) for share in shares)
        name = f"{repeats} repeats of 5 or 6 epochs, just below the true mean, the worst of {len(shares)} shares"
        simulation.add(section, name, worst, 0, "at most 3%")
    for repeats in range(2, 13):
        found = _supported(repeats, 8, 0.3, 5.5)
        name = f"{repeats} repeats, of 5 epochs in seven of ten trainings and else of 8; 5.5 claimed, 5.9 true"
        simulation.add(section, name, found, 0, "not held: nothing tells of a jump that was not seen")


def _supported(repeats: int, longer: int, share: float, claimed: float) -> float:
    """How often fewer than the claimed number of epochs are found at the upper end, this share taking longer."""
    found = 0.0
    for count in range(repeats + 1):
        values = [float(longer)] * count + [5.0] * (repeats - count)
        if (mean_interval(values, step=1) or EVERYTHING).high < claimed:
            found += float(stats.binom.pmf(count, repeats, share))
    return found


def covers(values: Array, truth: float, step: float) -> bool:
    """Whether the interval of the mean holds the truth."""
    found = mean_interval(values.tolist(), step=step)
    return found is not None and truth in found


def areas_and_calibration(simulation: Simulation) -> None:
    """Intervals of what probabilities tell."""

    def area_is_covered(generator: Generator, own: int, others: int, auc: float) -> bool:
        is_own = np.arange(own + others) < own
        found = auc_interval(auc_parts(generator.normal(stats.norm.ppf(auc) * math.sqrt(2) * is_own, 1), is_own))
        return found is not None and auc in found

    for own, others in ((10, 90), (36, 323), (200, 200)):
        for auc in (0.7, 0.9, 0.98):
            simulation.share(
                "area under the ROC, coverage",
                f"{own} images of the class and {others} others, area {auc}",
                "at least 90%",
                1000,
                lambda g, m=own, n=others, a=auc: area_is_covered(g, m, n, a),
            )

    def error_is_covered(generator: Generator, n: int, too_sure: float) -> bool:
        confidence = np.where(generator.random(n) < 0.7, generator.beta(30, 2, n), generator.uniform(0.6, 1, n)).clip(
            0.6
        )
        labels = (generator.random(n) >= confidence - too_sure).astype(int)
        predictions = ClassPredictions(np.stack([confidence, 1 - confidence], axis=1), labels, ("cat", "dog"))
        return too_sure in calibration_error_interval(predictions, resamples=200).interval

    for n in (200, 1000, 10_000):
        for too_sure in (0.0, 0.01, 0.03, 0.1):
            simulation.share(
                "calibration error, coverage",
                f"{n} images, true error {too_sure}",
                "at least about 90%",
                200 if n < 5000 else 100,
                lambda g, n=n, d=too_sure: error_is_covered(g, n, d),
            )


PARTS = (references, paired_shares, mcnemar_calls, coverages, epochs_that_jump, areas_and_calibration)
