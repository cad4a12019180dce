"""What cnnlab's statistics promise, held against simulated studies of which the truth is known.

    OMP_NUM_THREADS=1 python benchmarks/statistics_error_rates.py

Error rates where there is nothing to find, coverage of intervals, and power, each with the number of studies simulated
and the margin that chance leaves (two standard errors). Every row has a seed of its own, so that equal calls give equal
numbers. ``--studies`` multiplies the studies of every row; at 1 the whole takes about eight minutes on one core.
"""

import argparse
import json
import math
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

from cnnlab.evaluation import (
    ClassPredictions,
    Interval,
    best_setting_bound,
    calibration_error_interval,
    compare_over_pairs,
    compare_settings,
    compare_to_mean,
    compare_to_number,
    crossed_intervals,
    mean_interval,
    power,
    required_repeats,
    until,
    wilson,
)
from cnnlab.evaluation.comparison.mcnemar import difference_interval, mcnemar_p
from cnnlab.evaluation.comparison.permutation_test import sign_flip_interval
from cnnlab.evaluation.metrics.auc_interval import auc_interval, auc_parts

TARGET = Path(__file__).parent / "results" / "statistics-error-rates"
SD = 0.004
Array = np.ndarray[Any, np.dtype[np.float64]]
Generator = np.random.Generator


@dataclass(frozen=True)
class Row:
    """A measured share of studies.

    :param promised: what it should be, in words.
    """

    section: str
    of: str
    measured: float
    n: int
    promised: str

    @property
    def margin(self) -> float:
        """Two standard errors; of a share that never or always occurred, what three in n leave."""
        return max(2 * math.sqrt(self.measured * (1 - self.measured) / self.n), 3 / self.n if self.n else 0.0)


class Simulation:
    """Rows as they are measured."""

    def __init__(self, studies: float) -> None:
        self.studies, self.rows = studies, list[Row]()

    def share(self, section: str, of: str, promised: str, n: int, happens: Callable[[Generator], bool]) -> None:
        """Adds how often something happens in ``n`` studies."""
        n, generator = max(20, round(n * self.studies)), np.random.default_rng(zlib.crc32(f"{section} {of}".encode()))
        self.add(section, of, sum(bool(happens(generator)) for _ in range(n)) / n, n, promised)

    def add(self, section: str, of: str, measured: float, n: int, promised: str) -> None:
        """Adds a share that was measured otherwise."""
        self.rows.append(Row(section, of, float(measured), n, promised))
        print(f"{section} | {of} | {measured:.4f} | {n}", flush=True)


def study(
    generator: Generator, settings: int, repeats: int, spreads: Iterable[float] = (), seeds: float = 1.5
) -> pd.DataFrame:
    """Accuracies of settings that are all alike on average; ``seeds`` is what a seed does to all of them."""
    scale = np.ones(settings)
    spreads = list(spreads)
    scale[: len(spreads)] = spreads
    noise = generator.normal(0, SD, (repeats, settings)) * scale + generator.normal(0, seeds * SD, (repeats, 1))
    return pd.DataFrame(0.9 + noise, columns=[f"s{place}" for place in range(settings)])


def is_called(table: pd.DataFrame, **options: Any) -> bool:
    """Whether any difference is called one."""
    # The repeats that are lacking are reckoned at once for a difference so large.
    found = compare_settings(table, smallest=1e3, **options)
    return any(one.verdict in ("better", "worse") for one in found.differences)


def false_calls(simulation: Simulation) -> None:
    """Equal settings called different."""
    equal, wide = "settings that scatter alike", "one scatters {} times as much"
    shapes: list[tuple[str, int, list[float]]] = [
        (equal, 2, []), (equal, 5, []), (equal, 12, []),
        *((wide.format(ratio) + ", the baseline", k, [ratio]) for k in (5, 12) for ratio in (2, 5, 10)),
        *((wide.format(5) + ", not the baseline", k, [1, 5]) for k in (5, 12)),
        ("half of them scatter 5 times as much", 12, [5] * 6),
        ("spreads from 1 to 5", 12, list(np.linspace(1, 5, 12))),
    ]  # fmt: skip
    for repeats in (2, 3, 5, 10):
        for name, settings, spreads in shapes:
            simulation.share(
                "any false call against a baseline", f"{settings} settings, {repeats} repeats; {name}", "at most 6%", 1000,
                lambda g, k=settings, b=repeats, s=spreads: is_called(study(g, k, b, s), baseline="s0"),
            )  # fmt: skip
    for name, spreads in ((equal, []), (wide.format(5), [5])):
        for repeats in (3, 5):
            simulation.share(
                "any false call among all pairs", f"12 settings, {repeats} repeats; {name}", "at most 6%", 1000,
                lambda g, b=repeats, s=spreads: is_called(study(g, 12, b, s)),
            )  # fmt: skip
    for name, settings, spreads in ((equal, 5, []), (wide.format(5), 5, [5]), (wide.format(5), 12, [5])):
        simulation.share(
            "pooled variance, for comparison", f"{settings} settings, 3 repeats; {name}, the baseline",
            "5% if alike, else not held", 1000,
            lambda g, k=settings, s=spreads: is_called(study(g, k, 3, s), baseline="s0", test="pooled"),
        )  # fmt: skip
    for repeats in (2, 3, 5):
        for name, spreads in ((equal, []), (wide.format(5), [5])):
            simulation.share(
                "independent repeats (blocked=False)", f"5 settings, {repeats} repeats; {name}", "at most 6%", 1000,
                lambda g, b=repeats, s=spreads: is_called(study(g, 5, b, s, 0), baseline="s0", blocked=False),
            )  # fmt: skip
    simulation.share(
        "is the best", "5 settings, 5 repeats: better than each of the others", "at most 5%", 1000,
        lambda g: all(
            one.verdict == "worse" for one in compare_settings(study(g, 5, 5), baseline="s0", smallest=1e3).differences
        ),
    )  # fmt: skip


def of_pairs(generator: Generator, stacked: bool) -> bool:
    """Four learning rates with and without momentum; what momentum does depends on the seed alike at all of them."""
    table = study(generator, 8, 3)
    table.iloc[:, :4] += generator.normal(0, SD, (3, 1))
    pairs = [(f"s{place}", f"s{place + 4}") for place in range(4)]
    if stacked:
        sides = {side: np.ravel(table[[pair[place] for pair in pairs]]) for place, side in enumerate("ab")}
        return is_called(pd.DataFrame(sides), baseline="a")
    return compare_over_pairs(table, pairs, smallest=1e3).verdict in ("better", "worse")


def pairs_of_settings(simulation: Simulation) -> None:
    """Several pairs compared at once."""
    section = "several pairs of settings at once, with a seed-by-setting effect"
    simulation.share(section, "one value a seed", "at most 5%", 2000, lambda g: of_pairs(g, stacked=False))
    simulation.share(section, "pairs taken for repeats", "not held", 1000, lambda g: of_pairs(g, stacked=True))


def sequential(simulation: Simulation) -> None:
    """Repeats added until something is found."""
    for design in (until(6), until(10), until(20), until(20, first=5, every=5)):
        name = f"looks at {', '.join(map(str, design.looks[:3]))} … {design.looks[-1]} repeats"
        n, generator = 100_000, np.random.default_rng(1)
        differences = generator.normal(0, 1, (n, design.looks[-1]))
        p_values = [stats.ttest_1samp(differences[:, :k], 0, axis=1).pvalue for k in design.looks]
        called = np.any([p <= 1 - design.level_at(k) for k, p in zip(design.looks, p_values, strict=True)], axis=0)
        simulation.add("added until something is found", name, called.mean(), n, "5%")
        naive = (np.array(p_values) <= 0.05).any(axis=0).mean()
        simulation.add("added until something is found", f"{name}, each at 5%", naive, n, "not held")

    def is_called_at_any_look(generator: Generator, settings: int, spreads: list[float]) -> bool:
        table, design = study(generator, settings, 8, spreads), until(8)
        return any(is_called(table[:k], baseline="s0", level=design.level_at(k)) for k in design.looks)

    for settings, spreads in ((2, []), (5, []), (5, [5.0]), (12, []), (12, [5.0])):
        simulation.share(
            "added until something is found", f"{settings} settings, 3 … 8 repeats, spreads {spreads or 'alike'}",
            "at most 6%", 1000, lambda g, k=settings, s=spreads: is_called_at_any_look(g, k, s),
        )  # fmt: skip


def sequential_power(simulation: Simulation) -> None:
    """What until() finds, beside a fixed number of repeats."""
    for most in (6, 10, 20):
        for of_sd in (1.0, 1.5, 2.0, 3.0):
            found, fixed = until(most).power(of_sd * SD, SD), power(of_sd * SD, SD, most)
            name = f"up to {most} repeats, a difference of {of_sd:g} SD: {found.mean_repeats:.1f} repeats on average"
            simulation.add("power of until()", name, found.found, 20_000, f"{fixed:.2f} with {most} repeats always")


def best_of_many(simulation: Simulation) -> None:
    """The best of settings that all just fail to reach a level."""

    def reaches(table: pd.DataFrame) -> bool:
        bound = best_setting_bound(table).bound
        return bound is not None and bound >= 0.9

    section = "the best is at least L, all being just below"
    for settings, repeats in ((1, 3), (5, 3), (12, 3), (24, 3), (24, 5), (20, 1)):
        simulation.share(
            section, f"{settings} settings, {repeats} repeat{'s' if repeats > 1 else ''}", "at most 5%", 3000,
            lambda g, k=settings, b=repeats: reaches(study(g, k, b)),
        )  # fmt: skip
    simulation.share(
        section, "12 settings, 3 repeats, one scatters 5 times as much", "at most 5%", 3000,
        lambda g: reaches(study(g, 12, 3, [5])),
    )  # fmt: skip


def references(simulation: Simulation) -> None:
    """Measured values beside a number."""
    for repeats in (2, 3, 5):
        for off, promised in ((0.01, "at most 2.5%"), (0.005, "at most 2.5%")):
            simulation.share(
                "reproduced, though off by the tolerance", f"{repeats} repeats, off by {100 * off:g} points", promised, 4000,
                lambda g, b=repeats, d=off: compare_to_number(g.normal(0.9, SD, b), 0.9 + d, tolerance=d).verdict
                == "reproduced",
            )  # fmt: skip
        simulation.share(
            "better or worse than a number that is true", f"{repeats} repeats", "at most 5%", 4000,
            lambda g, b=repeats: compare_to_number(g.normal(0.9, SD, b), 0.9).verdict in ("better", "worse"),
        )  # fmt: skip
        for theirs, ratio in ((2, 1.0), (5, 1.0), (5, 0.2), (5, 5.0)):
            simulation.share(
                "better or worse than a published mean with its SD",
                f"{repeats} repeats against {theirs}, their SD {ratio:g} times ours", "at most 7%", 4000,
                lambda g, b=repeats, n=theirs, r=ratio: against_published(g, b, n, r),
            )  # fmt: skip


def against_published(generator: Generator, repeats: int, theirs: int, ratio: float) -> bool:
    """Whether an equal recipe is told apart from what somebody else measured of it."""
    published = generator.normal(0.9, ratio * SD, theirs)
    ours = generator.normal(0.9, SD, repeats).tolist()
    found = compare_to_mean(ours, float(published.mean()), float(published.std(ddof=1)), theirs)
    return found.verdict in ("better", "worse")


def paired_shares(simulation: Simulation) -> None:
    """Coverage for the difference of two accuracies on the same pictures: the least over a grid of shares, exactly."""
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
                "paired accuracies, least coverage over 105 shares", f"{n} pictures, {name}", coverage, 0, promised
            )


def _outcomes(n: int, first: float, second: float) -> Iterator[tuple[int, int, float]]:
    """How many pictures only one of the two has right, with the probability; 2,000 drawn where there are too many."""
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
    """Method 10, where six of ten of the pictures on which both agree are right."""
    both = round(0.6 * (n - one - other))
    neither = n - one - other - both
    ends = [wilson(both + only, n) or Interval(0, 1) for only in (one, other)]
    (p, q), (low_p, high_p), (low_q, high_q) = (
        [(both + one) / n, (both + other) / n], *((found.low, found.high) for found in ends),
    )  # fmt: skip
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
        name = f"{n} pictures, {100 * share:g}% right for either alone"
        simulation.add("equally good classifiers told apart (McNemar)", name, calls, 20_000, "at most 5%")


def coverages(simulation: Simulation) -> None:
    """Intervals of one number."""
    for repeats in (2, 3, 5, 10):
        for name, draw in (
            ("normal values", lambda g, b: (g.normal(0.9, SD, b), 0.9, 0.0)),
            ("epochs, 5 or 6 alike often", lambda g, b: (5.0 + g.binomial(1, 0.5, b), 5.5, 1.0)),
            ("epochs, 6 in one of five, else 5", lambda g, b: (5.0 + g.binomial(1, 0.2, b), 5.2, 1.0)),
            ("shares of 10 pictures", lambda g, b: (g.binomial(10, 0.9, b) / 10, 0.9, 0.1)),
        ):
            simulation.share(
                "mean over repeats, coverage", f"{repeats} repeats, {name}", "at least 93%", 3000,
                lambda g, b=repeats, d=draw: covers(*d(g, b)),
            )  # fmt: skip
    for name, draw_differences in (
        ("normal", lambda g: g.normal(0, 1, 8)),
        ("double exponential", lambda g: g.laplace(0, 1, 8)),
    ):
        simulation.share(
            "permutation interval, coverage", f"8 differences, {name}", "at least 94%", 400,
            lambda g, d=draw_differences: 0.0 in (sign_flip_interval(d(g), 0.95) or Interval(1, 1)),
        )  # fmt: skip


def covers(values: Array, truth: float, step: float) -> bool:
    """Whether the interval of the mean holds the truth."""
    found = mean_interval(values.tolist(), step=step)
    return found is not None and truth in found


def areas_and_calibration(simulation: Simulation) -> None:
    """Intervals of what probabilities tell."""

    def area_is_covered(generator: Generator, own: int, others: int, auc: float) -> bool:
        is_own = np.arange(own + others) < own
        parts = auc_parts(generator.normal(stats.norm.ppf(auc) * math.sqrt(2) * is_own, 1), is_own)
        return parts is not None and auc in auc_interval(parts)

    for own, others in ((10, 90), (36, 323), (200, 200)):
        for auc in (0.7, 0.9, 0.98):
            simulation.share(
                "area under the ROC, coverage", f"{own} pictures of the class and {others} others, area {auc}", "at least 90%",
                2000, lambda g, m=own, n=others, a=auc: area_is_covered(g, m, n, a),
            )  # fmt: skip

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
                "calibration error, coverage", f"{n} pictures, true error {too_sure}", "at least 93%", 400 if n < 5000 else 150,
                lambda g, n=n, d=too_sure: error_is_covered(g, n, d),
            )  # fmt: skip


def two_sources(simulation: Simulation) -> None:
    """Trainings and pictures."""

    def trainings(generator: Generator, repeats: int, images: int, accuracy: float, luck: float) -> Array:
        hard, good = generator.normal(0, 2, (1, images)), generator.normal(0, luck, (repeats, 1))
        threshold = stats.norm.ppf(accuracy) * math.sqrt(5 + luck**2)
        return (threshold + hard + good + generator.normal(0, 1, (repeats, images)) > 0).astype(float)

    for repeats in (2, 3, 5):
        for images, accuracy in ((360, 0.97), (2000, 0.94)):
            for luck in (0.0, 0.1, 0.3):
                simulation.share(
                    "recipes on new pictures, coverage",
                    f"{repeats} repeats, {images} pictures, accuracy {accuracy}, seeds {luck}", "at least 93%", 600,
                    lambda g, b=repeats, n=images, a=accuracy, s=luck: a in crossed_intervals(trainings(g, b, n, a, s)).new_images,
                )  # fmt: skip
    for luck in (0.0, 0.1, 0.3):
        simulation.share(
            "one training's Wilson interval taken for its recipe's", f"2000 pictures, accuracy 0.94, seeds {luck}",
            "not held", 1000, lambda g, s=luck: 0.94 in (wilson(int(trainings(g, 1, 2000, 0.94, s).sum()), 2000) or Interval(1, 1)),
        )  # fmt: skip


def powers(simulation: Simulation) -> None:
    """Planted differences found, beside what power() says."""
    for settings, repeats, of_sd in (
        (2, 3, 4),
        (2, 10, 1.5),
        (5, 3, 4),
        (5, 5, 2),
        (7, 16, 1.25),
        (12, 3, 4),
        (12, 5, 2.5),
    ):
        expected = power(of_sd * SD, SD, repeats, settings=settings)

        def is_found(generator: Generator, k: int = settings, b: int = repeats, d: float = of_sd * SD) -> bool:
            table = study(generator, k, b)
            table["s1"] += d
            return compare_settings(table, baseline="s0", smallest=1e3).between("s1", "s0").verdict == "better"

        name = f"{settings} settings, {repeats} repeats, a difference of {of_sd:g} SD"
        simulation.share("power", name, f"{expected:.3f} by power()", 1000, is_found)
    grid = [
        power(difference, SD, repeats, settings=settings)
        for settings in (2, 5)
        for difference in np.geomspace(0.0003, 0.05, 20)
        for repeats in (2, 3, 5, 10, 30, 71, 100, 300, 1000)
    ]
    simulation.add("power", "a number at 360 points of a grid", float(np.mean(np.isfinite(grid))), 360, "100%")


def advice(simulation: Simulation) -> None:
    """What is found if as many repeats are made as an undecided comparison asks for."""
    for settings, repeats, difference in ((2, 3, 0.006), (2, 10, 0.003), (5, 5, 0.004)):
        reached: dict[str, list[float]] = {"for the difference seen": [], "for the true difference": []}
        generator = np.random.default_rng(settings)
        for _ in range(max(20, round(150 * simulation.studies))):
            table = study(generator, settings, repeats)
            table["s1"] += difference
            for name, smallest in (("for the difference seen", None), ("for the true difference", difference)):
                found = compare_settings(table, baseline="s0", smallest=smallest).between("s1", "s0")
                if found.verdict in ("undecided", "alike"):
                    more = found.more_repeats if found.more_repeats is not None else 1000
                    reached[name].append(power(difference, SD, repeats + more, settings=settings))
        lacking = (required_repeats(difference, SD, settings=settings) or 0) - repeats
        for name, powers_reached in reached.items():
            of = f"{settings} settings, {repeats} repeats, {100 * difference:g} points, {name}; truly {lacking} lacking"
            simulation.add(
                "mean power after the repeats advised",
                of,
                float(np.mean(powers_reached)),
                len(powers_reached),
                "about 80%",
            )


PARTS = (
    false_calls, pairs_of_settings, sequential, sequential_power, best_of_many, references, paired_shares, mcnemar_calls,
    coverages, areas_and_calibration, two_sources, powers, advice,
)  # fmt: skip


def table(rows: list[Row]) -> str:
    """As Markdown, a table a section."""
    lines = []
    for section in dict.fromkeys(row.section for row in rows):
        lines += [f"## {section[0].upper()}{section[1:]}", "", "| of | measured | margin | studies | promised |"]
        lines += ["| --- | ---: | ---: | ---: | --- |"]
        for row in (row for row in rows if row.section == section):
            margin = f"±{100 * row.margin:.1f}" if row.n else "exact"
            lines.append(f"| {row.of} | {100 * row.measured:.1f}% | {margin} | {row.n or ''} | {row.promised} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Measures everything, or the parts named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=", ".join(part.__name__ for part in PARTS))
    parser.add_argument("--studies", type=float, default=1.0)
    asked = parser.parse_args()
    simulation, start = Simulation(asked.studies), time.perf_counter()
    for part in PARTS:
        if not asked.parts or part.__name__ in asked.parts:
            part(simulation)
    print(f"{time.perf_counter() - start:.0f} seconds")
    if asked.parts or asked.studies < 1:
        return
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.with_suffix(".json").write_text(json.dumps([asdict(row) for row in simulation.rows], indent=1) + "\n")
    heading = (
        "# What the statistics promise, and what they do\n\nMeasured by `benchmarks/statistics_error_rates.py` in simulated "
        "studies. The margin is two standard errors, in percent.\n\n"
    )
    TARGET.with_suffix(".md").write_text(heading + table(simulation.rows))


if __name__ == "__main__":
    main()
