"""Accuracy against budget: how many pictures stay right however they are changed within each of several budgets."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.attacks import checks
from cnnlab.attacks.adversarial import Row, Source
from cnnlab.attacks.api import DataPictures, aimed_at
from cnnlab.attacks.attack import ATTACKS, Attack
from cnnlab.attacks.norms import USUAL_BUDGETS, WORDS, Norm
from cnnlab.attacks.perturbed import Attacked
from cnnlab.attacks.trials import GivenPictures, Trials
from cnnlab.core.errors import UsageError
from cnnlab.core.registry import BoundCall
from cnnlab.core.spec import Call
from cnnlab.evaluation import Interval, wilson

TIMES_USUAL = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""The budgets unless others are given, in units of the usual one."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Robust accuracy at B budgets, by A attacks and all of them together.

    A picture that was fooled within a budget counts as fooled within every larger one, whatever an attack finds there:
    a single step alone may fool fewer with a larger budget. Pictures are rounded to 8 bits.

    :param attacks: their specs in short, without budgets.
    :param budgets: in rising order.
    :param least: A×N, the least of the budgets within which each picture was fooled, or of a least-change attack the
        length of what it found; infinite where it was not fooled, 0 where it was wrong to begin with.
    :param noise_least: N, likewise by noise of the same size.
    :param warnings: what casts doubt on an attack, in sentences.
    :param source: which pictures these are, where they were taken from a data set.
    """

    attacks: tuple[str, ...]
    norm: Norm
    budgets: tuple[float, ...]
    least: NDArray[np.float64]
    noise_least: NDArray[np.float64]
    warnings: tuple[str, ...] = ()
    source: Source | None = None

    @property
    def pictures(self) -> int:
        """How many there are."""
        return len(self.noise_least)

    @property
    def clean_accuracy(self) -> float:
        """The share that is right as it is."""
        return float((self.noise_least > 0).mean())

    @property
    def robust_accuracy(self) -> NDArray[np.float64]:
        """The share that no attack fooled within each budget, B."""
        return self._accuracy(self.least.min(0))

    @property
    def by_attack(self) -> NDArray[np.float64]:
        """The share that each attack by itself left, A×B."""
        return np.stack([self._accuracy(own) for own in self.least])

    @property
    def noise_accuracy(self) -> NDArray[np.float64]:
        """The share that noise left, B: what an attack must be better than."""
        return self._accuracy(self.noise_least)

    @property
    def intervals(self) -> list[Interval | None]:
        """Of the robust accuracy at each budget, over pictures: Wilson's, 95%."""
        return [wilson(round(share * self.pictures), self.pictures) for share in self.robust_accuracy]

    @property
    def clean_interval(self) -> Interval | None:
        """Of the clean accuracy."""
        return wilson(int((self.noise_least > 0).sum()), self.pictures)

    @property
    def noise_intervals(self) -> list[Interval | None]:
        """Of the accuracy under noise at each budget."""
        return [wilson(round(share * self.pictures), self.pictures) for share in self.noise_accuracy]

    def _accuracy(self, least: NDArray[np.float64]) -> NDArray[np.float64]:
        # Of least changes the lengths are measured, and rounded otherwise than a budget that is read.
        shares: NDArray[np.float64] = (least[None] > np.array(self.budgets)[:, None] * (1 + 1e-6)).mean(1)
        return shares

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain JSON."""
        source = self.source
        taken = {} if source is None else {name: getattr(source, name) for name in ("model", "data", "split", "seed")}
        return {
            "attacks": list(self.attacks),
            **taken,
            "norm": self.norm,
            "pictures": self.pictures,
            "clean_accuracy": self.clean_accuracy,
            "budgets": list(self.budgets),
            "robust_accuracy": self.robust_accuracy.tolist(),
            "intervals": [None if each is None else each.to_dict() for each in self.intervals],
            "by_attack": dict(zip(self.attacks, self.by_attack.tolist(), strict=True)),
            "noise_accuracy": self.noise_accuracy.tolist(),
            "noise_intervals": [None if each is None else each.to_dict() for each in self.noise_intervals],
            "warnings": list(self.warnings),
        }

    def __repr__(self) -> str:
        points = ", ".join(
            f"{budget:.3g}: {share:.4f}" for budget, share in zip(self.budgets, self.robust_accuracy, strict=True)
        )
        return f"Curve({WORDS[self.norm]}, {self.pictures} pictures; {points})"


def curve(
    model: Attacked,
    attack: object | Sequence[object] = "pgd",
    budgets: Sequence[float] | None = None,
    *,
    images: Any = None,
    labels: Any = None,
    target: str | int | None = None,
    **options: Any,
) -> Curve:
    """Robust accuracy at several budgets: the running minimum over all attacks and budgets that were tried.

    A least-change attack is tried once, and the lengths that it found are compared with the budgets. Beside it stands
    noise drawn evenly from each budget.

    :param model: a run, a model by itself, or the name of either.
    :param attack: a spec or several, all measured in one norm; what they say of ``eps`` gives way to the budgets.
    :param budgets: above 0, or 0 for the pictures as they are, which are told of anyway; unless given a quarter to
        eight times the usual one of the norm.
    :param images: N×C×H×W or C×H×W of the model's own shape, uint8 or float in [0, 1], tensor or array, with ``labels``
        the right class of each. Unless given they are pictures of the run's data, chosen as by :func:`cnnlab.attack`,
        and what each attack comes to at each budget is kept as by that.
    :param target: the class that pictures are to be taken for, in place of what the specs say.
    :param options: as of :func:`cnnlab.attacks.perturb` where pictures are given, and else of :func:`cnnlab.attack`:
        data, split, n, seed and so on.
    :raises UsageError: for an attack that is measured in no norm or in another than the rest, for budgets below 0, and
        as of these.
    """
    if images is not None and labels is None:
        raise UsageError("labels= says the right class of each of the images.")
    several = attack if isinstance(attack, list | tuple) else [attack]
    bound = list({str(each): each for each in (aimed_at(ATTACKS.bind(one), target) for one in several)}.values())
    norm = _one_norm(bound)
    points = _read_budgets(budgets, norm)
    is_given = images is not None
    tried = GivenPictures.of(model, images, labels, **options) if is_given else DataPictures(model, **options)
    noise_least, _ = _least(ATTACKS.bind(f"uniform-noise(norm={norm})"), points, np.arange(len(tried)), tried)
    right = np.flatnonzero(noise_least > 0)
    least, warnings = np.zeros((len(bound), len(tried))), []
    for place, spec in enumerate(bound):
        own, found = _least(spec, points, right, tried)
        least[place, right] = own[right]
        warnings += [f"{spec.name}: {each}" for each in found]
    missed = (noise_least <= points[-1]) & (least.min(0) > points[-1])
    if checks.is_notable(int(missed.sum()), len(right)):
        warnings.append(
            f"Noise of the same size fooled {int(missed.sum())} pictures that no attack did: the attacks go astray."
        )
    source = tried.pictures.source if isinstance(tried, DataPictures) else None
    words = tuple(map(_without_budget, bound))
    return Curve(words, norm, points, least, noise_least, tuple(warnings), source)


def _least(
    spec: BoundCall[Attack], budgets: Sequence[float], rows: Row, tried: Trials
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """For each picture the least budget within which an attack fooled it, N, and what was doubtful.

    :param rows: of the pictures that it is tried on, the least budget first, and at the next what is left of them.
    """
    norm, is_least_change = spec.build().norm, "eps" not in spec.arguments
    least = np.full(len(tried), np.inf)
    warnings: tuple[str, ...] = ()
    for budget in [None] if is_least_change else budgets:
        if not len(rows):
            break
        own = spec if budget is None else replace(spec, arguments={**spec.arguments, "eps": budget})
        found = tried(own, rows)
        wrong = found.kept.predicted != found.labels
        assert norm is not None
        far = np.full(len(found), budget) if budget is not None else found.lengths(norm)
        np.minimum.at(least, found.places[wrong], np.where(found.right, far, 0.0)[wrong])
        # Pictures that are of a wanted class already have no row, and are not tried again.
        rows = np.intersect1d(found.places, rows[least[rows] == np.inf])
        # Those of the largest budget that has any: the numbers in them differ from budget to budget.
        warnings = found.warnings or warnings
    return least, warnings


def _one_norm(attacks: Sequence[BoundCall[Attack]]) -> Norm:
    norms = {str(each): (each.name, each.build().norm) for each in attacks}
    unfit = next((name for name, norm in norms.values() if norm not in USUAL_BUDGETS), None)
    if unfit is not None:
        raise UsageError(f"a curve goes over budgets in linf, l2 or l1, and {unfit} is measured in none of them.")
    found = {norm for _, norm in norms.values()}
    if len(found) > 1:
        told = ", ".join(f"{name} in {norm}" for name, norm in norms.values())
        raise UsageError(f"all attacks of a curve are measured in one norm; these are {told}.")
    (norm,) = found
    assert norm is not None and norm != "l0"
    return norm


def _read_budgets(budgets: Sequence[float] | None, norm: Norm) -> tuple[float, ...]:
    if budgets is None:
        return tuple(times * USUAL_BUDGETS[norm] for times in TIMES_USUAL)
    read = tuple(sorted({float(each) for each in budgets if each != 0}))
    if not read or not (read[0] > 0 and math.isfinite(read[-1])):
        raise UsageError("budgets are numbers above 0, such as 1/255, 2/255, 4/255; at 0 nothing is changed.")
    return read


def _without_budget(attack: BoundCall[Attack]) -> str:
    kept = {name: value for name, value in attack.short.kwargs.items() if name != "eps"}
    return str(Call(attack.name, (), kept))
