"""How claims may be written, and what is said of one that cannot be read."""

import pytest

from cnnlab.core.errors import UsageError
from cnnlab.studies.claim_grammar import Amount, BestClaim, ComparisonClaim, NoDifferenceClaim, read_claim


@pytest.mark.parametrize(
    ("metric_first", "margin_first"),
    [
        (
            "x=1 is better than x=2 on test_loss by at least 2 points",
            "x=1 is better than x=2 by at least 2 points on test_loss",
        ),
        ("x=1 is no different from x=2 on gap within 0.5", "x=1 is no different from x=2 within 0.5 on gap"),
    ],
)
def test_metric_and_margin_stand_in_either_order(metric_first, margin_first):
    first, second = read_claim(metric_first), read_claim(margin_first)
    assert isinstance(first, ComparisonClaim | NoDifferenceClaim) and isinstance(second, type(first))
    assert {**vars(first), "text": ""} == {**vars(second), "text": ""}
    assert first.metric is not None


def test_a_margin_is_said_once():
    with pytest.raises(UsageError, match="nothing more is expected"):
        read_claim("x=1 is better than x=2 by at least 1 on gap by at least 2")


@pytest.mark.parametrize("stop", [".", " ."])
def test_a_full_stop_may_end_a_claim(stop):
    claim = read_claim(f"optimizer.lr=0.1 is better than optimizer.lr=0.01{stop}")
    assert isinstance(claim, ComparisonClaim) and claim.right.values == {"optimizer.lr": "0.01"}
    assert claim.text.endswith(stop)
    bound = read_claim(f"x=1 is better than x=2 by at least 2 points{stop}")
    assert isinstance(bound, ComparisonClaim) and bound.margin == Amount(2.0, "points")


def test_a_dot_that_is_a_value_is_no_full_stop():
    claim = read_claim("x=1 is better than data=.")
    assert isinstance(claim, ComparisonClaim) and claim.right.values == {"data": "."}
    inside = read_claim("data=a.b. is the best.")
    assert isinstance(inside, BestClaim) and inside.setting.values == {"data": "a.b."}


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("x=1 was good", "'is' is expected here, or 'and', ',' or 'scatters'"),
        ("x=1 scatters much", "one of less, more is expected here"),
        (
            "x=1 is good",
            "one of better, worse, higher, lower, faster, slower, no different from, not different from, the best, the "
            "fastest, significantly",
        ),
        (
            "x=1 is better than x=2 at least 2",
            "nothing more is expected here, unless it is 'and', ',', 'by at least' or 'on'",
        ),
        ("x=1 is the best of all", "nothing more is expected here, unless it is 'on'"),
        ("the best gap is at least 1 bananas", "unless it is 'points', 'seconds', 'minutes' or 'epochs'"),
        ("flip is better than none", "a setting is expected here, such as augment='flip', or the baseline"),
    ],
)
def test_what_may_stand_at_the_place_is_said(text, possible):
    with pytest.raises(UsageError) as caught:
        read_claim(text)
    assert possible in str(caught.value)


def test_a_claim_that_cannot_be_read_comes_with_the_forms_of_claims():
    with pytest.raises(UsageError) as caught:
        read_claim("x=1 is good")
    said = str(caught.value)
    for form in ("SETTING is better than SETTING", "SETTING is the best", "the best METRIC is at least AMOUNT"):
        assert form in said
    assert "docs/" not in said and ".." not in said
