"""What became of claims, by the numbers that there are."""

from dataclasses import replace
from typing import Any

from cnnlab.core.measurements import Metric
from cnnlab.evaluation.comparison.mcnemar import ONLY_REPEATS
from cnnlab.studies.claim_grammar import BestClaim, BoundClaim, ComparisonClaim, NoDifferenceClaim, SpreadClaim
from cnnlab.studies.result import Claim, ClaimVerdict, SettingComparison
from cnnlab.studies.statistics.comparisons import StudyComparisons
from cnnlab.studies.statistics.level_claims import judge_level
from cnnlab.studies.statistics.rank_comparisons import RANK_SUM
from cnnlab.studies.statistics.resolved_claims import ResolvedClaim
from cnnlab.studies.statistics.spread_claims import judge_spread
from cnnlab.studies.statistics.tables import difference_unit
from cnnlab.studies.statistics.wording import within_margin


def judge_claim(resolved: ResolvedClaim, comparisons: StudyComparisons) -> Claim:
    """What became of a claim."""
    settings = dict.fromkeys(key for pair in resolved.pairs for key in pair if key is not None)
    return replace(_judged(resolved, comparisons), settings=tuple(settings))


def _judged(resolved: ResolvedClaim, comparisons: StudyComparisons) -> Claim:
    claim = resolved.claim
    if isinstance(claim, BoundClaim):
        return judge_level(resolved, claim, comparisons.tables, comparisons.family, comparisons.new_images)
    if isinstance(claim, SpreadClaim):
        return judge_spread(resolved, claim, comparisons.tables, comparisons.family)
    if isinstance(claim, BestClaim):
        return _leads(resolved, claim, comparisons)
    found = _comparison(claim, resolved, comparisons)
    verdict: ClaimVerdict
    if found.is_of_single_runs:
        verdict, why = "undecided", f"{found.sentence} {ONLY_REPEATS}"
    elif found.test == RANK_SUM and resolved.amount is not None:
        verdict = "undecided"
        why = f"Some trials have no number, so there is no difference to hold this to. {found.sentence}"
    elif isinstance(claim, NoDifferenceClaim):
        verdict, why = _alike(found, resolved), _alike_words(claim, found, resolved, comparisons)
        failed = any(comparisons.tables.failed(str(key)) for pair in resolved.pairs for key in pair)
        if verdict == "supported" and failed:
            verdict, why = "undecided", f"{why} Those that failed may differ by more."
    else:
        verdict, why = _compared(claim, found, resolved), found.sentence
    return Claim(claim.text, verdict, _on_its_metric(claim, resolved, why), _numbers(found))


def _on_its_metric(claim: ComparisonClaim | NoDifferenceClaim | BestClaim, resolved: ResolvedClaim, why: str) -> str:
    """Names the metric where a claim does."""
    if claim.metric is None:
        return why
    return f"On {resolved.metric.label}, where {resolved.metric.better} is better: {why}"


def _comparison(
    claim: ComparisonClaim | NoDifferenceClaim, resolved: ResolvedClaim, comparisons: StudyComparisons
) -> SettingComparison:
    metric, smallest = resolved.metric, resolved.amount if isinstance(claim, NoDifferenceClaim) else None
    pairs = [(left, str(right)) for left, right in resolved.pairs]
    if len(pairs) == 1:
        return comparisons.between(metric.name, *pairs[0], smallest)
    return comparisons.over_pairs(metric, pairs, (claim.left.text, claim.right.text), smallest)


def _compared(claim: ComparisonClaim, found: SettingComparison, resolved: ResolvedClaim) -> ClaimVerdict:
    is_upwards, margin = _is_upwards(claim, resolved.metric), resolved.amount
    if found.verdict == "identical":
        return "contradicted"
    if found.verdict == "undecided" and found.why:
        # It rests on what failures left.
        return "undecided"
    if margin is not None:
        low, high = _towards(found, is_upwards)
        return "supported" if low >= margin else "contradicted" if high < margin else "undecided"
    if found.verdict == "alike":
        return "contradicted"
    if found.verdict not in ("better", "worse"):
        return "undecided"
    is_left_higher = (found.verdict == "better") == (resolved.metric.better == "higher")
    return "supported" if is_left_higher == is_upwards else "contradicted"


def _is_upwards(claim: ComparisonClaim, metric: Metric) -> bool:
    """Whether the left one is claimed to have the larger number."""
    if claim.relation in ("higher", "lower"):
        return claim.relation == "higher"
    return (claim.relation in ("better", "faster")) == (metric.better == "higher")


def _alike(found: SettingComparison, resolved: ResolvedClaim) -> ClaimVerdict:
    margin = resolved.amount or 0.0
    low, high = _towards(found, is_upwards=True)
    if -margin <= low and high <= margin:
        return "supported"
    return "contradicted" if low > margin or high < -margin else "undecided"


def _alike_words(
    claim: NoDifferenceClaim, found: SettingComparison, resolved: ResolvedClaim, comparisons: StudyComparisons
) -> str:
    if found.verdict == "identical":
        return found.sentence
    labels, unit = comparisons.tables.labels, difference_unit(resolved.metric)
    is_one = len(resolved.pairs) == 1
    names = (labels[found.setting], labels[found.reference]) if is_one else (claim.left.text, claim.right.text)
    source = "" if claim.within is not None else ", which is taken where a claim names none"
    text = within_margin(found, names, unit, resolved.amount or 0.0, source)
    over = [] if is_one else [f"Over {len(resolved.pairs)} pairs of settings."]
    keys = dict.fromkeys(key for pair in resolved.pairs for key in pair if key is not None)
    return " ".join([text, *over, *comparisons.left_out(resolved.metric.name, keys, found.why)])


def _towards(found: SettingComparison, is_upwards: bool) -> tuple[float, float]:
    """The ends of the interval, in the direction claimed; without one, or where it flatters, everything is possible."""
    if found.verdict == "identical":
        return 0.0, 0.0
    if found.low is None or found.high is None or found.why:
        return float("-inf"), float("inf")
    return (found.low, found.high) if is_upwards else (-found.high, -found.low)


def _numbers(found: SettingComparison) -> dict[str, Any]:
    return {
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "new_low": found.new_low,
        "new_high": found.new_high,
        "p": found.p,
        "verdict": found.verdict,
        "repeats": found.repeats,
        "needed": [vars(one) for one in found.needed],
        "test": found.test,
    }


def _leads(resolved: ResolvedClaim, claim: BestClaim, comparisons: StudyComparisons) -> Claim:
    key, metric = resolved.pairs[0][0], resolved.metric.name
    others = [other for other in comparisons.tables.labels if other != key]
    found = [comparisons.between(metric, key, other) for other in others]
    # One that is alike, or came out the same, is as good.
    behind = [one for word in ("worse", "identical", "alike") for one in found if one.verdict == word]
    unsure = [one for one in found if one.verdict != "better"]
    verdict: ClaimVerdict = "contradicted" if behind else "undecided" if unsure or not found else "supported"
    telling = (behind or unsure or found)[:1]
    count = f"Better than {len(found) - len(unsure)} of {len(found)} others."
    why = f"{count} {telling[0].sentence}" if telling else "There is nothing to compare it with."
    if telling and telling[0].is_of_single_runs:
        why = f"{telling[0].sentence} {ONLY_REPEATS}"
    numbers = {"better_than": len(found) - len(unsure), "others": len(found)}
    return Claim(claim.text, verdict, _on_its_metric(claim, resolved, why), numbers)
