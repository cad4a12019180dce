"""The page on statistics: what its Python prints is what it says."""

import contextlib
import io
import json
import re
from pathlib import Path

from cnnlab.evaluation import score_interval
from cnnlab.evaluation.comparison.mcnemar import mcnemar_p
from cnnlab.evaluation.comparison.results import DifferenceVerdict

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "statistics.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```\n```\n(.*?)```", TEXT, re.DOTALL)


def test_python_on_the_page_prints_what_stands_below_it() -> None:
    assert len(BLOCKS) == TEXT.count("```python")
    known: dict[str, object] = {}
    for code, expected in BLOCKS:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, "statistics.md", "exec"), known)
        assert printed.getvalue().splitlines() == expected.splitlines()


def test_every_verdict_is_explained() -> None:
    from typing import get_args

    table = TEXT.partition("## The verdict")[2].partition("*Undecided*")[0]
    assert set(re.findall(r"`(\w+)`", table)) == set(get_args(DifferenceVerdict))


def test_numbers_in_the_prose_are_right() -> None:
    assert f"0.9396 ({score_interval('accuracy', 0.9396, 10_000)})" in TEXT
    assert mcnemar_p(15, 0) < 0.001
    # Twenty comparisons at 5% each.
    assert abs((1 - 0.95**20) - 2 / 3) < 0.03


def test_the_comparison_of_two_runs_reads_as_shown() -> None:
    from cnnlab.evaluation.comparison.mcnemar import McNemarResult, difference_interval

    interval = difference_interval(15, 0, 100, 0.95)
    shown = McNemarResult(("first", "second"), 100, 80, 15, 0, 5, interval, mcnemar_p(15, 0), "differ", None).sentence
    assert shown in " ".join(TEXT.split())


def test_how_often_intervals_over_folds_hold_is_as_on_record() -> None:
    rows = json.loads((ROOT / "benchmarks" / "results" / "cross-validation.json").read_text())["rows"]
    prose = " ".join(TEXT.partition("## Cross-validation")[2].partition("\n## ")[0].split())
    for kind in rows[0]["covered"]:
        shares = [row["covered"][kind] for row in rows]
        assert f"in {100 * min(shares):.1f}% to {100 * max(shares):.1f}%" in prose
    assert min(row["covered"]["corrected t over folds"] for row in rows) >= 0.95


def test_measured_error_rates_are_those_on_record() -> None:
    recorded = (ROOT / "benchmarks" / "results" / "statistics-error-rates.md").read_text().splitlines()
    quoted = [line for line in TEXT.partition("## What was measured")[2].splitlines() if line.startswith("| ")]
    assert len(quoted) > 30
    assert not set(quoted) - set(recorded)
