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
RESULTS = ROOT / "benchmarks" / "results" / "statistics-error-rates"
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
    """Of every kind of case, but for those that set power beside what ``power()`` says."""
    recorded = (RESULTS.with_suffix(".md")).read_text().partition("\n## ")[0].splitlines()
    quoted = [line for line in TEXT.partition("## What was measured")[2].splitlines() if line.startswith("| ")]
    missing = [line for line in recorded if line.startswith("| ") and line not in quoted]
    assert not set(quoted) - set(recorded)
    assert all(line.startswith("| power") for line in missing)


def measured(section: str, of: str) -> float:
    """The share on record of one case."""
    rows = json.loads(RESULTS.with_suffix(".json").read_text())["rows"]
    (found,) = [row["measured"] for row in rows if row["section"] == section and row["of"].startswith(of)]
    return float(found)


def test_what_the_prose_says_of_single_cases_is_on_record() -> None:
    prose = " ".join(TEXT.partition("## What was measured")[2].split())
    paired = measured("any false call against a baseline", "2 settings, 5 repeats; settings that scatter alike")
    assert f"and to {paired:.1%} in 10,000 others" in prose
    jumps = {
        n: measured("a false claim of at most so many epochs supported", f"{n} repeats, of 5") for n in range(2, 13)
    }
    assert f"although the mean is 5.9, in {jumps[7]:.0%} of studies." in prose
    assert f"Two to six repeats never do, eleven in {jumps[11]:.0%}." in prose
    assert not any(jumps[n] for n in range(2, 7)) and jumps[7] == max(jumps.values())
