"""Claims on how much settings scatter, held against the correlation of sums and differences (Pitman and Morgan)."""

import numpy as np
import pytest
from known_values import KnownStudy, judged
from scipy import stats

from cnnlab.core.errors import UsageError
from cnnlab.studies.claim_grammar import ChosenSettings, SpreadClaim, read_claim

LESS = "augment=none scatters less than augment=flip"
MORE = "augment=none scatters more than augment=flip"
CALM = [0.900, 0.902, 0.899, 0.901, 0.900, 0.903]
WILD = [0.880, 0.930, 0.850, 0.910, 0.870, 0.940]


def pitman_morgan(one: list[float], other: list[float]) -> float:
    a, b = np.array(one), np.array(other)
    return float(stats.pearsonr(a + b, a - b).pvalue)


def test_it_is_read_with_both_settings_its_way_and_its_metric() -> None:
    claim = read_claim("ensemble=committee scatters less than network='Basic 3' on test_loss.")
    assert claim == SpreadClaim(
        "ensemble=committee scatters less than network='Basic 3' on test_loss.",
        ChosenSettings({"ensemble": "committee"}, "ensemble=committee"),
        "less",
        ChosenSettings({"network": "Basic 3"}, "network='Basic 3'"),
        "test_loss",
    )


@pytest.mark.parametrize(
    ("claim", "rows", "verdict"),
    [
        (LESS, [CALM, WILD], "supported"),
        (MORE, [CALM, WILD], "contradicted"),
        (LESS, [WILD, CALM], "contradicted"),
        (MORE, [WILD, CALM], "supported"),
        (LESS, [CALM, [value + 0.01 for value in reversed(CALM)]], "undecided"),
    ],
)
def test_it_is_decided_where_the_interval_of_the_ratio_is_on_one_side_of_one(
    claim: str, rows: list[list[float]], verdict: str
) -> None:
    found = judged(claim, rows)
    assert found.verdict == verdict
    assert (pitman_morgan(*rows) < 0.05) == (verdict != "undecided")
    ratio = np.std(rows[0], ddof=1) / np.std(rows[1], ddof=1)
    assert found.numbers["ratio"] == pytest.approx(ratio) and found.numbers["low"] < ratio < found.numbers["high"]
    assert f"scatters {ratio:.2f} times as much as flip over 6 repeats (95% interval" in found.why


def test_at_the_edge_it_is_the_p_value_that_decides() -> None:
    """Stretched just so far that the test of Pitman and Morgan stands on either side of 5%."""
    noise = np.random.default_rng(3).normal(size=(2, 8))
    verdicts = set()
    for factor in np.linspace(1, 4, 31):
        rows = [list(noise[0] / 100 + 0.9), list(factor * noise[1] / 100 + 0.9)]
        found = judged(LESS, rows)
        assert (found.verdict == "supported") == (pitman_morgan(*rows) < 0.05 and found.numbers["ratio"] < 1)
        verdicts.add(found.verdict)
    assert verdicts == {"supported", "undecided"}


def test_it_has_its_part_of_what_all_claims_may_err() -> None:
    alone = judged(LESS, [CALM, WILD]).numbers
    both = KnownStudy([CALM, WILD], LESS, "test_accuracy of augment=flip is above 50%", tables=()).claims[0]
    assert both.numbers["low"] < alone["low"] < alone["high"] < both.numbers["high"]
    assert "simultaneous 95% interval" in both.why
    # The same two spreads, said the other way round, are one test.
    twice = KnownStudy([CALM, WILD], LESS, "augment=flip scatters more than augment=none", tables=()).claims
    assert twice[0].numbers["low"] == alone["low"] and [each.verdict for each in twice] == ["supported", "supported"]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([CALM[:2], WILD[:2]], "A ratio of spreads takes 3 pairs"),
        ([[0.9, 0.9, 0.9], WILD[:3]], "the same in every repeat"),
        ([[*CALM[:4], "nan"], WILD[:5]], "Repeats of none failed"),
    ],
)
def test_it_is_undecided_where_there_is_no_spread_to_tell(rows: list[list[float | str | None]], why: str) -> None:
    found = judged(LESS, rows)
    assert found.verdict == "undecided" and why in found.why and not found.numbers


def test_repeats_that_one_of_the_two_lacks_are_left_out() -> None:
    found = judged(LESS, [[*CALM, "missing"], [*WILD, 0.1]])
    assert found.numbers["repeats"] == 6 and found.numbers["ratio"] == pytest.approx(
        np.std(CALM, ddof=1) / np.std(WILD, ddof=1)
    )


def test_several_pairs_at_once_are_refused() -> None:
    keys = {"vary": {"augment": ["none", "flip"], "epochs": [1, 2]}}
    with pytest.raises(UsageError, match="compares 2 pairs of settings"):
        KnownStudy([CALM[:3]] * 4, LESS, tables=(), **keys)
