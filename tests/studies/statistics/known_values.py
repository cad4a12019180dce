"""Studies whose trials have known values, without any training."""

from collections.abc import Callable, Sequence
from typing import Any

from small_studies import study_of

from cnnlab.core.measurements import Measure, Metric
from cnnlab.studies.result import Claim, Setting, Trial
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.statistics.comparisons import StudyComparisons
from cnnlab.studies.statistics.multiplicity import study_family
from cnnlab.studies.statistics.resolved_claims import resolve_claim
from cnnlab.studies.statistics.tables import Tables
from cnnlab.studies.statistics.verdicts import judge_claim
from cnnlab.studies.study_file import read_study

ACCURACY = Metric("test_accuracy", "test accuracy", "share", "higher")
TRAINED = 5
"""Epochs of every trial."""
Value = float | str | None


def trial(seed: int, value: Value, metric: Metric) -> Trial:
    """A finished one; None for a level never reached; else what became of it: ``nan``, ``error``, ``missing``, …"""
    if value == "missing":
        return Trial(seed, "missing", reason="not trained yet")
    if isinstance(value, str):
        return Trial(seed, "failed", reason="it failed", failure=value)  # type: ignore[arg-type]
    return Trial(seed, "finished", f"run-{seed}", metrics={metric.name: value}, epochs=TRAINED)


def settings_of(rows: Sequence[Sequence[Value]], metric: Metric = ACCURACY, **keys: Any) -> tuple[Setting, ...]:
    """Settings of values by seed.

    :param keys: of the study.
    """
    planned = StudySettings(read_study(study_of(**keys))).settings
    return tuple(
        Setting(one.key, one.label, one.values, {}, tuple(trial(seed, value, metric) for seed, value in enumerate(row)))
        for one, row in zip(planned, rows, strict=True)
    )


class KnownStudy:
    """A study of these values: its comparisons and what becomes of its claims.

    :param rows: by setting, in order, and seed.
    :param tables: metrics that the study compares all settings by; the metric alone unless given.
    """

    def __init__(
        self,
        rows: Sequence[Sequence[Value]],
        *claims: str,
        metric: Metric = ACCURACY,
        images: int | None = 10_000,
        untimed: str = "",
        tables: Sequence[Metric] | None = None,
        image_by_image: Callable[..., Any] = lambda *_: None,
        **keys: Any,
    ) -> None:
        keys = {"vary": {"augment": ["none", "flip", "erase", "invert", "blur", "hue"][: len(rows)]}} | keys
        file = read_study(study_of(repeats=max(1, max(map(len, rows))), **keys))
        self.settings = settings_of(rows, metric, repeats=len(file.repeats), **keys)
        study_settings = StudySettings(file)
        self.resolved = [
            resolve_claim(text, study_settings, lambda name: Measure(metric, lambda run: None)) for text in claims
        ]
        self.metric = metric
        self.tables = Tables.of(
            self.settings,
            file.repeats,
            [metric],
            baseline=study_settings.baseline,
            images={metric.name: images} if images else {},
            smallest=file.smallest,
            untimed=untimed,
        )
        compared = [metric] if tables is None else tables
        family = study_family(self.resolved, compared, list(self.tables.labels), study_settings.baseline)
        self.comparisons = StudyComparisons(self.tables, family, image_by_image)

    @property
    def claims(self) -> list[Claim]:
        """What became of them."""
        return [judge_claim(resolved, self.comparisons) for resolved in self.resolved]

    @property
    def table(self) -> Any:
        """The table of comparisons."""
        return self.comparisons.table(self.metric)


def judged(claim: str, rows: Sequence[Sequence[Value]], **options: Any) -> Claim:
    """What becomes of one claim, with nothing else tested beside it unless ``tables`` says so."""
    (found,) = KnownStudy(rows, claim, **{"tables": (), **options}).claims
    return found
