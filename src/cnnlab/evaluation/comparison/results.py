"""What a comparison of settings found: value objects, and their words."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.number_text import deciding_digits
from cnnlab.evaluation.comparison.power import MOST
from cnnlab.evaluation.intervals import Interval
from cnnlab.evaluation.units import Unit

if TYPE_CHECKING:
    import pandas as pd

DifferenceVerdict: TypeAlias = Literal["better", "worse", "undecided", "alike", "identical", "untested"]
_OPPOSITE: Mapping[DifferenceVerdict, DifferenceVerdict] = {"better": "worse", "worse": "better"}
_DECIDED_AT = 0.05
_COLUMNS = ("setting", "reference", "estimate", "low", "high", "p_value", "permutation_p", "repeats", "test")


@dataclass(frozen=True)
class SettingSummary:
    """One setting by itself.

    :param values: of its repeats by their seed, those that are numbers.
    :param mean: None where there is no value, ``std`` and ``interval`` (t over its own repeats) of less than two.
    """

    name: str
    values: Mapping[Any, float]
    mean: float | None
    std: float | None
    interval: Interval | None

    @property
    def n(self) -> int:
        """How many repeats have a value."""
        return len(self.values)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        facts = {"setting": self.name, "n": self.n, "mean": self.mean, "std": self.std}
        values = {str(seed): value for seed, value in self.values.items()}
        return {**facts, "interval": self.interval and self.interval.to_dict(), "values": values}


@dataclass(frozen=True)
class Difference:
    """One setting against another.

    :param estimate: mean of ``setting`` minus mean of ``reference``, adjusted for seeds that one of them lacks.
    :param interval: holds for all differences of the comparison at once.
    :param p_value: adjusted for the number of comparisons; ``p_single`` is not.
    :param permutation_p: of the exact permutation test, not adjusted, where the repeats suffice for it to reach the
        level; it presumes nothing of how values scatter.
    :param repeats: seeds that both have.
    :param test: which one gave ``p_value``.
    :param verdict: ``better`` or ``worse`` than the reference; ``undecided``: not enough repeats to tell; ``alike``:
        the interval lies within the smallest difference of interest; ``identical``: the same in every repeat, and the
        repeats do not vary; ``untested``: for the reason in ``why``.
    :param more_repeats: of every setting, so that a difference of ``to_see`` is found four times out of five; 0 where
        there are enough already, None where that cannot be said or takes too many.
    """

    setting: str
    reference: str
    unit: Unit
    verdict: DifferenceVerdict
    why: str = ""
    estimate: float | None = None
    interval: Interval | None = None
    p_value: float | None = None
    p_single: float | None = None
    permutation_p: float | None = None
    statistic: float | None = None
    df: float | None = None
    repeats: int = 0
    test: str = ""
    more_repeats: int | None = None
    to_see: float | None = None

    @property
    def sentence(self) -> str:
        """The verdict in words, with the numbers behind it."""
        numbers = f" ({self._numbers()})" if self.estimate is not None else ""
        subject, reference = self.setting, self.reference
        if self.verdict in ("better", "worse"):
            return f"{subject} is {self.verdict} than {reference}{numbers}."
        if self.verdict == "identical":
            return f"{subject} and {reference} came out the same in every repeat."
        if self.verdict == "untested":
            return f"{subject} against {reference}: not tested{numbers}: {self.why}."
        if self.verdict == "alike":
            return f"{subject} and {reference} differ by less than {self.unit.text(self.to_see or 0)}{numbers}."
        return f"{subject} against {reference}: {self._more()}{numbers}."

    def reversed(self) -> "Difference":
        """The same with the two settings exchanged."""
        return replace(
            self,
            setting=self.reference,
            reference=self.setting,
            verdict=_OPPOSITE.get(self.verdict, self.verdict),
            estimate=None if self.estimate is None else 0.0 - self.estimate,
            interval=self.interval and self.interval.reversed(),
            statistic=None if self.statistic is None else 0.0 - self.statistic,
        )

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        facts = {key: value for key, value in vars(self).items() if key not in ("unit", "interval")}
        return {**facts, "interval": self.interval and self.interval.to_dict(), "sentence": self.sentence}

    def _numbers(self) -> str:
        parts = [self.unit.signed(self.estimate or 0.0)]
        if self.interval is not None:
            ends = self.unit.range(self.interval.low, self.interval.high, sign=True, around=self.estimate)
            parts.append(f"{self.interval.level * 100:g}% interval {ends}")
        if self.p_value is not None:
            parts.append(p_text(self.p_value))
        return ", ".join(parts)

    def _more(self) -> str:
        lacking = "not enough repeats to tell"
        if self.to_see is None:
            return lacking
        size = self.unit.text(self.to_see)
        if self.more_repeats == 0:
            return f"no difference found, and these repeats would show one of {size} four times out of five"
        number = f"more than {MOST:,}" if self.more_repeats is None else f"about {self.more_repeats:,} more"
        return f"{lacking}, {number} would be needed to see a difference of {size}"


@dataclass(frozen=True)
class Comparisons:
    """Settings of one study against one another.

    :param settings: each by itself, in the order given.
    :param differences: of each other setting from the baseline, or of all pairs.
    :param pooled_std: standard deviation between repeats, common to the settings, with its degrees of freedom ``df``;
        None where nothing was pooled.
    :param blocked: whether settings were compared seed by seed.
    :param method: the test in a word or two; ``reason`` says which test it was and why, in sentences.
    :param cautions: what a reader should know before believing the verdicts.
    """

    settings: tuple[SettingSummary, ...]
    differences: tuple[Difference, ...]
    baseline: str | None
    level: float
    higher_is_better: bool
    unit: Unit
    pooled_std: float | None
    df: int | None
    blocked: bool
    method: str
    reason: str
    cautions: tuple[str, ...]

    @property
    def best(self) -> str | None:
        """The setting with the best mean, whether or not it is surely the best."""
        known = [summary for summary in self.settings if summary.mean is not None]
        sign = 1 if self.higher_is_better else -1
        return max(known, key=lambda summary: sign * (summary.mean or 0.0)).name if known else None

    def summary(self, name: str) -> SettingSummary:
        """One setting by itself.

        :raises UsageError: when there is none of that name.
        """
        for summary in self.settings:
            if summary.name == name:
                return summary
        hint = suggestion(name, [setting.name for setting in self.settings])
        raise UsageError(f"there is no setting {name!r} in this comparison. {hint}")

    def between(self, setting: str, reference: str) -> Difference:
        """How ``setting`` differs from ``reference``.

        :raises UsageError: when they were not compared, as where both were compared with a baseline only.
        """
        for difference in self.differences:
            if (difference.setting, difference.reference) == (setting, reference):
                return difference
            if (difference.setting, difference.reference) == (reference, setting):
                return difference.reversed()
        self.summary(setting), self.summary(reference)
        raise UsageError(
            f"{setting} and {reference} were not compared with each other, only with {self.baseline}. Compare without "
            "a baseline for all pairs."
        )

    def frame(self) -> "pd.DataFrame":
        """A row a difference, in the metric's own units."""
        import pandas as pd

        rows = []
        for difference in self.differences:
            ends = {
                "low": difference.interval and difference.interval.low,
                "high": difference.interval and difference.interval.high,
            }
            facts = vars(difference) | ends
            rows.append(
                {
                    **{key: facts[key] for key in _COLUMNS},
                    "verdict": difference.verdict,
                    "sentence": difference.sentence,
                }
            )
        return pd.DataFrame(rows, columns=[*_COLUMNS, "verdict", "sentence"])

    def settings_frame(self) -> "pd.DataFrame":
        """A row a setting: n, mean, SD and the ends of its interval, in the metric's own units."""
        import pandas as pd

        columns = ["setting", "n", "mean", "std", "low", "high"]
        rows = [
            [
                setting.name,
                setting.n,
                setting.mean,
                setting.std,
                setting.interval and setting.interval.low,
                setting.interval and setting.interval.high,
            ]
            for setting in self.settings
        ]
        return pd.DataFrame(rows, columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        facts = ("baseline", "level", "higher_is_better", "pooled_std", "df", "blocked", "method", "reason")
        return {
            **{key: getattr(self, key) for key in facts},
            "best": self.best,
            "cautions": list(self.cautions),
            "settings": [summary.to_dict() for summary in self.settings],
            "differences": [difference.to_dict() for difference in self.differences],
        }

    def __str__(self) -> str:
        lines = [difference.sentence for difference in self.differences]
        return "\n".join([*lines, self.reason, *(f"Note: {text}" for text in self.cautions)])


def p_text(p: float) -> str:
    """A p-value as it is written: two digits of what counts, more where these would hide on which side of 5% it is,
    and nothing below a thousandth."""
    if p < 0.001:
        return "p < 0.001"
    text = f"{p:.2g}" if p < 0.1 else f"{p:.2f}"
    if float(text) == _DECIDED_AT:
        text = f"{p:.{deciding_digits([p], [_DECIDED_AT], 2)}f}"
    return f"p = {text}"
