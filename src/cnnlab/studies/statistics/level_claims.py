"""Claims that a metric of a setting, or of the best one, lies on one side of a level."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from statistics import fmean
from typing import Any

from cnnlab import evaluation
from cnnlab.core.measurements import Metric
from cnnlab.evaluation import Interval, Unit
from cnnlab.studies.claim_grammar import BoundClaim
from cnnlab.studies.result import Claim, ClaimVerdict, Trial
from cnnlab.studies.statistics.multiplicity import ERROR_RATE, StudyFamily
from cnnlab.studies.statistics.new_images import NewImages
from cnnlab.studies.statistics.resolved_claims import ResolvedClaim
from cnnlab.studies.statistics.tables import Tables, bounds, difference_unit
from cnnlab.studies.statistics.wording import named

_LEAST = 2
"""Finished repeats from which on a claim is decided: one training tells nothing of how trainings differ."""


@dataclass(frozen=True)
class _Measured:
    """What the claim is about, as it was measured.

    :param mean: over the repeats, of which there are ``count``; None where there is none.
    :param low: lower end of the interval of what is claimed, simultaneous with all else that is tested; without an
        interval it is minus infinity, and ``high`` infinity.
    :param late: repeats that never came to the level that the metric is about.
    :param new: the same interval on new pictures like these, where that is known.
    """

    keys: tuple[str, ...]
    mean: float | None
    count: int
    low: float
    high: float
    late: int
    new: Interval | None = None


def judge_level(
    resolved: ResolvedClaim, claim: BoundClaim, tables: Tables, family: StudyFamily, new_images: NewImages | None
) -> Claim:
    """What became of a claim of a level."""
    metric, level = resolved.metric, resolved.amount or 0.0
    keys = tuple(key for key, _ in resolved.pairs)
    why = tables.untested(metric)
    if why:
        return Claim(claim.text, "undecided", f"{why[:1].upper()}{why[1:]}.", {})
    error = family.error(family.claim_share)
    measured = _of(tables, metric, keys, error, new_images) if keys else _of_best(tables, metric, family, new_images)
    failed = {key: trials for key in measured.keys or tables.labels if (trials := tables.failed(key))}
    if measured.mean is None:
        said = " ".join(_failures(tables, failed))
        return Claim(claim.text, "undecided", f"No trial has this number yet. {said}".strip(), {})
    is_floor = claim.bound in ("at least", "above")
    verdict = _beyond(measured.low, measured.high, level, is_floor)
    is_favourable = verdict == _favourable(metric, is_floor)
    if verdict != "undecided" and is_favourable and (failed or (measured.late and metric.better == "lower")):
        verdict = "undecided"
    label = " and ".join(tables.labels[key] for key in measured.keys[:2]) + (" …" if len(measured.keys) > 2 else "")
    numbers: dict[str, Any] = {
        "setting": label,
        "mean": measured.mean,
        "level": level,
        "n": measured.count,
        "low": None if measured.low == -inf else measured.low,
        "high": None if measured.high == inf else measured.high,
        **({} if measured.new is None else {"new_low": measured.new.low, "new_high": measured.new.high}),
        **({"unreached": measured.late} if measured.late else {}),
        **({"failed": sum(map(len, failed.values()))} if failed else {}),
    }
    kind = "95% interval" if error == ERROR_RATE else "simultaneous 95% interval"
    words = [_words(label, metric, measured, level, claim, kind), *_on_these_alone(measured, verdict, level)]
    why = " ".join([*words, *_failures(tables, failed)])
    others = sum(len(tables.failed(key)) for key in tables.labels if not keys and key not in measured.keys)
    why += f" Of other settings {others} {'repeat' if others == 1 else 'repeats'} failed." if others else ""
    return Claim(claim.text, verdict, why, numbers)


def _of(
    tables: Tables, metric: Metric, keys: tuple[str, ...], error: float, new_images: NewImages | None = None
) -> _Measured:
    """Of settings named: the mean over them for each seed with which all have a number, the least that it can be."""
    values = {key: tables.at_least(metric.name, key) for key in keys}
    shared = [seed for seed in tables.seeds if all(seed in values[key] for key in keys)]
    means = [fmean(values[key][seed] for key in keys) for seed in shared]
    late = sum(len(tables.unreached.get(metric.name, {}).get(key, {})) for key in keys)
    low, high = _interval(tables, metric, means, error)
    mean, new = fmean(means) if means else None, None
    if new_images is not None and mean is not None and len(means) >= _LEAST and not late and low > -inf:
        new = new_images.of_level(metric.name, keys, shared, Interval(low, high, 1 - error), mean, error)
    return _Measured(keys, mean, len(means), low, high, late, new)


def _of_best(tables: Tables, metric: Metric, family: StudyFamily, new_images: NewImages | None) -> _Measured:
    """Of the best setting, whichever it is: it was chosen by these very numbers, which flatters it.

    That it comes to something is shown by a bound that holds for every setting at once (Bonferroni); that it does not,
    by all of them falling short, each by a bound of its own. Settings of which trainings diverged are chosen last.
    """
    share, count = family.claim_share, len(tables.labels)
    single = {key: _of(tables, metric, (key,), family.error(share), new_images) for key in tables.labels}
    is_higher = metric.better == "higher"

    def rank(key: str) -> tuple[int, float]:
        diverged = sum(trial.failure == "nan" for trial in tables.failed(key))
        mean = single[key].mean or 0.0
        return -diverged, mean if is_higher else -mean

    known = [key for key, measured in single.items() if measured.mean is not None]
    if not known:
        return _Measured((), None, 0, -inf, inf, 0)
    # What is not trained yet may turn out to be anything.
    wanted = [key for key in single if key in known or any(t.status == "missing" for t in tables.trials.get(key, ()))]
    best = _of(tables, metric, (max(known, key=rank),), family.error(share, count) / count, new_images)
    others = [single[key].new for key in wanted]
    new = best.new if all(others) else None
    if is_higher:
        new = new and replace(new, high=max(other.high for other in others if other))
        return replace(best, high=max(single[key].high for key in wanted), new=new)
    new = new and replace(new, low=min(other.low for other in others if other))
    return replace(best, low=min(single[key].low for key in wanted), new=new)


def _interval(tables: Tables, metric: Metric, values: Sequence[float], error: float) -> tuple[float, float]:
    if len(values) < _LEAST:
        return -inf, inf
    found = evaluation.mean_interval(values, 1 - error, within=bounds(metric), step=tables.step(metric))
    return (-inf, inf) if found is None else (found.low, found.high)


def _beyond(low: float, high: float, level: float, is_floor: bool) -> ClaimVerdict:
    """Whether the whole interval lies on the side claimed, or on the other."""
    if not is_floor:
        low, high, level = -high, -low, -level
    return "supported" if low >= level else "contradicted" if high < level else "undecided"


def _favourable(metric: Metric, is_floor: bool) -> ClaimVerdict:
    """The verdict that says something good of the setting, which no survivors of its failures bear out."""
    return "supported" if is_floor == (metric.better == "higher") else "contradicted"


def _words(label: str, metric: Metric, measured: _Measured, level: float, claim: BoundClaim, kind: str) -> str:
    """The numbers in a sentence, and what else is to be said of them."""
    unit = difference_unit(metric)
    assert measured.mean is not None
    mean = unit.value(measured.mean, against=(level,))
    if claim.setting is None and measured.count >= _LEAST:
        shown = f"the best {metric.label} is that of {label}, {mean}"
        shown += _interval_words(measured, unit, f"{kind} for the best setting, whichever it is,", level)
    else:
        shown = f"{metric.label} of {label}: {mean}{_interval_words(measured, unit, kind, level)}"
    if measured.late:
        shown += f"; {measured.late} of these never reached it, and count as if they had right after their last epoch"
    text = f"{shown}, against {unit.value(level)}."
    if measured.count < _LEAST:
        text += " One training tells nothing of how trainings differ; two finished repeats or more can decide."
    elif claim.setting is None:
        text += " It was chosen as the best of these very numbers; the interval allows for that."
    return text


def _on_these_alone(measured: _Measured, verdict: ClaimVerdict, level: float) -> list[str]:
    """What is to be said where other pictures like these might decide otherwise."""
    is_open = measured.new is not None and measured.new.low < level < measured.new.high
    return (
        ["That is so on these pictures, and perhaps not on new ones like these."]
        if is_open and verdict != "undecided"
        else []
    )


def _interval_words(measured: _Measured, unit: Unit, kind: str, level: float) -> str:
    if measured.count < _LEAST:
        return " in one finished repeat"
    low, high = measured.low, measured.high
    if (low, high) == (-inf, inf):
        return f" (n={measured.count}, which do not vary, so nothing tells how sure that is)"
    if low == -inf:
        shown = f"up to {unit.number(high, against=(level,))}"
    elif high == inf:
        shown = f"from {unit.number(low, against=(level,))}"
    else:
        shown = unit.range(low, high, against=(level,))
    if measured.new is not None:
        new = unit.range(measured.new.low, measured.new.high, against=(level,))
        shown += f" on these pictures and {new} on new ones like these"
    return f" ({kind} {shown}, n={measured.count})"


def _failures(tables: Tables, failed: dict[str, list[Trial]]) -> list[str]:
    """Which repeats failed, in sentences."""
    counts = {key: f"{len(trials)} of {len(tables.trials[key])}" for key, trials in failed.items()}
    return [
        f"{counts[key]} repeats of {tables.labels[key]} failed ({named(trials)}), and what is left may look better "
        "than it is."
        for key, trials in failed.items()
    ]
