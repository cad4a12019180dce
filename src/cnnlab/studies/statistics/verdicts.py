"""From claims to verdicts: claims are resolved to settings and metrics before anything trains, and judged afterwards."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnlab import evaluation
from cnnlab.core.errors import UsageError
from cnnlab.evaluation import Interval
from cnnlab.studies.claim_grammar import (
    Amount,
    BestClaim,
    BoundClaim,
    ChosenSettings,
    ClaimRead,
    ComparisonClaim,
    NoDifferenceClaim,
    read_claim,
)
from cnnlab.studies.measures import Measure
from cnnlab.studies.result import Claim, ClaimVerdict, Metric
from cnnlab.studies.settings import PlannedSetting, StudySettings
from cnnlab.studies.statistics.rank_comparisons import RankedPair, claimed_pair, rank_pairs
from cnnlab.studies.statistics.single_runs import ONLY_REPEATS
from cnnlab.studies.statistics.tables import Tables, bounds, difference_unit, ends

if TYPE_CHECKING:
    import pandas as pd

    from cnnlab.evaluation import Difference

_EQUIVALENT = 0.01
"""Shares that differ by less than a point are taken to be no different, unless a claim says what counts."""
_SECONDS = {"seconds": 1.0, "minutes": 60.0}


@dataclass(frozen=True)
class ResolvedClaim:
    """A claim with what it names.

    :param pairs: of the settings compared, left and right; or with one setting, it alone on the left.
    """

    claim: ClaimRead
    metric: Metric
    pairs: tuple[tuple[str, str | None], ...] = ()
    amount: float | None = None


def resolve_claim(text: str, study_settings: StudySettings, measure: Callable[[str | None], Measure]) -> ResolvedClaim:
    """Reads a claim and finds its settings and its metric.

    :param measure: the measure of a name, or the one the study is judged by.
    :raises UsageError: when it cannot be read, or names no setting or metric that there is.
    """
    claim = read_claim(text)
    what = f"the claim «{claim.text}»"
    try:
        metric = measure(claim.metric).metric
    except UsageError as error:
        raise UsageError(f"{what}: {error}") from error
    if isinstance(claim, BoundClaim):
        pairs: tuple[tuple[str, str | None], ...] = ()
        if claim.setting is not None:
            pairs = tuple((s.key, None) for s in _settings(claim.setting, study_settings, what))
        return ResolvedClaim(claim, metric, pairs, _amount(claim.level, metric, what, is_level=True))
    if isinstance(claim, BestClaim):
        settings = _settings(claim.setting, study_settings, what)
        if len(settings) > 1:
            raise UsageError(f"{what}: {claim.setting.text} fits {len(settings)} settings; only one can be the best.")
        return ResolvedClaim(claim, metric, ((settings[0].key, None),))
    given = claim.margin if isinstance(claim, ComparisonClaim) else claim.within
    amount = None if given is None else _amount(given, metric, what)
    if isinstance(claim, NoDifferenceClaim) and amount is None:
        if metric.unit != "share":
            raise UsageError(f"{what}: say what difference counts, as in: within 0.01.")
        amount = _EQUIVALENT
    return ResolvedClaim(claim, metric, _pairs(claim, study_settings, what), amount)


def planned_pairs(claims: Iterable[ResolvedClaim], baseline: str | None) -> dict[str, tuple[tuple[str, str], ...]]:
    """For each metric the pairs of settings that claims compare, those with the baseline aside; each pair once."""
    by_metric: dict[str, dict[frozenset[str], tuple[str, str]]] = {}
    for resolved in claims:
        left, right = resolved.pairs[0] if len(resolved.pairs) == 1 else (None, None)
        if left is not None and right is not None and baseline not in (left, right):
            by_metric.setdefault(resolved.metric.name, {}).setdefault(frozenset((left, right)), (left, right))
    return {metric: tuple(pairs.values()) for metric, pairs in by_metric.items()}


def judge_claim(resolved: ResolvedClaim, tables: Tables) -> Claim:
    """What became of a claim, by the numbers there are."""
    claim = resolved.claim
    if isinstance(claim, BoundClaim):
        return _bounded(resolved, claim, tables)
    if isinstance(claim, BestClaim):
        return _leads(resolved, claim, tables)
    if tables.late(resolved.metric.name, [key for pair in resolved.pairs for key in pair if key is not None]):
        return _compared_late(resolved, claim, tables)
    difference = _difference(resolved, tables)
    if difference is None or difference.estimate is None:
        reason = "there are no numbers to compare yet" if difference is None else difference.why
        return Claim(claim.text, "undecided", f"{reason}.".replace("..", "."), {})
    if difference.verdict == "untested" and len(resolved.pairs) == 1:
        mcnemar = tables.image_by_image(resolved.metric, resolved.pairs[0][0], str(resolved.pairs[0][1]))
        if mcnemar is not None:
            return Claim(claim.text, "undecided", f"{mcnemar.sentence} {ONLY_REPEATS}", mcnemar.to_dict())
    verdict = (
        _alike(difference, resolved) if isinstance(claim, NoDifferenceClaim) else _compared(claim, difference, resolved)
    )
    return Claim(claim.text, verdict, _why(claim, difference, resolved), _numbers(difference))


def _settings(chosen: ChosenSettings, study_settings: StudySettings, what: str) -> tuple[PlannedSetting, ...]:
    if study_settings.searched:
        raise UsageError(f"{what}: nobody knows what a search will try; claim something of the best, as in: the best …")
    if chosen.values is not None:
        return study_settings.select(chosen.values, what)
    if study_settings.baseline is None:
        raise UsageError(f"{what}: this study names no baseline.")
    return tuple(setting for setting in study_settings.settings if setting.key == study_settings.baseline)


def _pairs(
    claim: ComparisonClaim | NoDifferenceClaim, study_settings: StudySettings, what: str
) -> tuple[tuple[str, str | None], ...]:
    """Each setting on the left with its counterpart: the one on the right that has the same values otherwise."""
    left, right = _settings(claim.left, study_settings, what), _settings(claim.right, study_settings, what)
    if len(left) == len(right) == 1:
        if left == right:
            raise UsageError(f"{what} compares a setting with itself.")
        return ((left[0].key, right[0].key),)
    named = {*(claim.left.values or study_settings.names), *(claim.right.values or study_settings.names)}
    others = {_rest(setting, named): setting.key for setting in right}
    pairs = tuple((setting.key, others.get(_rest(setting, named))) for setting in left)
    if len(others) < len(right) or len(left) != len(right) or any(other is None for _, other in pairs):
        raise UsageError(
            f"{what}: {claim.left.text} fits {len(left)} settings and {claim.right.text} fits {len(right)}, and they "
            "do not pair off by their other values. Name the same axes on both sides."
        )
    return pairs


def _rest(setting: PlannedSetting, named: set[str]) -> tuple[tuple[str, str], ...]:
    return tuple((axis, label) for axis, label in setting.values.items() if axis not in named)


def _amount(amount: Amount, metric: Metric, what: str, *, is_level: bool = False) -> float:
    """In the unit of the metric: a level that it can have, or a difference above 0."""
    value = _in_unit(amount, metric, what, is_level)
    limits = bounds(metric)
    if is_level and limits is not None and not limits[0] <= value <= limits[1]:
        low, high = (difference_unit(metric).value(end) for end in limits)
        raise UsageError(f"{what}: {metric.name} goes from {low} to {high}, and {amount.number:g} is none of these.")
    if not is_level and not value > 0:
        raise UsageError(
            f"{what}: a difference is given by its size, which is above 0; say better or worse for its side."
        )
    return value


def _in_unit(amount: Amount, metric: Metric, what: str, is_level: bool) -> float:
    if amount.unit == "points":
        if metric.unit != "share":
            raise UsageError(f"{what}: points and % are of shares such as accuracies, and {metric.name} is none.")
        return amount.number / 100
    if amount.unit in ("seconds", "minutes"):
        if metric.unit not in ("seconds", "minutes"):
            raise UsageError(f"{what}: {metric.name} is not measured in {amount.unit}.")
        return amount.number * _SECONDS[amount.unit] / _SECONDS[metric.unit]
    if amount.unit == "epochs" and metric.unit != "epochs":
        raise UsageError(f"{what}: {metric.name} is not measured in epochs.")
    if metric.unit == "share" and 1 < amount.number <= 100:
        hint = f"write {amount.number:g}%" if is_level else f"write {amount.number:g} points"
        raise UsageError(f"{what}: {metric.name} is a share from 0 to 1; {hint} if that is meant.")
    return amount.number


def _difference(resolved: ResolvedClaim, tables: Tables) -> "Difference | None":
    metric, first = resolved.metric, resolved.pairs[0]
    smallest = resolved.amount if isinstance(resolved.claim, NoDifferenceClaim) else None
    if len(resolved.pairs) == 1 and first[1] is not None:
        return tables.between(metric.name, first[0], first[1], smallest)
    frame = _blocks(resolved, tables)
    if frame.empty:
        return None
    higher = metric.better == "higher"
    unit = difference_unit(metric)
    comparisons = evaluation.compare_settings(
        frame, baseline="right", higher_is_better=higher, unit=unit, smallest=smallest
    )
    return comparisons.between("left", "right")


def _blocks(resolved: ResolvedClaim, tables: Tables) -> "pd.DataFrame":
    """Left and right beside each other, a row for each pair of settings and seed."""
    import pandas as pd

    values = tables.values[resolved.metric.name]
    rows = {
        f"{left} {right} {seed}": (values[left].get(seed), values[str(right)].get(seed))
        for left, right in resolved.pairs
        for seed in tables.seeds
    }
    known = {name: pair for name, pair in rows.items() if None not in pair}
    return pd.DataFrame.from_dict(known, orient="index", columns=["left", "right"], dtype=float)


def _compared(claim: ComparisonClaim, difference: "Difference", resolved: ResolvedClaim) -> ClaimVerdict:
    is_upwards = _is_upwards(claim, resolved.metric)
    low, high = _towards(difference, is_upwards)
    margin = resolved.amount
    if margin is not None:
        return "supported" if low >= margin else "contradicted" if high < margin else "undecided"
    if difference.verdict == "identical":
        return "contradicted"
    if difference.verdict not in ("better", "worse"):
        return "contradicted" if difference.verdict == "alike" else "undecided"
    return "supported" if (difference.estimate or 0.0) * (1 if is_upwards else -1) > 0 else "contradicted"


def _is_upwards(claim: ComparisonClaim, metric: Metric) -> bool:
    """Whether the left one is claimed to have the larger number."""
    return claim.relation == "higher" or (claim.relation, metric.better) in (("better", "higher"), ("worse", "lower"))


def _compared_late(resolved: ResolvedClaim, claim: ComparisonClaim | NoDifferenceClaim, tables: Tables) -> Claim:
    """By ranks, where some trials never came to the level."""
    pairs = [
        claimed_pair(tables, resolved.metric.name, left, right) for left, right in resolved.pairs if right is not None
    ]
    ranked_pairs = [pair for pair in pairs if pair is not None]
    if (
        len(resolved.pairs) > 1
        or isinstance(claim, NoDifferenceClaim)
        or resolved.amount is not None
        or not ranked_pairs
    ):
        late = "Some trials never came to the level, so there is no difference in numbers to hold this to"
        return Claim(
            claim.text,
            "undecided",
            f"{late}. {' '.join(ranked_pair.sentence for ranked_pair in ranked_pairs)}".strip(),
            {},
        )
    (pair,) = ranked_pairs
    repeats, unreached = list(pair.found.counts), list(pair.found.beyond)
    numbers = {"p": pair.p, "test": "rank-sum", "repeats": repeats, "unreached": unreached}
    verdict: ClaimVerdict = "undecided"
    if pair.verdict != "undecided":
        verdict = "supported" if pair.found.is_higher == _is_upwards(claim, resolved.metric) else "contradicted"
    return Claim(claim.text, verdict, pair.sentence, numbers)


def _alike(difference: "Difference", resolved: ResolvedClaim) -> ClaimVerdict:
    margin = resolved.amount or 0.0
    low, high = _towards(difference, is_upwards=True)
    if -margin <= low and high <= margin:
        return "supported"
    return "contradicted" if low > margin or high < -margin else "undecided"


def _towards(difference: "Difference", is_upwards: bool) -> tuple[float, float]:
    """The ends of the interval, in the direction claimed; without one, everything is possible."""
    if difference.verdict == "identical":
        return 0.0, 0.0
    interval = difference.interval
    if interval is None:
        return float("-inf"), float("inf")
    return (interval.low, interval.high) if is_upwards else (-interval.high, -interval.low)


def _why(claim: ComparisonClaim | NoDifferenceClaim, difference: "Difference", resolved: ResolvedClaim) -> str:
    """In the words of the comparison, with the settings as the claim names them where there are several."""
    if len(resolved.pairs) == 1:
        return difference.sentence
    renamed = {"left": claim.left.text, "right": claim.right.text}
    text = difference.sentence
    for side, name in renamed.items():
        text = text.replace(side, name, 1)
    return f"{text} Over {len(resolved.pairs)} pairs of settings."


def _numbers(difference: "Difference") -> dict[str, Any]:
    low, high = ends(difference.interval)
    return {
        "difference": difference.estimate,
        "low": low,
        "high": high,
        "p": difference.p_value,
        "repeats": difference.repeats,
        "more_repeats": difference.more_repeats,
        "test": difference.test,
    }


def _leads(resolved: ResolvedClaim, claim: BestClaim, tables: Tables) -> Claim:
    key, metric = resolved.pairs[0][0], resolved.metric.name
    differences: Sequence[Difference | RankedPair]
    if tables.late(metric, tables.labels):
        differences = rank_pairs(tables, metric, [(key, other) for other in tables.labels if other != key])
    else:
        differences = tables.leading(metric, key)
    worse = [difference for difference in differences if difference.verdict == "worse"]
    open_ = [difference for difference in differences if difference.verdict != "better"]
    verdict: ClaimVerdict = "contradicted" if worse else "undecided" if open_ or not differences else "supported"
    telling = (worse or open_ or differences)[:1]
    count = f"Better than {len(differences) - len(open_)} of {len(differences)} others."
    why = f"{count} {telling[0].sentence}" if telling else "There is nothing to compare it with."
    return Claim(claim.text, verdict, why, {"better_than": len(differences) - len(open_), "others": len(differences)})


def _bounded(resolved: ResolvedClaim, claim: BoundClaim, tables: Tables) -> Claim:
    metric, level = resolved.metric, resolved.amount or 0.0
    keys = [key for key, _ in resolved.pairs] or _best(tables, metric)
    values = _by_seed(tables, metric.name, keys)
    if not values:
        return Claim(claim.text, "undecided", "No trial has this number yet.", {})
    unit, images = difference_unit(metric), tables.images.get(metric.name)
    comparison = evaluation.compare_to_number(
        values, level, higher_is_better=True, unit=unit, n=images, step=tables.step(metric)
    )
    is_floor = claim.bound in ("at least", "above")
    low, high = ends(_around_mean(comparison.interval, level, metric))
    if metric.unit == "epochs" and len(set(values)) == 1 < len(values):
        # Epochs are few and whole: where every repeat took as many, there is nothing to doubt.
        low = high = values[0]
    late = sum(len(tables.unreached.get(metric.name, {}).get(key, {})) for key in keys)
    verdict = _beyond(low, high, level, is_floor)
    if late and verdict == ("contradicted" if is_floor else "supported"):
        # It took longer than what is counted, nobody knows by how much.
        verdict = "undecided"
    numbers: dict[str, Any] = {
        "mean": comparison.mean,
        "level": level,
        "n": len(values),
        "low": low,
        "high": high,
        "p": comparison.p_value,
        **({"unreached": late} if late else {}),
    }
    label = " and ".join(tables.labels[key] for key in keys[:2]) + (" …" if len(keys) > 2 else "")
    return Claim(claim.text, verdict, _bounded_why(label, metric, numbers, claim), {"setting": label, **numbers})


def _by_seed(tables: Tables, metric: str, keys: list[str]) -> list[float]:
    """The mean over the settings for each seed with which all of them have a number, the least that it can be."""
    values = {key: tables.at_least(metric, key) for key in keys}
    shared = [seed for seed in tables.seeds if keys and all(seed in values[key] for key in keys)]
    return [sum(values[key][seed] for key in keys) / len(keys) for seed in shared]


def _best(tables: Tables, metric: Metric) -> list[str]:
    """The setting with the best mean, the least that it can be."""
    known = {key: tables.at_least(metric.name, key) for key in tables.labels}
    means = {key: sum(v.values()) / len(v) for key, v in known.items() if v}
    if not means:
        return []
    sign = 1 if metric.better == "higher" else -1
    return [max(means, key=lambda key: sign * means[key])]


def _around_mean(interval: Interval | None, level: float, metric: Metric) -> Interval | None:
    """The interval of the value, from that of the value minus the level."""
    if interval is None:
        return None
    whole = Interval(interval.low + level, interval.high + level)
    limits = bounds(metric)
    return whole if limits is None else whole.within(*limits)


def _beyond(low: float | None, high: float | None, level: float, is_floor: bool) -> ClaimVerdict:
    """Whether the whole interval lies on the side claimed, or on the other; without one, nobody knows."""
    if low is None or high is None:
        return "undecided"
    if not is_floor:
        low, high, level = -high, -low, -level
    return "supported" if low >= level else "contradicted" if high < level else "undecided"


def _bounded_why(label: str, metric: Metric, numbers: dict[str, Any], claim: BoundClaim) -> str:
    unit = difference_unit(metric)
    shown = f"{metric.label} of {label}: {unit.value(numbers['mean'])}"
    if numbers["low"] is not None and numbers["low"] == numbers["high"]:
        shown += f" in each of {numbers['n']} repeats"
    elif numbers["low"] is not None:
        low, high = (unit.number(numbers[end]) for end in ("low", "high"))
        shown += f" (95% interval {low} to {high}, n={numbers['n']})"
    else:
        few = "too few for an interval" if numbers["n"] < 2 else "which do not vary, so nothing tells how sure that is"
        shown += f" (n={numbers['n']}, {few})"
    if late := numbers.get("unreached"):
        shown += f"; {late} of these never reached it, and count as if they had right after their last epoch"
    chosen = " It was chosen as the best of these very numbers, which flatters it." if claim.setting is None else ""
    return f"{shown}, against {unit.value(numbers['level'])}.{chosen}"
