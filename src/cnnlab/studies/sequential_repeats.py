"""Repeats that are added until something is decided, and what it costs to look at the numbers more than once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from cnnlab.core.arguments import Count, Range
from cnnlab.core.registry import Registry
from cnnlab.evaluation import SequentialDesign
from cnnlab.evaluation.comparison.sequential import false_call_rate, until
from cnnlab.studies.result import Looks, StudyResult

_MOST_LISTED = 5
stopping_rules: Registry["Until"] = Registry("way to add repeats")


@stopping_rules.register("until")
@dataclass(frozen=True)
class Until:
    """Repeats are added until all of something is decided, or ``most`` are made.

    :param what: ``claims``, every one of them; or ``comparisons``, every one in the tables.
    :param first: repeats before the first look at the numbers, with ``every`` further ones before each other.
    """

    what: Literal["claims", "comparisons"]
    most: Annotated[int, Range(2)]
    first: Annotated[int, Range(2)] = 3
    every: Count = 1

    @property
    def design(self) -> SequentialDesign:
        """At how many repeats the numbers are looked at, and how the error is shared among these looks."""
        return until(self.most, first=self.first, every=self.every)

    def is_over(self, result: StudyResult) -> bool:
        """Whether no more repeats are to be added to a study of which every trial has settled."""
        if len(result.seeds) >= self.most:
            return True
        if self.what == "claims":
            return all(claim.verdict != "undecided" for claim in result.claims)
        return all(found.verdict != "undecided" for family in result.families for found in family.comparisons)

    def after(self, made: Sequence[int]) -> int:
        """How many repeats the next look is at, after looks at these numbers of them."""
        return next(repeats for repeats in self.design.looks if not made or repeats > max(made))


def looks_of(made: Sequence[int], rule: Until | None) -> Looks | None:
    """How often the numbers were looked at, and what that costs; None where one look is all there is.

    :param made: repeats at each look so far.
    """
    if rule is None:
        if len(made) < 2:
            return None
        rate = false_call_rate(made)
        words = (
            f"Repeats were added after the numbers had been seen (looks after {_listed(made)}). A comparison in which "
            f"nothing differs is called at one look or another in {100 * rate:.0f}% of cases then, and not in 5%; "
            "repeats: until(…) holds it at 5%."
        )
        return Looks(tuple(made), (), rate, words)
    planned = rule.design.looks
    words = (
        f"Repeats are added until every {rule.what.removesuffix('s')} is decided, {rule.most} at the most, with looks "
        f"after {_listed(planned)}. Each look has a part of the 5%, more of it the more repeats there are (r² of it by "
        "the time that a share r of the most is made), so that the chance of a false call is 5% over all of them."
    )
    strays = [repeats for repeats in made if repeats not in planned]
    if strays:
        words += f" A look after {_listed(strays)} was not part of that plan, so the chance is more than 5%."
    words += f" So far there were looks after {_listed(made)}." if made else " There was no look yet."
    return Looks(tuple(made), planned, 0.05, words)


def _listed(numbers: Sequence[int]) -> str:
    words = [str(number) for number in numbers]
    if len(words) > _MOST_LISTED:
        words = [*words[:2], "…", words[-1]]
        return ", ".join(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
