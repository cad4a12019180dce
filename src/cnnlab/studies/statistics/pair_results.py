"""Pairs of settings compared by the numbers of their repeats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cnnlab import evaluation
from cnnlab.core.measurements import Metric
from cnnlab.studies.result import ComparisonVerdict, RepeatsNeeded, SettingComparison
from cnnlab.studies.statistics.multiplicity import ERROR_RATE, Pair, table_pairs
from cnnlab.studies.statistics.tables import Tables, bounds, difference_unit, ends
from cnnlab.studies.statistics.wording import named

if TYPE_CHECKING:
    import pandas as pd

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
    tables: Tables, metric: Metric, pairs: Sequence[Pair], share: float, smallest: float | None, is_table: bool
) -> PairResults:
    """Over repeats with the same seeds; settings with trials that come last are left out, since ranks tell of these.

    :param share: of the error rate of the study, which these pairs have among them.
    :param smallest: the smallest difference that matters.
    :param is_table: whether these are all pairs of a table.
    """
    keys = [key for key in tables.labels if not tables.last(metric.name, key)]
    frame, labels = tables.frame(metric.name, keys), tables.labels
    baseline = tables.baseline if tables.baseline in keys else None
    is_whole = is_table and len(pairs) == len(table_pairs(keys, baseline))

    def compared(small: float | None) -> "Comparisons":
        chosen: dict[str, Any] = {"planned": [(labels[left], labels[right]) for left, right in pairs]}
        if is_whole:
            chosen = {"baseline": None if baseline is None else labels[baseline]}
        return _compared(frame, metric, share, small, is_blocked=tables.is_blocked, **chosen)

    seen = compared(None)
    mattering = compared(smallest) if smallest else None
    found = []
    for left, right in pairs:
        names = labels[left], labels[right]
        difference = seen.between(*names)
        second = mattering.between(*names) if mattering else None
        found.append(_comparison(tables, metric, [(left, right)], share, difference, second, smallest))
    facts = {name: getattr(seen, name) for name in ("pooled_std", "df", "blocked")}
    return PairResults("numbers", tuple(found), seen.method, _why(seen), seen.cautions, facts)


def over_pairs(
    tables: Tables, metric: Metric, pairs: Sequence[Pair], share: float, smallest: float | None
) -> SettingComparison:
    """One side against the other over several pairs of settings.

    Every seed gives one value, the mean over the pairs: what a seed does to one pair it may well do to the next, so
    pairs are no repeats.
    """
    import pandas as pd

    values = tables.values[metric.name]
    sides = [[values[pair[side]] for pair in pairs] for side in (0, 1)]
    seeds = [seed for seed in tables.seeds if all(seed in by_seed for side in sides for by_seed in side)]
    means = [[sum(by_seed[seed] for by_seed in side) / len(pairs) for seed in seeds] for side in sides]
    frame = pd.DataFrame(dict(zip(("left", "right"), means, strict=True)), index=seeds, dtype=float)
    found = [
        _compared(frame, metric, share, small, baseline="right").between("left", "right")
        for small in ([None, smallest] if smallest else [None])
    ]
    return _comparison(tables, metric, pairs, share, found[0], found[1] if smallest else None, smallest)


def _compared(
    frame: "pd.DataFrame", metric: Metric, share: float, smallest: float | None, is_blocked: bool = True, **pairs: Any
) -> "Comparisons":
    return evaluation.compare_settings(
        frame,
        level=1 - ERROR_RATE * share,
        higher_is_better=metric.better == "higher",
        unit=difference_unit(metric),
        smallest=smallest,
        blocked=is_blocked,
        **pairs,
    )


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
    share: float,
    seen: "Difference",
    mattering: "Difference | None",
    smallest: float | None,
) -> SettingComparison:
    """What was found of one difference, its p-value to be held against the error rate of the whole study.

    :param mattering: the same with the smallest difference that matters, where there is such.
    """
    found = mattering or seen
    verdict: ComparisonVerdict = found.verdict
    p, interval, why = found.p_value, found.interval, found.why
    if tables.is_blocked and found.repeats < 2 and verdict != "untested":
        few = "one seed only" if found.repeats else "no seed"
        verdict, p, interval, why = "untested", None, None, f"they share {few}, and are compared seed by seed"
    flattered = _flattered(tables, pairs, verdict)
    if flattered:
        verdict, why = "undecided", flattered
    limits = bounds(metric)
    if interval is not None and limits is not None:
        interval = interval.within(limits[0] - limits[1], limits[1] - limits[0])
    return SettingComparison(
        metric.name,
        *pairs[0],
        found.estimate,
        *ends(interval),
        None if p is None else min(1.0, p / share),
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
