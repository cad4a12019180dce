"""What an ensemble reaches by how many members it has, and what it is without each of them."""

import math
from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
import numpy.typing as npt

from cnnlab.core import seeds
from cnnlab.ensembles.analysis.findings import LeftOut, SizePoint
from cnnlab.ensembles.combinations import Combination, WeightedMean
from cnnlab.ensembles.member_outputs import MemberOutputs
from cnnlab.ensembles.weighted_losses import Array, LogLosses
from cnnlab.evaluation.intervals import tango

_ORDERS, _FEW_ORDERS = 40, 12
_MOST_SIZES, _FEW_SIZES = 14, 7
_BAND = (0.05, 0.95)
_MOST_LEFT_OUT = 40
"""Where each one left out is combined by itself; weighted means of probabilities are all worked out at once."""


def has_one_head_of_classes(outputs: MemberOutputs) -> bool:
    """Whether the metric is the accuracy of one column of classes, for which there is a short way."""
    return len(outputs.objective.heads) == 1 and bool(outputs.objective.class_heads)


def size_curve(outputs: MemberOutputs) -> tuple[SizePoint, ...]:
    """The metric of the mean of 1, 2, … members, over which of them are taken.

    Members are added one after another in orders drawn at random, all orders where these are few: at each size every
    choice of members is as likely. Of many members only some sizes are looked at.
    """
    members, is_short = len(outputs), has_one_head_of_classes(outputs)
    orders = _orders(members, _ORDERS if is_short else _FEW_ORDERS)
    sizes = _sizes(members, _MOST_SIZES if is_short else _FEW_SIZES)
    points = []
    losses = LogLosses(outputs) if is_short else None
    for size in sizes:
        chosen = sorted({tuple(sorted(order[:size])) for order in orders})
        counts = [sum(tuple(sorted(order[:size])) == subset for order in orders) for subset in chosen]
        weights = np.zeros((len(chosen), members))
        for row, subset in zip(weights, chosen, strict=True):
            row[list(subset)] = 1 / size
        scores = (
            1 - losses.errors(weights) if losses is not None else np.array([_score(outputs, row) for row in weights])
        )
        every = np.repeat(scores, counts)
        low, high = (float(np.quantile(every, share)) for share in _BAND)
        points.append(SizePoint(size=size, mean=float(every.mean()), low=low, high=high, subsets=len(chosen)))
    return tuple(points)


def left_out(
    outputs: MemberOutputs,
    combination: Combination,
    refitted: Callable[[list[int]], Combination] | None = None,
) -> tuple[LeftOut, ...]:
    """The metric without each member, and what it is worth; none where that would take long.

    :param refitted: fits the method again on the members at these places; None to leave its numbers as they are.
    """
    members, sign = len(outputs), 1 if outputs.objective.better(outputs.objective.select) == "higher" else -1
    if members < 2:
        return ()
    if isinstance(combination, WeightedMean) and combination.of == "probabilities" and has_one_head_of_classes(outputs):
        tempered = outputs.tempered(combination.temperatures)
        return _left_out_at_once(LogLosses(tempered), np.array(combination.member_weights))
    if members > _MOST_LEFT_OUT:
        return ()
    whole = outputs.scores(outputs.combined(combination))[outputs.objective.select]
    found = []
    for place in range(members):
        others = [other for other in range(members) if other != place]
        without = refitted(others) if refitted is not None else combination.without(place)
        if without is None:
            continue
        score = outputs.scores(outputs.only(others).combined(without))[outputs.objective.select]
        if math.isfinite(score) and math.isfinite(whole):
            found.append(LeftOut(member=place, score=score, worth=sign * (whole - score)))
    return tuple(found)


def _left_out_at_once(losses: LogLosses, weights: Array) -> tuple[LeftOut, ...]:
    """Of weighted means of one head's probabilities, with intervals of what each is worth."""
    (whole,) = losses.wrong(weights)[0]
    found = []
    for place in np.flatnonzero(weights < 1):
        others = weights.copy()
        others[place] = 0
        (without,) = losses.wrong(others / others.sum())[0]
        only_with, only_without = int((~whole & without).sum()), int((whole & ~without).sum())
        interval = tango(only_with, only_without, losses.count)
        found.append(
            LeftOut(
                member=int(place),
                score=1 - float(without.mean()),
                worth=(only_with - only_without) / losses.count,
                low=interval.low,
                high=interval.high,
            )
        )
    return tuple(found)


def _orders(members: int, most: int) -> Sequence[Sequence[int]]:
    if math.factorial(min(members, 10)) <= most:
        return list(permutations(range(members)))
    return [np.random.default_rng(seeds.derive(0, "members", n)).permutation(members).tolist() for n in range(most)]


def _sizes(members: int, most: int) -> list[int]:
    if members <= most:
        return list(range(1, members + 1))
    return sorted({round(float(size)) for size in np.geomspace(1, members, most)})


def _score(outputs: MemberOutputs, weights: npt.NDArray[np.float64]) -> float:
    mean = WeightedMean(weights=tuple(map(float, weights)))
    return outputs.scores(outputs.combined(mean))[outputs.objective.select]
