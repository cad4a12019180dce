"""How the mistakes of members differ."""

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from cnnlab.ensembles.analysis.findings import MEASURES, Diversity, Matrix
from cnnlab.ensembles.member_outputs import MemberOutputs

Array: TypeAlias = npt.NDArray[np.float64]


def diversity(outputs: MemberOutputs) -> Diversity | None:
    """Of all pairs of members; None without targets, or of one member alone."""
    if len(outputs) < 2 or not outputs.targets or not outputs.count:
        return None
    right = rightness(outputs)
    found = by_pairs(right) if right is not None else {"correlation": correlations(number_errors(outputs))}
    off = ~np.eye(len(outputs), dtype=bool)
    means = {name: _mean(found[name][off]) for name in MEASURES if name in found}
    return Diversity(split=outputs.split, means=means, **{name: _rows(rows) for name, rows in found.items()})


def rightness(outputs: MemberOutputs) -> npt.NDArray[np.bool_] | None:
    """Whether each member is right about each picture, M×N, in all columns of classes; None where there are none."""
    objective, targets = outputs.objective, outputs.targets
    # A number is off by more or by less; that it is not exactly right says little.
    columns = [] if objective.number_heads else list(objective.predicts)
    if not columns:
        return None
    decoded = [objective.decode(member) for member in outputs.outputs]
    right = [torch.stack([each[name] == targets[name] for name in columns]).all(0) for each in decoded]
    return torch.stack(right).numpy()


def number_errors(outputs: MemberOutputs) -> Array:
    """How far each member is off, with its sign, M×N: of the first number predicted, the short way round a circle."""
    head, part = next(iter(outputs.objective.number_heads.items()))
    truth = part.quantity.of(outputs.targets)
    errors = torch.stack([part.value(outputs.objective.split(row)[head]).double() - truth for row in outputs.outputs])
    if part.period is not None:
        errors = (errors + part.period / 2).remainder(part.period) - part.period / 2
    result: Array = errors.numpy()
    return result


def by_pairs(right: npt.NDArray[np.bool_]) -> dict[str, Array]:
    """The measures M×M from who is right about what, M×N; NaN where one is not defined, as Q of a perfect member."""
    yes, no = right.astype(np.float64), (~right).astype(np.float64)
    both, none, first, second = yes @ yes.T, no @ no.T, yes @ no.T, no @ yes.T
    count = right.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        q = (both * none - first * second) / (both * none + first * second)
    return {
        "disagreement": (first + second) / count,
        "q": q,
        "double_fault": none / count,
        "correlation": correlations(yes),
    }


def correlations(errors: Array) -> Array:
    """Pearson's, M×M, of M rows; NaN where one does not vary."""
    centred = errors - errors.mean(axis=1, keepdims=True)
    products = centred @ centred.T
    spread = np.sqrt(np.diag(products))
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Array = products / np.outer(spread, spread)
    return result


def _rows(matrix: Array) -> Matrix:
    """Without the diagonal, where each is compared with itself."""
    return tuple(
        tuple(None if place == other or not math.isfinite(value) else float(value) for other, value in enumerate(row))
        for place, row in enumerate(matrix)
    )


def _mean(values: Array) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
