"""How sure the scores of a transfer are over its repeats, and how they differ from those of what was chosen."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, variance

from cnnlab.evaluation.comparison.multiple_comparisons import holm
from cnnlab.evaluation.comparison.results import Difference, DifferenceVerdict
from cnnlab.evaluation.cross_validation import FoldScore, corrected_interval
from cnnlab.evaluation.intervals import LEVEL, Interval, mean_interval
from cnnlab.evaluation.student_t import two_sided_p
from cnnlab.evaluation.units import POINTS
from cnnlab.transfer.record import RowRecord, TransferRecord

ONE_REPEAT = "one repeat tells nothing of how scores vary; repeats=5 divides the pictures anew five times"


def score_interval(row: RowRecord, record: TransferRecord, metric: str) -> Interval | None:
    """The interval of a row's mean score on validation; None where there are too few repeats.

    Where the pictures are divided anew, those trained on are mostly the same in all repeats, so their scores scatter
    less than those of independent repeats: Nadeau and Bengio's corrected t interval counts that in.
    """
    values = [each.scores[metric] for each in row.repeats]
    step = 1 / max(1, row.repeats[0].pictures)
    if record.vary == "seed":
        return mean_interval(values, within=(0, 1), step=step)
    return corrected_interval(_folds(row, values), within=(0, 1), step=step)


def test_interval(record: TransferRecord, metric: str) -> Interval | None:
    """The same of what was chosen, on test."""
    values = [choice.test[metric] for choice in record.choices if choice.test is not None]
    if len(values) < len(record.choices):
        return None
    step = 1 / max(1.0, (record.choices[0].test or {}).get("n", 1.0))
    if record.vary == "seed":
        return mean_interval(values, within=(0, 1), step=step)
    folds = [
        FoldScore(value, int((choice.test or {})["n"]), record.rows[choice.row].repeats[0].trained)
        for value, choice in zip(values, record.choices, strict=True)
    ]
    return corrected_interval(folds, within=(0, 1), step=step)


def differences(record: TransferRecord, labels: Sequence[str]) -> list[Difference]:
    """Each other row against that which is stored, repeat by repeat, on validation.

    A paired t test, over divisions of the same pictures with the variance corrected after Nadeau and Bengio (2003,
    section 4); p-values are adjusted after Holm, and intervals are Bonferroni's.

    :param labels: what each row is called.
    """
    best = record.choices[0].row
    others = [place for place in range(len(record.rows)) if place != best]
    tests = [_paired(record, place, best, len(others)) for place in others]
    adjusted = holm([p for _, _, p in tests])
    return [
        _told(record, Difference(labels[place], labels[best], POINTS, "identical"), *test, p)
        for place, test, p in zip(others, tests, adjusted, strict=True)
    ]


def _told(
    record: TransferRecord, known: Difference, mean: float, interval: Interval | None, single: float, p: float
) -> Difference:
    """What a test of two rows says of their difference."""
    repeats = len(record.choices)
    known = replace(known, estimate=mean, repeats=repeats)
    if repeats < 2:
        return replace(known, verdict="untested", why=ONE_REPEAT)
    if interval is None:
        return known
    is_decided = p < 1 - LEVEL and 0 not in interval
    verdict: DifferenceVerdict = "undecided" if not is_decided else "better" if mean > 0 else "worse"
    tested = "paired t" if record.vary == "seed" else "corrected paired t"
    return replace(
        known, verdict=verdict, interval=interval, p_value=p, p_single=single, df=float(repeats - 1), test=tested
    )


def _paired(record: TransferRecord, place: int, best: int, count: int) -> tuple[float, Interval | None, float]:
    """The mean difference of two rows, its interval among ``count``, and its p-value by itself."""
    row, reference = record.rows[place], record.rows[best]
    values = [
        mine.scores[record.metric] - theirs.scores[record.metric]
        for mine, theirs in zip(row.repeats, reference.repeats, strict=True)
    ]
    mean = fmean(values)
    if len(values) < 2 or not variance(values):
        return mean, None, float("nan")
    level = 1 - (1 - LEVEL) / max(1, count)
    if record.vary == "seed":
        interval = mean_interval(values, level)
        error = math.sqrt(variance(values) / len(values))
    else:
        interval = corrected_interval(_folds(row, values), level)
        ratio = fmean(each.pictures / each.trained for each in row.repeats)
        error = math.sqrt(variance(values) * (1 / len(values) + ratio))
    return mean, interval, two_sided_p(mean / error, len(values) - 1)


def _folds(row: RowRecord, values: Sequence[float]) -> list[FoldScore]:
    return [FoldScore(value, each.pictures, each.trained) for value, each in zip(values, row.repeats, strict=True)]
