"""Two single classifiers on the same pictures: McNemar's exact test."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from cnnlab.evaluation.comparison.power import fewest
from cnnlab.evaluation.comparison.results import p_text
from cnnlab.evaluation.intervals import LEVEL, Interval, tango
from cnnlab.evaluation.metrics.class_probabilities import class_column, class_predictions
from cnnlab.evaluation.units import POINTS
from cnnlab.runs import Predictions

McNemarVerdict: TypeAlias = Literal["differ", "undecided", "identical"]
_MOST = 1_000_000
ONLY_REPEATS = "One training each says nothing of the recipes: which of them is better, only repeats can tell."


@dataclass(frozen=True)
class McNemarResult:
    """Two classifiers on the same pictures.

    It is about these two, as they were trained: another seed would have given others, and which recipe is better only
    repeats can tell.

    :param names: of the first and the second.
    :param n: pictures; ``both_right``, ``only_first``, ``only_second`` and ``both_wrong`` divide them.
    :param difference: of the accuracies, first minus second, with :func:`difference_interval`.
    :param p_value: McNemar's (1947) exact, two-sided: were they equally good, these pictures would fall to either
        like tosses of a coin.
    :param verdict: ``differ`` where the test finds something, and never better or worse, for one training each says
        nothing of the recipes; ``identical`` where they are right about the same pictures.
    :param images_needed: about so many, for a difference like this to be seen four times out of five.
    """

    names: tuple[str, str]
    n: int
    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    interval: Interval
    p_value: float
    verdict: McNemarVerdict
    images_needed: int | None

    @property
    def accuracies(self) -> tuple[float, float]:
        """Of the first and of the second."""
        return (self.both_right + self.only_first) / self.n, (self.both_right + self.only_second) / self.n

    @property
    def difference(self) -> float:
        """Of the accuracies, first minus second."""
        return (self.only_first - self.only_second) / self.n

    @property
    def sentence(self) -> str:
        """The verdict in words, with the numbers behind it."""
        first, second = self.names
        if self.verdict == "identical":
            return f"{first} and {second} are right about the same {self.both_right:,} of {self.n:,} pictures."
        ends = POINTS.range(self.interval.low, self.interval.high, sign=True)
        numbers = (
            f"({POINTS.signed(self.difference)}, {self.interval.level * 100:g}% interval {ends}, "
            f"{p_text(self.p_value)}: {self.only_first:,} pictures only {first} has right, "
            f"{self.only_second:,} only {second})"
        )
        if self.verdict == "differ":
            return f"{first} and {second} differ on these pictures {numbers}."
        return f"{first} against {second}: not enough pictures to tell{self._needed()} {numbers}."

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON."""
        counts = ("n", "both_right", "only_first", "only_second", "both_wrong", "p_value", "verdict", "images_needed")
        return {
            "names": list(self.names),
            "test": "exact McNemar",
            **{name: getattr(self, name) for name in counts},
            "accuracies": list(self.accuracies),
            "difference": self.difference,
            "interval": self.interval.to_dict(),
            "sentence": self.sentence,
        }

    def _needed(self) -> str:
        if self.images_needed is None:
            return ""
        size = POINTS.text(self.difference)
        return f", about {self.images_needed:,} would be needed to see a difference of {size}"


def compare_predictions(
    first: Predictions,
    second: Predictions,
    *,
    column: str | None = None,
    names: tuple[str, str] = ("first", "second"),
    level: float = LEVEL,
) -> McNemarResult:
    """Which of two classifiers has more of the same pictures right.

    :param column: needed where the predictions have several columns of classes.
    :raises UsageError: saying why, when they are not predictions of the same pictures.
    """
    first_right, second_right = _right(first, second, column)
    only = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    count, p = len(first_right), mcnemar_p(*only)
    verdict: McNemarVerdict = "undecided"
    if not any(only):
        verdict = "identical"
    elif p <= 1 - level:
        verdict = "differ"
    return McNemarResult(
        names=names,
        n=count,
        both_right=int((first_right & second_right).sum()),
        only_first=only[0],
        only_second=only[1],
        both_wrong=int((~first_right & ~second_right).sum()),
        interval=difference_interval(*only, count, level),
        p_value=p,
        verdict=verdict,
        images_needed=_needed(*only, count, level) if verdict == "undecided" else None,
    )


def mcnemar_p(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value: twice the smaller tail of a fair coin."""
    from scipy.special import bdtr

    total, smaller = only_first + only_second, min(only_first, only_second)
    return min(1.0, 2 * float(bdtr(smaller, total, 0.5))) if total else 1.0


def difference_interval(only_first: int, only_second: int, n: int, level: float = LEVEL) -> Interval:
    """Tango's interval of the difference of accuracies, wide enough to hold 0 where the exact test does not refuse it.

    With few disagreements the exact test is the more careful of the two, and both stand in one sentence.
    """
    found = tango(only_first, only_second, n, level)
    if mcnemar_p(only_first, only_second) <= 1 - level:
        return found
    return replace(found, low=min(found.low, 0.0), high=max(found.high, 0.0))


def _right(
    first: Predictions, second: Predictions, column: str | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Whether each is right about each picture, in the order of the first."""
    name, second = class_column(first, column), first.align(second)
    return class_predictions(first, name).right, class_predictions(second, name).right


def _needed(only_first: int, only_second: int, n: int, level: float) -> int | None:
    """By the power of the exact test, were the shares of disagreements those observed."""
    total = only_first + only_second
    share = max(only_first, only_second) / total if total else 0.0
    if share <= 0.5:
        return None
    disagreements = fewest(lambda count: _chance(count, share, level), most=_MOST)
    return None if disagreements is None else max(ceil(disagreements * n / total), n + 1)


def _chance(count: int, share: float, level: float) -> float:
    """The probability that the test finds something in so many disagreements, of which the better has this share."""
    from scipy.stats import binom

    smaller = int(binom.ppf((1 - level) / 2, count, 0.5)) - 1
    return float(binom.cdf(smaller, count, 1 - share) + binom.cdf(smaller, count, share)) if smaller >= 0 else 0.0
