"""Settings compared: false calls, the best of many, sequential designs, power and advice."""

import numpy as np
import pandas as pd
from scipy import stats
from simulation import SD, Generator, Simulation, is_called, study

from cnnlab.evaluation import best_setting_bound, compare_over_pairs, compare_settings, power, required_repeats, until


def false_calls(simulation: Simulation) -> None:
    """Equal settings called different."""
    equal, wide = "settings that scatter alike", "one scatters {} times as much"
    shapes: list[tuple[str, int, list[float]]] = [
        (equal, 2, []),
        (equal, 5, []),
        (equal, 12, []),
        *((wide.format(ratio) + ", the baseline", k, [ratio]) for k in (5, 12) for ratio in (2, 5, 10)),
        *((wide.format(5) + ", not the baseline", k, [1, 5]) for k in (5, 12)),
        ("half of them scatter 5 times as much", 12, [5] * 6),
        ("spreads from 1 to 5", 12, list(np.linspace(1, 5, 12))),
    ]
    for repeats in (2, 3, 5, 10):
        for name, settings, spreads in shapes:
            simulation.share(
                "any false call against a baseline",
                f"{settings} settings, {repeats} repeats; {name}",
                "at most 6%",
                1000,
                lambda g, k=settings, b=repeats, s=spreads: is_called(study(g, k, b, s), baseline="s0"),
            )
    for name, spreads in ((equal, []), (wide.format(5), [5])):
        for repeats in (3, 5):
            simulation.share(
                "any false call among all pairs",
                f"12 settings, {repeats} repeats; {name}",
                "at most 6%",
                1000,
                lambda g, b=repeats, s=spreads: is_called(study(g, 12, b, s)),
            )
    for name, settings, spreads in ((equal, 5, []), (wide.format(5), 5, [5]), (wide.format(5), 12, [5])):
        simulation.share(
            "pooled variance, for comparison",
            f"{settings} settings, 3 repeats; {name}, the baseline",
            "5% if alike, else not held",
            1000,
            lambda g, k=settings, s=spreads: is_called(study(g, k, 3, s), baseline="s0", test="pooled"),
        )
    for repeats in (2, 3, 5):
        for name, spreads in ((equal, []), (wide.format(5), [5])):
            simulation.share(
                "independent repeats (blocked=False)",
                f"5 settings, {repeats} repeats; {name}",
                "at most 6%",
                1000,
                lambda g, b=repeats, s=spreads: is_called(study(g, 5, b, s, 0), baseline="s0", blocked=False),
            )
    for counts, spreads in (((2, 5), (1, 0.3)), ((2, 10), (1, 0.5)), ((3, 10), (1, 0.5)), ((5, 2, 2), (0.3, 1, 1))):
        simulation.share(
            "independent repeats (blocked=False)",
            f"{' against '.join(map(str, counts))} repeats, spreads {', '.join(map(str, spreads))}",
            "at most 6%",
            1000,
            lambda g, c=counts, s=spreads: is_called(unequally_many(g, c, s), baseline="s0", blocked=False),
        )
    simulation.share(
        "is the best",
        "5 settings, 5 repeats: better than each of the others",
        "at most 5%",
        1000,
        lambda g: all(
            one.verdict == "worse" for one in compare_settings(study(g, 5, 5), baseline="s0", smallest=1e3).differences
        ),
    )


def unequally_many(generator: Generator, counts: tuple[int, ...], spreads: tuple[float, ...]) -> pd.DataFrame:
    """Settings of so many repeats each, of which no two share a seed."""
    values, start = {}, 0
    for place, (count, spread) in enumerate(zip(counts, spreads, strict=True)):
        values[f"s{place}"] = pd.Series(generator.normal(0.9, spread * SD, count), range(start, start + count))
        start += count
    return pd.DataFrame(values)


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
            "added until something is found",
            f"{settings} settings, 3 … 8 repeats, spreads {spreads or 'alike'}",
            "at most 6%",
            1000,
            lambda g, k=settings, s=spreads: is_called_at_any_look(g, k, s),
        )


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
            section,
            f"{settings} settings, {repeats} repeat{'s' if repeats > 1 else ''}",
            "at most 5%",
            1500,
            lambda g, k=settings, b=repeats: reaches(study(g, k, b)),
        )
    simulation.share(
        section,
        "12 settings, 3 repeats, one scatters 5 times as much",
        "at most 5%",
        1500,
        lambda g: reaches(study(g, 12, 3, [5])),
    )


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
        simulation.share("power", name, f"{expected:.3f} by power()", 4000, is_found)
    for collapses in (False, True):

        def is_found_beside(generator: Generator, collapses: bool = collapses) -> bool:
            table = study(generator, 5, 5, [1, 1, 1, 1, 75 if collapses else 1])
            table["s1"] += 6 * SD
            return compare_settings(table, baseline="s0", smallest=1e3).between("s1", "s0").verdict == "better"

        name = f"5 settings, 5 repeats, a difference of 6 SD{', another setting collapses now and then' * collapses}"
        simulation.share("power", name, "about as often in both", 600, is_found_beside)
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


PARTS = (false_calls, pairs_of_settings, sequential, sequential_power, best_of_many, powers, advice)
