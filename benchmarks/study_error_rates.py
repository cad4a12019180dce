"""How often whole studies say something false, by simulation without any training.

    OMP_NUM_THREADS=1 python benchmarks/study_error_rates.py

Every setting is drawn with the same true accuracy, so each verdict other than undecided is a false call. A study counts
as a false call when any of its tables, on any metric, or any of its claims is called.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np

from cnnlab.core.measurements import Measure, Metric
from cnnlab.evaluation.comparison.mcnemar import mcnemar_p
from cnnlab.evaluation.comparison.pair_tests import PairTest
from cnnlab.studies.result import Setting, Trial
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.statistics.comparisons import StudyComparisons
from cnnlab.studies.statistics.multiplicity import StudyFamily, study_family
from cnnlab.studies.statistics.published_numbers import ResolvedRow, ResolvedTable, compare_published
from cnnlab.studies.statistics.resolved_claims import ResolvedClaim, resolve_claim
from cnnlab.studies.statistics.tables import Tables
from cnnlab.studies.statistics.verdicts import judge_claim
from cnnlab.studies.study_file import read_study

TARGET = Path(__file__).parent / "results" / "study-error-rates"
ACCURACY = Metric("test_accuracy", "test accuracy", "share", "higher")
LOSS = Metric("test_loss", "test loss", "loss", "lower")
METRICS = {metric.name: metric for metric in (ACCURACY, LOSS)}
LEVEL, SPREAD = 0.9, 0.004
"""The true mean of every setting, and the standard deviation between repeats and between seeds."""
CLAIMS = (
    "optimizer.lr=0.02 is better than optimizer.lr=0.03",
    "optimizer.lr=0.02 is the best on test_loss",
    "test_accuracy of optimizer.lr=0.01 is at least 0.9",
    "the best test_accuracy is at least 0.9",
)
BASE = {"data": "digits", "model": "mlp(hidden=[8])", "optimizer": "sgd(lr=0.1)", "epochs": 1}


@dataclass(frozen=True)
class Case:
    """What is simulated.

    :param draw: whether one study, drawn from a generator, holds a false call.
    """

    what: str
    wanted: str
    draw: Callable[[np.random.Generator], bool]


class SimulatedStudy:
    """The questions of one study, asked of numbers that are drawn anew each time."""

    def __init__(
        self, settings: int, repeats: int, claims: Sequence[str], metrics: Sequence[Metric], has_baseline: bool = False
    ) -> None:
        rates = [round(0.01 * (place + 1), 2) for place in range(settings)]
        content: dict[str, Any] = {"question": "?", "base": BASE, "vary": {"optimizer.lr": rates}, "repeats": repeats}
        content |= {"baseline": {"optimizer.lr": rates[0]}} if has_baseline else {}
        study_settings = StudySettings(read_study(content))
        self.keys = {setting.key: setting.label for setting in study_settings.settings}
        self.baseline, self.repeats, self.metrics = study_settings.baseline, repeats, metrics
        self.claims: list[ResolvedClaim] = [
            resolve_claim(
                text, study_settings, lambda name: Measure(METRICS[name or "test_accuracy"], lambda run: None)
            )
            for text in claims
        ]
        self.family: StudyFamily = study_family(self.claims, metrics, list(self.keys), self.baseline)

    def tables(self, rows: Callable[[], Any]) -> Tables:
        """Of settings × seeds for each metric."""
        values = {
            name: {key: dict(enumerate(row)) for key, row in zip(self.keys, rows().tolist(), strict=True)}
            for name in METRICS
        }
        images = {"test_accuracy": 10_000}
        return Tables(self.keys, range(self.repeats), METRICS, values, self.baseline, images)

    def is_called(self, generator: np.random.Generator) -> bool:
        """Whether anything is, where nothing differs."""

        def rows() -> Any:
            seeds = generator.normal(0, SPREAD, self.repeats)
            return LEVEL + seeds + generator.normal(0, SPREAD, (len(self.keys), self.repeats))

        comparisons = StudyComparisons(self.tables(rows), self.family)
        tables = [table for metric in self.metrics if (table := comparisons.table(metric)) is not None]
        words = {one.verdict for table in tables for one in table.comparisons}
        decided = {judge_claim(claim, comparisons).verdict for claim in self.claims}
        return bool(words & {"better", "worse"}) or bool(decided - {"undecided"})


def of_study(settings: int, repeats: int, claims: int, metrics: int, has_baseline: bool) -> Case:
    """A whole study."""
    study = SimulatedStudy(settings, repeats, CLAIMS[:claims], list(METRICS.values())[:metrics], has_baseline)
    how = "a baseline" if has_baseline else "all pairs"
    what = f"{settings} settings, {repeats} repeats, {how} on {metrics} metric{'s' * (metrics > 1)}, {claims} claims"
    return Case(what, "at most 5%", study.is_called)


def best_of(settings: int, repeats: int) -> Case:
    """The best of settings that are all at the level."""
    study = SimulatedStudy(settings, repeats, ["the best test_accuracy is at least 0.9"], [])

    def draw(generator: np.random.Generator) -> bool:
        tables = study.tables(lambda: generator.normal(LEVEL, SPREAD, (settings, repeats)))
        return judge_claim(study.claims[0], StudyComparisons(tables, study.family)).verdict == "supported"

    return Case(f"the best is at least L; {settings} settings at L, {repeats} repeats", "at most 5%", draw)


def single_runs(spread: float, is_of_recipes: bool) -> Case:
    """Two trainings of one recipe: whether they differ on 10,000 pictures, and whether one is called better."""

    def draw(generator: np.random.Generator) -> bool:
        first, second = (generator.random(10_000) < generator.normal(LEVEL, spread) for _ in range(2))
        p = mcnemar_p(int((first & ~second).sum()), int((second & ~first).sum()))
        return p <= 0.05 and not is_of_recipes

    said = "called better or worse" if is_of_recipes else "told to differ on these pictures"
    what = f"two trainings of one recipe ({100 * spread:g} points between trainings), {said}"
    return Case(what, "never" if is_of_recipes else "about the classifiers, and true of them", draw)


def published(repeats: int, deficit: float, words: tuple[str, ...], wanted: str) -> Case:
    """A result that is this far below a published number of 95%, with a tolerance of half a point."""

    def draw(generator: np.random.Generator) -> bool:
        values = generator.normal(0.95 - deficit, 0.002, repeats)
        trials = tuple(Trial(seed, "finished", metrics={"test_accuracy": float(v)}) for seed, v in enumerate(values))
        setting = Setting("s0", "s0", {}, {}, trials)
        tables = Tables.of([setting], range(repeats), [ACCURACY], images={"test_accuracy": 10_000})
        row = ResolvedRow("s0", 0.95, "s0", None)
        return compare_published(ResolvedTable("", ACCURACY, (row,), None, 0.005), tables).rows[0].word in words

    far = f"{100 * deficit:g} points below a published number" if deficit else "equal to a published number"
    return Case(f"{repeats} repeat{'s' * (repeats > 1)}, {far}: called {' or '.join(words)}", wanted, draw)


def cases() -> Iterator[Case]:
    """All of them."""
    yield of_study(4, 4, 0, 1, True)
    yield of_study(4, 4, 0, 2, True)
    yield of_study(4, 4, 4, 1, True)
    yield of_study(4, 4, 4, 2, True)
    yield of_study(4, 4, 4, 2, False)
    yield of_study(8, 3, 4, 2, True)
    yield of_study(12, 3, 4, 2, False)
    for settings, repeats in ((1, 3), (12, 3), (24, 3), (24, 5), (20, 1)):
        yield best_of(settings, repeats)
    for spread in (0.004, 0.015):
        yield single_runs(spread, is_of_recipes=False)
        yield single_runs(spread, is_of_recipes=True)
    yield published(1, 0.0, ("better", "worse", "reproduced"), "never")
    yield published(2, 0.01, ("reproduced",), "at most 2.5%")
    yield published(2, 0.005, ("reproduced",), "at most 2.5%")
    yield published(5, 0.005, ("reproduced",), "at most 2.5%")
    yield published(3, 0.0, ("better", "worse"), "at most 5%")


def measure(case: Case, studies: int, seed: int) -> dict[str, Any]:
    """The share of false calls."""
    generator = np.random.default_rng(seed)
    called = sum(case.draw(generator) for _ in range(studies))
    return {"what": case.what, "wanted": case.wanted, "called": called, "studies": studies}


def table(record: dict[str, Any]) -> str:
    """The figures as a page."""
    lines = [
        "# How often whole studies say something false",
        "",
        "Simulated without any training: every setting has the same true accuracy, 0.4 points between repeats and 0.4 "
        "points between seeds. ± is 1.96 standard errors of the share.",
        "",
        "| simulated | called | ± | wanted | n |",
        "| --- | --- | --- | --- | --- |",
    ]
    for one in record["cases"]:
        share = one["called"] / one["studies"]
        error = 1.96 * math.sqrt(share * (1 - share) / one["studies"])
        lines.append(
            f"| {one['what']} | {100 * share:.2f}% | {100 * error:.2f} | {one['wanted']} | {one['studies']:,} |"
        )
    return "\n".join([*lines, "", f"Measured {record['measured']} with seed {record['seed']}."]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=TARGET, help="the table's path, without its suffix")
    arguments = parser.parse_args()
    # How many repeats are lacking takes longer than all the rest, and nobody asks.
    PairTest.more = lambda self: None  # type: ignore[method-assign]
    record = {
        "measured": time.strftime("%Y-%m-%d"),
        "machine": machine.describe(),
        "seed": arguments.seed,
        "cases": [measure(case, arguments.studies, arguments.seed) for case in cases()],
    }
    arguments.out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    arguments.out.with_suffix(".md").write_text(table(record))
    print(table(record))


if __name__ == "__main__":
    main()
