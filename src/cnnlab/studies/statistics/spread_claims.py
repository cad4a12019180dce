"""Claims that one setting scatters less or more than another over the repeats that both have."""

from math import isfinite
from typing import Any

from cnnlab.core.errors import UsageError
from cnnlab.core.number_text import counted, fixed
from cnnlab.evaluation.comparison.spread_ratio import spread_ratio
from cnnlab.studies.claim_grammar import SpreadClaim
from cnnlab.studies.result import Claim, ClaimVerdict
from cnnlab.studies.statistics.multiplicity import ERROR_RATE, StudyFamily
from cnnlab.studies.statistics.resolved_claims import ResolvedClaim
from cnnlab.studies.statistics.tables import Tables


def judge_spread(resolved: ResolvedClaim, claim: SpreadClaim, tables: Tables, family: StudyFamily) -> Claim:
    """What became of a claim on spreads, by the interval of the ratio of standard deviations (Pitman and Morgan).

    It is undecided where a repeat of either failed: what it would have come to is the largest part of a spread.
    """
    ((left, other),) = resolved.pairs
    right = str(other)
    why = tables.untested(resolved.metric)
    if why:
        return Claim(claim.text, "undecided", f"{why[:1].upper()}{why[1:]}.", {})
    failed = [tables.labels[key] for key in (left, right) if tables.failed(key)]
    if failed:
        return Claim(claim.text, "undecided", f"Repeats of {' and '.join(failed)} failed, and would tell most.", {})
    values = tables.values[resolved.metric.name]
    shared = [seed for seed in values[left] if seed in values[right]]
    error = family.error(family.claim_share)
    try:
        found = spread_ratio([values[left][s] for s in shared], [values[right][s] for s in shared], 1 - error)
    except UsageError as refused:
        text = str(refused)
        return Claim(claim.text, "undecided", f"{text[:1].upper()}{text[1:]}", {})
    is_less, is_more = found.high < 1, found.low > 1
    verdict: ClaimVerdict = "undecided"
    if is_less or is_more:
        verdict = "supported" if is_less == (claim.scatters == "less") else "contradicted"
    kind = "95% interval" if error == ERROR_RATE else "simultaneous 95% interval"
    sentence = (
        f"On {resolved.metric.label} {tables.labels[left]} scatters {fixed(found.ratio, 2)} times as much as "
        f"{tables.labels[right]} over {counted(found.n, 'repeat')} ({kind} {fixed(found.low, 2)} to "
        f"{fixed(found.high, 2) if isfinite(found.high) else 'any'})."
    )
    numbers: dict[str, Any] = {
        "ratio": found.ratio,
        "low": found.low,
        "high": found.high if isfinite(found.high) else None,
        "p": found.p_value,
        "repeats": found.n,
    }
    return Claim(claim.text, verdict, sentence, numbers)
