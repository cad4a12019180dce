"""How sure scores and differences are, worked out by hand."""

import math
from statistics import stdev

import pytest
from scipy import stats

from cnnlab.transfer.record import ChoiceRecord, ColumnRecord, RepeatRecord, RowRecord, TransferRecord
from cnnlab.transfer.statistics import differences, score_interval

COLUMN = ColumnRecord(
    label="a",
    backbone="a",
    weights="0",
    named="imagenet",
    layer="pooled",
    features=2,
    shape=(3, 8, 8),
    precision="float32",
    kernels="torch",
    deviation=0.0,
    seconds=0.0,
    computed=0,
)


def _row(name: str, values: list[float]) -> RowRecord:
    repeats = tuple(
        RepeatRecord(
            seed=seed,
            classifier=name,
            settings=name,
            scores={"macro_f1": value, "accuracy": value},
            pictures=100,
            trained=400,
            fit_seconds=0.0,
            predict_seconds=0.0,
        )
        for seed, value in enumerate(values)
    )
    return RowRecord(column=0, classifier=name, repeats=repeats)


def _record(rows: list[RowRecord], vary: str = "split") -> TransferRecord:
    choices = tuple(ChoiceRecord(seed=each.seed, row=0) for each in rows[0].repeats)
    return TransferRecord(
        format=1,
        metric="macro_f1",
        vary=vary,  # type: ignore[arg-type]
        columns=(COLUMN,),
        rows=tuple(rows),
        choices=choices,
        module="head.global_pool1",
        temperature=1.0,
        files={},
    )


BEST, WORSE, NEAR = [0.90, 0.92, 0.91, 0.93], [0.70, 0.73, 0.70, 0.74], [0.90, 0.91, 0.92, 0.92]


def test_an_interval_over_divisions_counts_in_that_they_share_pictures() -> None:
    record = _record([_row("best", BEST)])
    interval = score_interval(record.rows[0], record, "macro_f1")
    half = stats.t.ppf(0.975, 3) * stdev(BEST) * math.sqrt(1 / 4 + 100 / 400)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.915 - half, 0.915 + half))


def test_an_interval_over_seeds_is_students() -> None:
    record = _record([_row("best", BEST)], "seed")
    interval = score_interval(record.rows[0], record, "macro_f1")
    half = stats.t.ppf(0.975, 3) * stdev(BEST) / 2
    assert interval is not None and interval.high == pytest.approx(0.915 + half)


def test_differences_are_tested_pair_by_pair_and_adjusted_for_their_number() -> None:
    record = _record([_row("best", BEST), _row("worse", WORSE), _row("near", NEAR)])
    worse, near = differences(record, ["best", "worse", "near"])
    gaps = [a - b for a, b in zip(WORSE, BEST, strict=True)]
    t = (sum(gaps) / 4) / (stdev(gaps) * math.sqrt(1 / 4 + 100 / 400))
    assert worse.p_single == pytest.approx(2 * stats.t.cdf(-abs(t), 3))
    assert worse.p_value == pytest.approx(2 * worse.p_single) and worse.verdict == "worse"
    assert near.verdict == "undecided" and near.interval is not None and 0 in near.interval


def test_no_verdict_comes_of_one_repeat() -> None:
    record = _record([_row("best", BEST[:1]), _row("worse", WORSE[:1])])
    (only,) = differences(record, ["best", "worse"])
    assert (
        only.verdict == "untested"
        and only.p_value is None
        and score_interval(record.rows[0], record, "accuracy") is None
    )


def test_rows_that_never_differ_are_called_identical() -> None:
    record = _record([_row("best", BEST), _row("same", BEST)])
    assert [each.verdict for each in differences(record, ["best", "same"])] == ["identical"]
