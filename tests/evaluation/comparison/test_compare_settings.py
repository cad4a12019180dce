"""Comparing settings: the numbers, the choice of the test, the verdicts, and what is said of what cannot be tested."""

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import NUMBER, compare_settings, required_repeats
from cnnlab.runs.record import json_value

NAN = np.nan


def table(
    seed: int = 0, repeats: int = 3, effects: tuple[float, ...] = (0, 0.01, 0, -0.03), std: float = 0.003
) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    values = generator.normal(0.9, std, (repeats, len(effects))) + generator.normal(0, 0.01, (repeats, 1)) + effects
    return pd.DataFrame(values, columns=list("abcdefgh"[: len(effects)]), index=range(repeats))


def test_pooling_tells_what_three_repeats_of_two_settings_cannot() -> None:
    # A spread of one point in each, and a difference of two: seed by seed +1, +2 and +3 points.
    pair = pd.DataFrame({"a": [0.90, 0.91, 0.92], "b": [0.91, 0.93, 0.95]})
    values = pair.assign(c=[0.90, 0.91, 0.925], d=[0.91, 0.915, 0.93], e=[0.90, 0.912, 0.921])
    assert compare_settings(pair, baseline="a").differences[0].verdict == "undecided"
    assert compare_settings(values, baseline="a", test="pooled").between("b", "a").verdict == "better"


def test_a_setting_that_scatters_widely_is_held_to_its_own_spread_and_leaves_the_others_theirs() -> None:
    generator = np.random.default_rng(5)
    noise = generator.normal(0, 0.001, (5, 5)) * [20, 1, 1, 1, 1]
    values = pd.DataFrame(0.9 + noise + generator.normal(0, 0.05, (5, 1)), columns=list("abcde"))
    own = compare_settings(values, planned=[("a", "b"), ("c", "b")])
    pooled = compare_settings(values, planned=[("a", "b"), ("c", "b")], test="pooled")
    widths = [[one.interval.width for one in found.differences if one.interval] for found in (own, pooled)]
    assert widths[0][0] > 2 * widths[1][0] and widths[0][1] < 0.5 * widths[1][1]
    # The wide one leaves nothing but its own four degrees of freedom; two calm ones have those of both.
    assert own.differences[0].df == pytest.approx(4.0, abs=1.0) and 5 < (own.differences[1].df or 0) < 9


def test_planned_comparisons_are_tested_by_the_pooled_spread_and_adjusted_after_holm_among_themselves() -> None:
    values, pairs = table(repeats=4, effects=(0, 0.006, 0.001, -0.002, 0)), [("b", "a"), ("c", "a"), ("d", "e")]
    comparisons = compare_settings(values, planned=pairs, test="pooled")
    frame = values.melt(ignore_index=False).reset_index(names="seed")
    fitted = smf.ols("value ~ C(variable) + C(seed)", frame).fit()
    names = {name: f"C(variable)[T.{name}]" for name in "bcde"}
    contrasts = [names["b"], names["c"], f"{names['d']} - {names['e']}"]
    singles = [float(fitted.t_test(f"{contrast} = 0").pvalue) for contrast in contrasts]
    assert [(difference.setting, difference.reference) for difference in comparisons.differences] == pairs
    assert [difference.p_single for difference in comparisons.differences] == pytest.approx(singles)
    assert [difference.p_value for difference in comparisons.differences] == pytest.approx(
        multipletests(singles, method="holm")[1]
    )
    for difference, contrast in zip(comparisons.differences, contrasts, strict=True):
        low, high = fitted.t_test(f"{contrast} = 0").conf_int(0.05 / 3)[0]
        assert difference.interval is not None and (difference.interval.low, difference.interval.high) == pytest.approx(
            (low, high)
        )
    assert "3 comparisons that were planned" in comparisons.reason


def test_one_planned_comparison_needs_no_adjustment() -> None:
    (found,) = compare_settings(table(), planned=[("b", "a")]).differences
    assert found.p_value == found.p_single and found.test == "moderated t"


@settings(max_examples=40)
@given(st.permutations(range(4)), st.permutations(range(3)))
def test_order_of_settings_and_seeds_does_not_matter(columns: list[int], rows: list[int]) -> None:
    values = table()
    comparisons = compare_settings(values.iloc[rows, columns], baseline="a")
    for difference in compare_settings(values, baseline="a").differences:
        other = comparisons.between(difference.setting, "a")
        assert (other.estimate, other.p_value) == pytest.approx(
            (difference.estimate, difference.p_value), rel=1e-6, abs=1e-3
        )
        assert other.verdict == difference.verdict


@given(st.floats(0.1, 10), st.floats(-3, 3))
def test_shifting_and_scaling_all_values_changes_no_p_value(scale: float, shift: float) -> None:
    values = table()
    # The repeats lacking, which are not looked at, are told at once for differences as large as these.
    before, after = compare_settings(values, smallest=1.0), compare_settings(values * scale + shift, smallest=scale)
    assert [difference.p_value for difference in after.differences] == pytest.approx(
        [difference.p_value for difference in before.differences], rel=1e-4
    )


def test_the_difference_taken_the_other_way_round_has_the_opposite_sign_and_verdict() -> None:
    values = table()
    difference = compare_settings(values).between("d", "a")
    other = compare_settings(values[list("dcba")]).between("a", "d")
    assert (difference.verdict, other.verdict) == ("worse", "better")
    assert difference.estimate == pytest.approx(-(other.estimate or 0))
    assert difference.interval is not None and other.interval is not None
    assert difference.interval.low == pytest.approx(-other.interval.high, abs=1e-5)
    assert difference.reversed().verdict == "better"
    assert difference.reversed().reversed() == difference


def test_lower_can_be_better() -> None:
    values = table()
    assert compare_settings(values, baseline="a", higher_is_better=False).between("d", "a").verdict == "better"
    assert compare_settings(values, higher_is_better=False).best == "d"
    assert compare_settings(values).best == "b"


def test_a_missing_value_is_adjusted_for_the_seed_it_lacks() -> None:
    # Additive without noise but for a wiggle that leaves the effects alone: setting b is better by 1 at every seed.
    values = pd.DataFrame({"a": [0.0, 1.0, 10.0], "b": [1.0, 2.0, NAN], "c": [0.0, 1.0, 10.0]})
    values["c"] += [0.1, -0.1, 0.0]
    comparisons = compare_settings(values, baseline="a")
    assert comparisons.between("b", "a").estimate == pytest.approx(1.0)
    assert comparisons.summary("b").mean == 1.5
    assert "1 value is missing" in comparisons.cautions[0]
    assert "least squares" in comparisons.reason


def test_settings_that_share_no_seeds_are_compared_only_when_the_unpaired_test_is_asked_for() -> None:
    values = pd.DataFrame({"a": [0.90, 0.91, NAN, NAN], "b": [NAN, NAN, 0.95, 0.96]})
    (found,) = compare_settings(values, baseline="a").differences
    assert (found.verdict, found.repeats, found.estimate) == ("untested", 0, pytest.approx(0.05))
    assert "share fewer than two seeds" in found.sentence
    (unpaired,) = compare_settings(values, baseline="a", blocked=False).differences
    assert (unpaired.test, unpaired.verdict) == ("Welch's t", "better")


@pytest.mark.parametrize("test", ["auto", "paired"])
def test_independent_repeats_of_unequal_number_have_each_their_own_t(test: str) -> None:
    first, second = [0.90, 0.93], [0.95, 0.96, 0.94, 0.951, 0.957]
    values = pd.DataFrame({"a": [*first, *[NAN] * 5], "b": [NAN, NAN, *second]})
    found = compare_settings(values, baseline="a", blocked=False, test=test).differences[0]  # type: ignore[arg-type]
    halves = [stats.t.ppf(0.975, len(side) - 1) * stats.sem(side) for side in (first, second)]
    assert (found.test, found.interval.width / 2) == ("Banerjee's t", pytest.approx(np.hypot(*halves)))
    assert (found.p_value <= 0.05) == (0 not in found.interval)


def test_one_shared_seed_is_not_enough_and_hinders_no_other_pair() -> None:
    values = table(repeats=6, effects=(0, 0.03, 0.03))
    values.loc[:2, "c"] = NAN
    values.loc[4:, "b"] = NAN
    found = compare_settings(values, baseline="b")
    assert found.between("a", "b").verdict == "worse"
    assert (found.between("c", "b").verdict, found.between("c", "b").repeats) == ("untested", 1)


@pytest.mark.parametrize("test", ["auto", "pooled", "paired"])
def test_no_verdict_rests_on_fewer_than_two_shared_seeds(test: str) -> None:
    generator = np.random.default_rng(0)
    for _ in range(30):
        values = pd.DataFrame(generator.normal(0, 1, (4, 4)) * [1, 1, 1, 9], columns=list("abcd"))
        values = values.mask(generator.random((4, 4)) < 0.5)
        for one in compare_settings(values, test=test).differences:  # type: ignore[arg-type]
            assert one.repeats >= 2 or one.verdict == "untested"
            assert one.p_value is None or 0 < one.p_value <= 1


def test_pooling_settings_that_scatter_differently_is_cautioned_against() -> None:
    values = table(effects=(0, 0.02, 0, 0.001, 0.002), repeats=4)
    values["f"] = [0.9, 0.1, 0.5, 0.2]
    assert "scatter unlike one another" in compare_settings(values, baseline="a", test="pooled").cautions[0]
    assert not compare_settings(values, baseline="a").cautions
    assert not compare_settings(values[list("abcde")], baseline="a", test="pooled").cautions


def test_a_setting_that_collapses_now_and_then_does_not_hide_the_others() -> None:
    values = table(effects=(0, 0.02, 0, 0.001, 0.002), repeats=4)
    alone = compare_settings(values, planned=[("b", "a")]).differences[0]
    values["f"] = [0.9, 0.1, 0.5, 0.9]
    beside = compare_settings(values, planned=[("b", "a")]).differences[0]
    assert (alone.verdict, beside.verdict) == ("better", "better")
    assert alone.interval is not None and beside.interval is not None
    assert beside.interval.high - beside.interval.low < 2 * (alone.interval.high - alone.interval.low)


def test_repeats_that_agree_on_few_images_do_not_show_that_settings_are_alike() -> None:
    # Two repeats of 10 images each. A mean may be off by 12.7 times half a step over the root of 2, and two of them by
    # the root of 2 more: 63.5 points.
    values = pd.DataFrame({"a": [0.9, 0.9], "b": [0.9, 0.9]})
    (found,) = compare_settings(values, baseline="a", smallest=0.001, step=0.1).differences
    assert found.verdict == "undecided"
    assert found.interval is not None and found.interval.high == pytest.approx(0.635, abs=1e-3)


def test_an_interval_of_a_difference_stays_within_what_is_possible() -> None:
    values = pd.DataFrame({"a": [0.1, 0.6, 0.1], "b": [0.6, 0.62, 0.61]})
    (wide,) = compare_settings(values, baseline="a").differences
    (found,) = compare_settings(values, baseline="a", within=(0, 1)).differences
    assert wide.interval is not None and wide.interval.high > 1
    assert found.interval is not None and (found.interval.low, found.interval.high) == (wide.interval.low, 1.0)
    assert found.p_value == wide.p_value


def test_permutation_stands_beside_the_other_test_where_repeats_suffice() -> None:
    few, enough = compare_settings(table(), baseline="a"), compare_settings(table(repeats=6), baseline="a")
    assert all(difference.permutation_p is None for difference in few.differences)
    assert "cannot be below 0.25" in few.reason
    assert enough.between("d", "a").permutation_p == 2**-5
    assert "permutation test of each difference by itself stands beside" in enough.reason


def test_permutation_can_be_asked_for_and_says_what_it_lacks() -> None:
    comparisons = compare_settings(table(), baseline="a", test="permutation")
    difference = comparisons.between("d", "a")
    assert difference.verdict == "undecided"
    # Three comparisons want a p-value of 5% / 3: seven differences of one sign give 2 ** -6.
    assert difference.more_repeats == 4
    seven = compare_settings(table(repeats=7), baseline="a", test="permutation").between("d", "a")
    assert seven.verdict == "worse"


def test_paired_t_with_holm_can_be_asked_for() -> None:
    values = table(repeats=5)
    found = compare_settings(values, baseline="a", test="paired")
    singles = [stats.ttest_rel(values[name], values["a"]).pvalue for name in "bcd"]
    assert [one.p_single for one in found.differences] == pytest.approx(singles)
    assert max(one.p_value or 0 for one in found.differences) >= max(singles)


def test_undecided_says_how_many_more_repeats_for_which_difference() -> None:
    values = table()
    found = compare_settings(values, baseline="a")
    one = found.between("c", "a")
    assert one.verdict == "undecided"
    assert one.to_see == pytest.approx(abs(one.estimate or 0))
    pooled = compare_settings(values, baseline="a", test="pooled").between("c", "a")
    needed = required_repeats(one.to_see or 0, found.pooled_std or 0, settings=4, test="pooled")
    assert pooled.more_repeats == (needed or 0) - 3
    assert one.more_repeats is not None and one.more_repeats > 0
    assert (
        f"not enough repeats to tell, about {one.more_repeats} more would be needed to see a difference of"
        in one.sentence
    )


def test_a_smallest_difference_of_interest_decides_that_settings_are_alike() -> None:
    values = table(effects=(0, 0.0002), repeats=8, std=0.001)
    difference = compare_settings(values, baseline="a", smallest=0.01).differences[0]
    assert difference.verdict == "alike"
    assert difference.sentence.startswith("b and a differ by less than 1.00 points")
    wide = compare_settings(values, baseline="a", smallest=0.0005).differences[0]
    assert (wide.verdict, wide.to_see) == ("undecided", 0.0005)


def test_one_repeat_is_not_tested_and_says_what_to_do() -> None:
    comparisons = compare_settings(table(repeats=1), baseline="a")
    assert {difference.verdict for difference in comparisons.differences} == {"untested"}
    assert comparisons.method == "none"
    assert "Repeat each at least twice" in comparisons.reason
    assert comparisons.differences[0].estimate is not None


def test_one_setting_has_nothing_to_be_compared_with() -> None:
    comparisons = compare_settings(table()[["a"]])
    assert comparisons.differences == ()
    assert "one setting only" in comparisons.reason
    assert comparisons.best == "a"


def test_repeats_that_do_not_vary_are_the_same_or_not_tested() -> None:
    values = pd.DataFrame({"a": [0.5, 0.5, 0.5], "b": [0.5, 0.5, 0.5], "c": [0.6, 0.6, 0.6]})
    comparisons = compare_settings(values, baseline="a")
    assert [difference.verdict for difference in comparisons.differences] == ["identical", "untested"]
    assert "do not vary" in comparisons.between("c", "a").sentence


def test_a_setting_without_values_is_not_tested_and_hinders_nobody() -> None:
    values = table().assign(e=NAN)
    comparisons = compare_settings(values, baseline="a")
    without = compare_settings(table(), baseline="a")
    assert comparisons.between("e", "a").verdict == "untested"
    assert [difference.p_value for difference in comparisons.differences[:3]] == [
        difference.p_value for difference in without.differences
    ]
    assert comparisons.summary("e").mean is None and comparisons.summary("e").n == 0


@pytest.mark.parametrize("baseline", [None, "a"])
def test_a_table_of_nothing_is_not_tested(baseline: str | None) -> None:
    comparisons = compare_settings(table() * NAN, baseline=baseline)
    assert {difference.verdict for difference in comparisons.differences} == {"untested"}
    assert comparisons.best is None
    assert "there are no values" in str(comparisons)


def test_a_baseline_without_values_leaves_nothing_to_test() -> None:
    comparisons = compare_settings(table().assign(a=NAN), baseline="a")
    assert {difference.verdict for difference in comparisons.differences} == {"untested"}


def test_infinite_values_are_left_out_and_told_of() -> None:
    values = table()
    values.loc[1, "c"] = np.inf
    comparisons = compare_settings(values, baseline="a")
    assert comparisons.summary("c").n == 2
    assert "1 value is not finite" in comparisons.cautions[0]


def test_what_cannot_be_meant_is_refused() -> None:
    values = table()
    with pytest.raises(UsageError, match=r"baseline 'A' is none of the settings. Did you mean a"):
        compare_settings(values, baseline="A")
    with pytest.raises(UsageError, match="planned setting 'x' is none of the settings"):
        compare_settings(values, planned=[("a", "x")])
    with pytest.raises(UsageError, match="planned, or with a baseline"):
        compare_settings(values, baseline="a", planned=[("a", "b")])
    for twice in ([("a", "a")], [("a", "b"), ("b", "a")]):
        with pytest.raises(UsageError, match="of two settings, and made once"):
            compare_settings(values, planned=twice)
    with pytest.raises(UsageError, match="seed 0 occurs twice"):
        compare_settings(pd.concat([values, values.iloc[:1]]))
    with pytest.raises(UsageError, match="setting a occurs twice"):
        compare_settings(pd.concat([values, values[["a"]]], axis=1))
    with pytest.raises(UsageError, match="no settings"):
        compare_settings(values[[]])
    with pytest.raises(UsageError, match="no test 'tukey'"):
        compare_settings(values, test="tukey")  # type: ignore[arg-type]


def test_settings_that_were_not_compared_say_so() -> None:
    comparisons = compare_settings(table(), baseline="a")
    with pytest.raises(UsageError, match="only with a"):
        comparisons.between("b", "c")
    with pytest.raises(UsageError, match="no setting 'x'"):
        comparisons.between("b", "x")


def test_the_unit_is_that_of_the_words() -> None:
    difference = compare_settings(table(), baseline="a", unit=NUMBER).between("d", "a")
    assert difference.sentence.startswith("d is worse than a (−0.0")
    assert "points" not in difference.sentence


def test_it_is_plain_json_and_two_tables() -> None:
    comparisons = compare_settings(table().assign(e=NAN), baseline="a")
    document = json.loads(json.dumps(json_value(comparisons.to_dict()), allow_nan=False))
    assert document["differences"][0]["interval"]["level"] == 0.95
    assert document["settings"][0]["values"]["2"] == comparisons.summary("a").values[2]
    frame, settings = comparisons.frame(), comparisons.settings_frame()
    assert frame["setting"].tolist() == list("bcde")
    assert settings["mean"].iloc[0] == comparisons.summary("a").mean
    assert compare_settings(table()[["a"]]).frame().empty
