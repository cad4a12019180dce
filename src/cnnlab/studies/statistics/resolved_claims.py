"""From claims in words to claims about settings and metrics that there are, before anything trains."""

from collections.abc import Callable
from dataclasses import dataclass

from cnnlab.core.errors import UsageError
from cnnlab.core.measurements import Measure, Metric
from cnnlab.studies.claim_grammar import (
    Amount,
    BestClaim,
    BoundClaim,
    ChosenSettings,
    ClaimRead,
    ComparisonClaim,
    NoDifferenceClaim,
    SpreadClaim,
    read_claim,
)
from cnnlab.studies.planned_settings import PlannedEnsemble, PlannedSetting
from cnnlab.studies.settings import StudySettings
from cnnlab.studies.statistics.tables import TIMES, bounds, difference_unit

Planned = PlannedSetting | PlannedEnsemble
EQUIVALENT = 0.01
"""Shares that differ by less than a point are taken to be no different, unless a claim says what counts."""
_TIME = "seconds"
"""The measure of which faster and slower are, unless another is named."""
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
    is_of_time = isinstance(claim, ComparisonClaim | BestClaim) and claim.is_of_time
    try:
        metric = measure(_TIME if is_of_time and claim.metric is None else claim.metric).metric
    except UsageError as error:
        raise UsageError(f"{what}: {error}") from error
    if is_of_time and metric.unit not in TIMES:
        raise UsageError(
            f"{what}: {metric.name} is no time, so nothing is faster or slower on it. Say better or worse, or name a "
            f"time: {_TIME}, images_per_second, or seconds to a level, as in seconds to 90% validation_accuracy."
        )
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
    if isinstance(claim, SpreadClaim):
        pairs = _pairs(claim, study_settings, what)
        if len(pairs) > 1:
            raise UsageError(f"{what} compares {len(pairs)} pairs of settings; name one of them on each side.")
        return ResolvedClaim(claim, metric, pairs)
    given = claim.margin if isinstance(claim, ComparisonClaim) else claim.within
    amount = None if given is None else _amount(given, metric, what)
    if isinstance(claim, NoDifferenceClaim) and amount is None:
        if metric.unit != "share":
            raise UsageError(f"{what}: say what difference counts, as in: within 0.01.")
        amount = EQUIVALENT
    return ResolvedClaim(claim, metric, _pairs(claim, study_settings, what), amount)


def _settings(chosen: ChosenSettings, study_settings: StudySettings, what: str) -> tuple[Planned, ...]:
    if study_settings.searched:
        raise UsageError(f"{what}: nobody knows what a search will try; claim something of the best, as in: the best …")
    if chosen.values is not None:
        return study_settings.select(chosen.values, what)
    if study_settings.baseline is None:
        raise UsageError(f"{what}: this study names no baseline.")
    every: tuple[Planned, ...] = (*study_settings.settings, *study_settings.ensembles)
    return tuple(setting for setting in every if setting.key == study_settings.baseline)


def _pairs(
    claim: ComparisonClaim | NoDifferenceClaim | SpreadClaim, study_settings: StudySettings, what: str
) -> tuple[tuple[str, str | None], ...]:
    """Each setting on the left with its counterpart: the one on the right that has the same values otherwise."""
    left, right = _settings(claim.left, study_settings, what), _settings(claim.right, study_settings, what)
    if left == right:
        raise UsageError(f"{what} compares a setting with itself.")
    if len(left) == len(right) == 1:
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


def _rest(setting: Planned, named: set[str]) -> tuple[tuple[str, str], ...]:
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
