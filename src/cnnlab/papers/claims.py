"""The verdict on what a paper asserts, put together of the rules that it is judged by."""

from collections.abc import Mapping, Sequence
from typing import Any

from cnnlab.papers.format import PaperClaim, Scale
from cnnlab.papers.result import JudgedClaim, Judgement

RuleVerdict = tuple[str, str]
"""A verdict on a rule, and why."""
OPPOSITE: Mapping[Judgement, Judgement] = {
    "supported": "contradicted",
    "contradicted": "supported",
    "undecided": "undecided",
    "not judged": "not judged",
}
NOTHING_AT_SMOKE = "at the scale smoke nothing that is trained is judged: it only shows that all goes through"


def rules_of(claims: Sequence[PaperClaim], part: Mapping[str, Any]) -> tuple[str, ...]:
    """The rules of all claims on a part of an entry, each once."""
    return tuple(dict.fromkeys(rule for claim in claims if claim.is_of(part) for rule in claim.rules))


def put_together(
    claims: Sequence[PaperClaim], judged: Mapping[str, RuleVerdict], part: Mapping[str, Any], scale: Scale
) -> tuple[JudgedClaim, ...]:
    """The claims on a part of an entry with their verdicts.

    :param judged: verdict and reason by rule; at the scale smoke, of those alone that depend on no training.
    """
    name = ", ".join(map(str, part.values()))
    return tuple(_judged(claim, judged, name, scale) for claim in claims if claim.is_of(part))


def _judged(claim: PaperClaim, judged: Mapping[str, RuleVerdict], part: str, scale: Scale) -> JudgedClaim:
    if claim.not_judged:
        return JudgedClaim(claim.says, "not judged", claim.not_judged, (), part)
    if scale == "smoke" and not all(rule in judged for rule in claim.rules):
        return JudgedClaim(claim.says, "not judged", NOTHING_AT_SMOKE, claim.rules, part)
    found = [judged.get(rule, ("undecided", "it is not measured yet")) for rule in claim.rules]
    verdict = _all_of([verdict for verdict, _ in found])
    if claim.contradicted_by:
        verdict = OPPOSITE[verdict]
    why = " ".join(reason for _, reason in found)
    if (reason := claim.withheld(scale, verdict)) is not None:
        verdict, why = "not judged", f"{why} But {reason}."
    return JudgedClaim(claim.says, verdict, why, claim.rules, part)


def _all_of(verdicts: Sequence[str]) -> Judgement:
    """All rules must hold: one that is contradicted contradicts the claim."""
    if "contradicted" in verdicts:
        return "contradicted"
    return "supported" if set(verdicts) == {"supported"} else "undecided"
