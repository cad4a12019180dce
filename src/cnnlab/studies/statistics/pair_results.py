"""Pairs of settings compared by the numbers of their repeats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cnnlab import evaluation
from cnnlab.core.measurements import Metric
from cnnlab.studies.result import ComparisonVerdict, RepeatsNeeded, SettingComparison
from cnnlab.studies.statistics.multiplicity import Pair, against_error_rate
from cnnlab.studies.statistics.tables import Tables, bounds, difference_unit, ends
from cnnlab.studies.statistics.wording import named

if TYPE_CHECKING:
    from cnnlab.evaluation import Comparisons, Difference


@dataclass(frozen=True)
class PairResults:
    """Comparisons that were tested in one way.

    :param kind: by what: ``numbers`` of the repeats, ``ranks``, ``images``, or ``nothing``.
    :param comparisons: without their sentences.
    :param method: the test in a word or two; ``why`` which it was and why, in sentences.
    :param facts: further numbers of the test.
    """

    kind: str
    comparisons: tuple[SettingComparison, ...]
    method: str
    why: str
    cautions: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def by_numbers(
    tables: Tables, metric: Metric, pairs: Sequence[Pair], error: float, smallest: float | None
) -> PairResults:
    """Over repeats with the same seeds; settings with trials that come last are left out, since ranks tell of these.

    :param error: the chance of a false call that these pairs may have among them.
    :param smallest: the smallest difference that matters.
    """
    keys = [key for key in tables.labels if not tables.last(metric.name, key)]
    planned = [(tables.labels[left], tables.labels[right]) for left, right in pairs]

    def compared(small: float | None) -> "Comparisons":
        return evaluation.compare_settings(
            tables.frame(metric.name, keys),
            planned=planned,
            blocked=tables.is_blocked,
            **_asked(tables, metric, error, small),
        )

    seen = compared(None)
    mattering = compared(smallest) if smallest else None
    found = []
    for pair, names in zip(pairs, planned, strict=True):
        second = mattering.between(*names) if mattering else None
        found.append(_comparison(tables, metric, [pair], error, seen.between(*names), second, smallest))
    facts = {name: getattr(seen, name) for name in ("pooled_std", "df", "blocked")}
    return PairResults("numbers", tuple(found), seen.method, _why(seen), seen.cautions, facts)


def over_pairs(
    tables: Tables, metric: Metric, pairs: Sequence[Pair], error: float, smallest: float | None
) -> SettingComparison:
    """One side against the other over several pairs of settings."""
    frame = tables.frame(metric.name)
    labels = [(tables.labels[left], tables.labels[right]) for left, right in pairs]
    found = [
        evaluation.compare_over_pairs(frame, labels, **_asked(tables, metric, error, small))
        for small in ([None, smallest] if smallest else [None])
    ]
    return _comparison(tables, metric, pairs, error, found[0], found[1] if smallest else None, smallest)


def _asked(tables: Tables, metric: Metric, error: float, smallest: float | None) -> dict[str, Any]:
    """What is asked of the numbers of a metric, however they are compared."""
    return {
        "level": 1 - error,
        "higher_is_better": metric.better == "higher",
        "unit": difference_unit(metric),
        "smallest": smallest,
        "step": tables.step(metric),
        "within": bounds(metric),
    }


def _why(comparisons: "Comparisons") -> str:
    """How settings are compared; the part that these have of the study's error rate is told with that."""
    if not any(difference.p_value is not None for difference in comparisons.differences):
        return comparisons.reason
    how = "seed by seed" if comparisons.blocked else "as independent repeats"
    scatter = ""
    if comparisons.pooled_std is not None:
        freedom = f"{comparisons.df} degree{'' if comparisons.df == 1 else 's'} of freedom"
        taken = ", what the seeds do to all of them taken out," if comparisons.blocked else ""
        scatter = f" The standard deviation between repeats{taken} is {comparisons.unit.text(comparisons.pooled_std)} "
        scatter += f"({freedom})."
    return f"Settings are compared {how}.{scatter}"


def _comparison(
    tables: Tables,
    metric: Metric,
    pairs: Sequence[Pair],
    error: float,
    seen: "Difference",
    mattering: "Difference | None",
    smallest: float | None,
) -> SettingComparison:
    """What was found of one difference, its p-value to be held against the error rate of the whole study.

    :param mattering: the same with the smallest difference that matters, where there is such.
    """
    found = mattering or seen
    verdict: ComparisonVerdict = found.verdict
    p, why = found.p_value, found.why
    flattered = _flattered(tables, pairs, verdict)
    if flattered:
        verdict, why = "undecided", flattered
    return SettingComparison(
        metric.name,
        *pairs[0],
        found.estimate,
        *ends(found.interval),
        None if p is None else against_error_rate(p, error),
        verdict,
        "",
        found.repeats,
        _needed(seen, mattering) if verdict == "undecided" and not why else (),
        found.test,
        smallest,
        why=why,
    )


def _flattered(tables: Tables, pairs: Sequence[Pair], verdict: str) -> str:
    """Why no verdict in favour of a setting rests on what its failures left of it; empty where it does not."""
    side = {"better": 0, "worse": 1}.get(verdict)
    favoured = () if side is None else tuple(pair[side] for pair in pairs)
    failed = {tables.labels[key]: trials for key in favoured if (trials := tables.failed(key))}
    said = "; ".join(f"of {label} {named(trials)}" for label, trials in failed.items())
    return f"{said}, and what is left may look better than it is" if said else ""


def _needed(seen: "Difference", mattering: "Difference | None") -> tuple[RepeatsNeeded, ...]:
    needed = [RepeatsNeeded(seen.to_see, "seen", seen.more_repeats)] if seen.to_see else []
    if mattering is not None and mattering.to_see:
        needed.append(RepeatsNeeded(mattering.to_see, "smallest", mattering.more_repeats))
    return tuple(needed)
