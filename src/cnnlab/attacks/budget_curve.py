"""Robust accuracy over budgets, with noise of the same size beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.attacks.adversarial import Adversarial, Source
from cnnlab.attacks.api import attack as attack_model
from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.noise import Noise
from cnnlab.attacks.norms import USUAL_BUDGETS, Norm
from cnnlab.attacks.perturbed import Attacked
from cnnlab.core.errors import UsageError
from cnnlab.core.registry import BoundCall
from cnnlab.evaluation import Interval, wilson

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Of the usual budget of a norm."""


@dataclass(frozen=True, eq=False)
class BudgetCurve:
    """How many pictures stay right within budgets.

    :param attack: its spec in short, without a budget.
    :param budgets: in ``norm``, the first 0; ``accuracies`` and ``intervals`` over pictures of each, rounded to 8 bits.
    :param is_noise: whether it is noise, which an attack must beat.
    """

    attack: str
    norm: Norm
    budgets: tuple[float, ...]
    accuracies: tuple[float, ...]
    intervals: tuple[Interval | None, ...]
    is_noise: bool
    source: Source

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain JSON."""
        intervals = [None if each is None else each.to_dict() for each in self.intervals]
        return {
            "attack": self.attack,
            "norm": self.norm,
            "budgets": list(self.budgets),
            "robust_accuracy": list(self.accuracies),
            "intervals": intervals,
        }


def budget_curves(
    model: Attacked,
    attack: object = "pgd",
    budgets: Sequence[float] | None = None,
    *,
    noise: bool = True,
    **options: Any,
) -> tuple[BudgetCurve, ...]:
    """Robust accuracy of a model over budgets, by an attack, and by even noise within the same budgets.

    At each budget a picture counts as fooled where it is fooled within that budget or any smaller one, so that curves
    only fall. An attack that looks for the least change is carried out once. Each attack is kept as by
    :func:`cnnlab.attack`.

    :param budgets: above 0; a quarter to eight times the usual one of the norm unless given.
    :param options: as of :func:`cnnlab.attack`: data, split, n, seed and so on.
    :raises UsageError: for budgets below 0, and for an attack that has none.
    """
    bound = ATTACKS.bind(attack)
    built: Attack = bound.build()
    norm = built.norm
    if norm is None or norm == "l0":
        raise UsageError(f"{bound.name} goes by no norm, so that there are no budgets to go over.")
    wanted = sorted({factor * USUAL_BUDGETS[norm] for factor in FACTORS} if budgets is None else set(budgets))
    if not wanted or wanted[0] < 0:
        raise UsageError(f"budgets are numbers of at least 0; got {', '.join(map(str, wanted)) or 'none'}.")
    wanted = [each for each in wanted if each > 0]
    curves = [_curve(model, bound, built, norm, wanted, options)]
    if noise and not isinstance(built, Noise):
        beside = ATTACKS.bind(f"uniform-noise(norm={norm})")
        curves.append(_curve(model, beside, beside.build(), norm, wanted, {**options, "target": None}))
    return tuple(curves)


def _curve(
    model: Attacked,
    bound: BoundCall[Attack],
    built: Attack,
    norm: Norm,
    budgets: Sequence[float],
    options: dict[str, Any],
) -> BudgetCurve:
    fooled: list[NDArray[np.bool_]] = []
    if built.eps is None:
        found = attack_model(model, bound, **options)
        # Roundings to 8 bits move a picture by half a step at most in each number.
        fooled = [_pictures(found, found.lengths(norm, is_rounded=False) <= budget) for budget in budgets]
    else:
        for budget in budgets:
            call = BoundCall(bound.entry, {**bound.arguments, "eps": budget})
            found = attack_model(model, call, **options)
            fooled.append(_pictures(found, np.ones(len(found), bool)))
    if found.source is None:
        raise ValueError("what is attacked by name says which pictures it was")
    so_far = np.logical_or.accumulate([np.zeros_like(fooled[0]), *fooled])
    count = len(so_far[0])
    right = round(found.clean_accuracy * count)
    left = [right - int(each.sum()) for each in so_far]
    return BudgetCurve(
        _without_budget(bound),
        norm,
        (0.0, *budgets),
        tuple(number / count for number in left),
        tuple(wilson(number, count) for number in left),
        isinstance(built, Noise),
        found.source,
    )


def _pictures(found: Adversarial, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of each picture whether any of these rows makes the model err, rounded."""
    wrong = found.right & (found.kept.predicted != found.labels) & rows
    _, places = np.unique(found.places, return_inverse=True)
    counts = np.bincount(places, weights=wrong)
    return np.asarray(counts > 0)


def _without_budget(bound: BoundCall[Attack]) -> str:
    short = bound.short
    kept = {name: value for name, value in short.kwargs.items() if name != "eps"}
    return str(type(short)(short.name, (), kept))
