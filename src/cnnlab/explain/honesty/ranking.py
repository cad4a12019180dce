"""Methods ranked on one's own run: by deletion, insertion and pointing, each beside chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from cnnlab.core.errors import UsageError
from cnnlab.core.number_text import counted
from cnnlab.evaluation import Estimate, predictor_of
from cnnlab.evaluation.intervals import LEVEL
from cnnlab.explain.attribution import Model
from cnnlab.explain.honesty.estimates import ANYWHERE, over_pictures
from cnnlab.explain.honesty.methods import short_name
from cnnlab.explain.honesty.mosaics import CHANCE, Mosaics, pointing
from cnnlab.explain.honesty.removal import REMOVALS, RemovalCurves, removal_curves
from cnnlab.explain.honesty.similarity import Array

Measure: TypeAlias = Literal["deletion", "insertion", "pointing"]
METHODS = (
    "saliency",
    "gradient-x-input",
    "smoothgrad",
    "integrated-gradients",
    "guided-backpropagation",
    "grad-cam",
    "grad-cam++",
    "layer-cam",
    "occlusion",
)
"""Those that are compared unless others are named: of each kind some, and none that takes long."""


@dataclass(frozen=True, eq=False)
class MeasureRanking:
    """Methods by one measure, each on the same pictures or mosaics.

    :param measure: ``deletion`` and ``insertion`` are the area under the curve, ``pointing`` the share of the map in
        the right quadrant.
    :param methods: their specs, in the order given.
    :param values: methods × units.
    :param chance: what a random map has, units.
    :param units: ``pictures`` or ``mosaics``.
    :param within: where values lie, and so their mean and its interval.
    """

    measure: Measure
    methods: tuple[str, ...]
    values: Array
    chance: Array
    units: str
    level: float = LEVEL
    within: tuple[float, float] = ANYWHERE

    @property
    def sign(self) -> int:
        """1 where a large value is good, -1 where a small one is."""
        return -1 if self.measure == "deletion" else 1

    @property
    def order(self) -> list[int]:
        """Places of the methods, the best mean first; equal ones in the order given."""
        return sorted(range(len(self.methods)), key=lambda place: -self.sign * float(self.values[place].mean()))

    def estimate(self, place: int) -> Estimate:
        """The mean of a method over units."""
        return over_pictures(self.values[place], level=self.level, within=self.within, units=self.units)

    @property
    def by_chance(self) -> Estimate:
        """The mean of random maps."""
        return over_pictures(self.chance, level=self.level, within=self.within, units=self.units)

    def over_chance(self, place: int) -> Estimate:
        """How much better a method is than chance, paired by unit; above 0 is better."""
        return over_pictures(self.sign * (self.values[place] - self.chance), level=self.level, units=self.units)

    def behind_best(self, place: int) -> Estimate:
        """How much worse a method is than the best, paired by unit, 0 for the best itself.

        With Bonferroni's level for as many comparisons as there are other methods, so that all intervals hold together.
        """
        others = max(1, len(self.methods) - 1)
        best = self.values[self.order[0]]
        level = 1 - (1 - self.level) / others
        return over_pictures(self.sign * (best - self.values[place]), level=level, units=self.units)

    @property
    def best(self) -> tuple[str, ...]:
        """The best method, and those that are not told apart from it."""
        first, *rest = self.order
        alike = [place for place in rest if _sign(self.behind_best(place)) < 1]
        return tuple(self.methods[place] for place in (first, *alike))

    @property
    def like_chance(self) -> tuple[str, ...]:
        """Methods that are not told apart from a random map."""
        return self._beside_chance(0)

    @property
    def below_chance(self) -> tuple[str, ...]:
        """Methods that are worse than a random map."""
        return self._beside_chance(-1)

    def _beside_chance(self, sign: int) -> tuple[str, ...]:
        places = range(len(self.methods))
        return tuple(self.methods[place] for place in places if _sign(self.over_chance(place)) == sign)

    @property
    def sentence(self) -> str:
        """Which methods are best, and which are not told apart from chance or worse, with what that rests on."""
        first, *alike = self.best
        beside = (
            f"; not told apart from it {'is' if len(alike) == 1 else 'are'} {', '.join(alike)}"
            if alike
            else ", and told apart from all others"
        )
        what = {"deletion": "the area under deletion", "insertion": "the area under insertion"}.get(
            self.measure, "pointing on mosaics"
        )
        count = self.values.shape[1]
        over = f"{100 * self.level:g}% intervals over {count} {self.units}"
        over = over if count > 1 else f"of {counted(count, self.units.removesuffix('s'))}, which tells none apart"
        if len(self.methods) == 1:
            place = "not told apart from" if self.like_chance else "worse than" if self.below_chance else "better than"
            return f"By {what}, {first} is {place} chance ({over})."
        kinds = (("Not told apart from chance", self.like_chance), ("Worse than chance", self.below_chance))
        chance = "".join(f" {kind}: {', '.join(methods)}." for kind, methods in kinds if methods)
        chance = chance or " All are better than chance."
        return f"By {what}, {first} is best{beside} ({over}).{chance}"


def _sign(found: Estimate) -> int:
    """That of the whole interval; 0 where 0 lies within it, or there is none."""
    interval = found.interval
    return 0 if interval is None else int(interval.low > 0) - int(interval.high < 0)


@dataclass(frozen=True, eq=False)
class MethodRanking:
    """Methods by every measure, and the curves that these are of.

    :param measures: by name; ``pointing`` only where mosaics were given.
    :param curves: of each method, in order.
    :param notes: what a person must know who reads the ranking.
    """

    methods: tuple[str, ...]
    measures: dict[Measure, MeasureRanking]
    curves: tuple[RemovalCurves, ...]
    notes: tuple[str, ...] = ()


def rank_methods(
    model: Model,
    images: Any,
    methods: Sequence[object] = METHODS,
    target: Any = None,
    layer: str | None = None,
    *,
    tiles: Mosaics | None = None,
    level: float = LEVEL,
    device: str | None = None,
    **options: Any,
) -> MethodRanking:
    """How well methods do on a model: deletion and insertion areas on pictures, and pointing on mosaics of them.

    All methods are held to the same pictures, random orders and mosaics, and compared picture by picture. The
    model-randomisation test is left out on purpose: it says that a method fails, and cannot rank (Binder et al. 2023).

    :param methods: two or more, by their specs; controls among them if wanted.
    :param tiles: of :func:`~cnnlab.explain.mosaics`, for pointing.
    :param options: further ones of :func:`~cnnlab.explain.removal_curves`, such as ``steps`` and ``draws``.
    :raises UsageError: for no method, or one that is named twice.
    """
    if isinstance(methods, str) or not methods:
        raise UsageError("methods is a list of one or more, such as ['grad-cam', 'saliency'].")
    names = tuple(short_name(method) for method in methods)
    if len(set(names)) < len(names):
        raise UsageError(f"methods names one twice: {', '.join(names)}.")
    if options.get("draws") == 0:
        raise UsageError("draws is 1 or more: methods are set beside random orders.")
    predictor = predictor_of(model, device=device)
    options |= {"level": level, "device": predictor.device}
    curves: list[RemovalCurves] = []
    points = []
    with predictor.placed() as placed:
        for method in methods:
            # The random orders are the same for all.
            own = options | ({"draws": 0} if curves else {})
            curves.append(removal_curves(placed, images, method, target, layer, **own))
            if tiles is not None:
                points.append(pointing(placed, tiles, method, layer, level=level, device=predictor.device))
    shared = curves[0].random_scores
    curves = [replace(each, random_scores=shared) for each in curves]
    measures: dict[Measure, MeasureRanking] = {}
    for way in REMOVALS:
        areas, chance = np.stack([each.areas(way) for each in curves]), curves[0].random_areas(way).mean(0)
        measures[way] = MeasureRanking(way, names, areas, chance, "pictures", level, curves[0].within)
    if points:
        shares = np.stack([each.shares.mean(1) for each in points])
        chance = np.full(shares.shape[1], CHANCE)
        measures["pointing"] = MeasureRanking("pointing", names, shares, chance, "mosaics", level, (0.0, 1.0))
    notes = dict.fromkeys(
        note if note.startswith("the network") else f"{each.method}: {note}" for each in points for note in each.notes
    )
    return MethodRanking(names, measures, tuple(curves), tuple(notes))
