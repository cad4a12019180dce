"""Whole studies: a false call is any of their tables, on any metric, or any of their claims that is called."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from simulation import SD, Array, Generator, Simulation

from cnnlab.core.measurements import Measure, Metric
from cnnlab.evaluation import SequentialDesign, until
from cnnlab.evaluation.comparison.mcnemar import mcnemar_p
from cnnlab.evaluation.comparison.pair_tests import PairTest
from cnnlab.studies.result import Setting, Trial
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.statistics.comparisons import StudyComparisons
from cnnlab.studies.statistics.multiplicity import SequentialLook, StudyFamily, study_family
from cnnlab.studies.statistics.published_numbers import ResolvedRow, ResolvedTable, compare_published
from cnnlab.studies.statistics.resolved_claims import ResolvedClaim, resolve_claim
from cnnlab.studies.statistics.tables import Tables
from cnnlab.studies.statistics.verdicts import judge_claim
from cnnlab.studies.study_file import read_study

ACCURACY = Metric("test_accuracy", "test accuracy", "share", "higher")
LOSS = Metric("test_loss", "test loss", "loss", "lower")
METRICS = {metric.name: metric for metric in (ACCURACY, LOSS)}
LEVEL = 0.9
"""The true mean of every setting."""
CLAIMS = (
    "optimizer.lr=0.02 is better than optimizer.lr=0.03",
    "optimizer.lr=0.02 is the best on test_loss",
    "test_accuracy of optimizer.lr=0.01 is at least 0.9",
    "the best test_accuracy is at least 0.9",
)
BASE = {"data": "digits", "model": "mlp(hidden=[8])", "optimizer": "sgd(lr=0.1)", "epochs": 1}


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

    def tables(self, rows: Mapping[str, Array]) -> Tables:
        """Of settings × seeds for each metric."""
        values = {
            name: {key: dict(enumerate(row)) for key, row in zip(self.keys, rows[name].tolist(), strict=True)}
            for name in METRICS
        }
        images = {"test_accuracy": 10_000}
        return Tables(self.keys, range(self.repeats), METRICS, values, self.baseline, images)

    def is_called(self, generator: Generator, looks: SequentialDesign | None = None) -> bool:
        """Whether anything is, where nothing differs; at any of several looks where there are some."""
        rows = {name: self._rows(generator) for name in METRICS}
        if looks is None:
            return self._is_called(rows, self.family)
        return any(
            self._is_called(
                {name: values[:, :repeats] for name, values in rows.items()},
                replace(self.family, look=SequentialLook(looks, repeats)),
            )
            for repeats in looks.looks
        )

    def _rows(self, generator: Generator) -> Array:
        seeds = generator.normal(0, SD, self.repeats)
        return LEVEL + seeds + generator.normal(0, SD, (len(self.keys), self.repeats))

    def _is_called(self, rows: Mapping[str, Array], family: StudyFamily) -> bool:
        comparisons = StudyComparisons(self.tables(rows), family)
        tables = [table for metric in self.metrics if (table := comparisons.table(metric)) is not None]
        words = {one.verdict for table in tables for one in table.comparisons}
        decided = {judge_claim(claim, comparisons).verdict for claim in self.claims}
        return bool(words & {"better", "worse"}) or bool(decided - {"undecided"})


def whole_studies(simulation: Simulation) -> None:
    """All of a study at once."""
    for settings, repeats, claims, metrics, has_baseline in (
        (4, 4, 0, 1, True),
        (4, 4, 0, 2, True),
        (4, 4, 4, 1, True),
        (4, 4, 4, 2, True),
        (4, 4, 4, 2, False),
        (8, 3, 4, 2, True),
        (12, 3, 4, 2, False),
    ):
        study = SimulatedStudy(settings, repeats, CLAIMS[:claims], list(METRICS.values())[:metrics], has_baseline)
        how = "a baseline" if has_baseline else "all pairs"
        name = (
            f"{settings} settings, {repeats} repeats, {how} on {metrics} metric{'s' * (metrics > 1)}, {claims} claims"
        )
        # How many repeats are lacking takes longer than all the rest, and nobody asks.
        with patch.object(PairTest, "more", lambda test: None):
            simulation.share("any false call in a whole study", name, "at most 5%", 800, study.is_called)


def studies_with_looks(simulation: Simulation) -> None:
    """Repeats added until something is decided, nothing being there."""
    for settings, most, claims, has_baseline in ((4, 8, 2, True), (4, 8, 2, False), (12, 6, 4, True)):
        study = SimulatedStudy(settings, most, CLAIMS[:claims], [ACCURACY], has_baseline)
        how = "a baseline" if has_baseline else "all pairs"
        name = f"{settings} settings, looks at 3 … {most} repeats, {how}, {claims} claims"
        with patch.object(PairTest, "more", lambda test: None):
            simulation.share(
                "any false call in a study with repeats: until(…)",
                name,
                "at most 5%",
                300,
                lambda g, study=study, most=most: study.is_called(g, until(most)),
            )


def claims_of_the_best(simulation: Simulation) -> None:
    """That the best reaches a level, all settings being exactly there."""
    for settings, repeats in ((1, 3), (12, 3), (24, 3), (24, 5), (20, 1)):
        study = SimulatedStudy(settings, repeats, ["the best test_accuracy is at least 0.9"], [])

        def is_supported(generator: Generator, study: SimulatedStudy = study) -> bool:
            shape = len(study.keys), study.repeats
            tables = study.tables(dict.fromkeys(METRICS, generator.normal(LEVEL, SD, shape)))
            return judge_claim(study.claims[0], StudyComparisons(tables, study.family)).verdict == "supported"

        name = f"{settings} settings, {repeats} repeat{'s' * (repeats > 1)}"
        simulation.share(
            "a study's claim that the best is at least L, all being L", name, "at most 5%", 1000, is_supported
        )


def single_trainings(simulation: Simulation) -> None:
    """Two trainings of one recipe on 10,000 images."""
    for spread in (0.004, 0.015):

        def differ(generator: Generator, spread: float = spread) -> bool:
            first, second = (generator.random(10_000) < generator.normal(LEVEL, spread) for _ in range(2))
            return mcnemar_p(int((first & ~second).sum()), int((second & ~first).sum())) <= 0.05

        name = f"{100 * spread:g} points between trainings"
        promised = "not held: it is true of the two classifiers"
        simulation.share("two trainings of one recipe, told to differ on these images", name, promised, 1000, differ)


def published_rows(simulation: Simulation) -> None:
    """A result beside a published 95%, with a tolerance of half a point."""
    for repeats, deficit, words, promised in (
        (1, 0.0, ("better", "worse", "reproduced"), "never"),
        (2, 0.01, ("reproduced",), "at most 2.5%"),
        (2, 0.005, ("reproduced",), "at most 2.5%"),
        (5, 0.005, ("reproduced",), "at most 2.5%"),
        (5, 0.0, ("reproduced",), "the more often the better"),
        (3, 0.0, ("better", "worse"), "at most 5%"),
    ):

        def is_called(generator: Generator, b: int = repeats, d: float = deficit, w: tuple[str, ...] = words) -> bool:
            return published_word(generator.normal(0.95 - d, 0.002, b)) in w

        far = f"{100 * deficit:g} points below it" if deficit else "equal to it"
        name = f"{repeats} repeat{'s' * (repeats > 1)}, {far}: called {' or '.join(words)}"
        simulation.share("a row of a published table", name, promised, 1000, is_called)


def published_word(values: Array) -> str:
    """What a study says of these values beside a published 95%."""
    trials = tuple(
        Trial(seed, "finished", metrics={"test_accuracy": float(value)}) for seed, value in enumerate(values)
    )
    setting = Setting("s0", "s0", {}, {}, trials)
    tables = Tables.of([setting], range(len(values)), [ACCURACY], images={"test_accuracy": 10_000})
    row = ResolvedRow("s0", 0.95, "s0", None)
    return compare_published(ResolvedTable("", ACCURACY, (row,), None, 0.005), tables).rows[0].word


PARTS = (whole_studies, studies_with_looks, claims_of_the_best, single_trainings, published_rows)
