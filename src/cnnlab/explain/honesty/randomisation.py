"""The model-randomisation test: whether maps change when what the network learned is taken from it, layer by layer.

Adebayo et al., Sanity checks for saliency maps (2018), the cascading form: weights are made random from the top layer
down, and each map is compared with that of the trained network. A method whose maps stay as they were cannot be showing
what the network learned.

What the test can say is debated, and less than is often made of it. Yona and Greenfeld (2021) show that maps may stay
alike because of the task, when what tells the classes apart lies where a random network looks too, and that part of the
original conclusions may be artefacts of the tasks. Binder et al. (2023) show that noise passes easily, that activations
keep their scale when layers above them are made random, so that maps may rightly change little, and that the test
cannot rank methods. Hedström et al. (2023) add that measures of similarity are biased by noise in the maps, and test by
the maps' complexity instead. So here a failing is told with its uncertainty, a passing is called no proof, and methods
are not ranked by it.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from cnnlab.core.errors import UsageError
from cnnlab.core.number_text import counted, deciding_digits, fixed
from cnnlab.evaluation import Estimate, predictor_of
from cnnlab.evaluation.intervals import LEVEL
from cnnlab.explain.attribution import Attribution, Model
from cnnlab.explain.honesty.estimates import over_draws_and_pictures
from cnnlab.explain.honesty.methods import Edges, attributed, settled_targets, short_name
from cnnlab.explain.honesty.randomised_copies import Draw, Randomiser, copied, steps_from_top
from cnnlab.explain.honesty.similarity import SIMILARITIES, Array, Similarity, is_blank, similarities
from cnnlab.explain.targets import Score
from cnnlab.models import Predictable, given_pixels, on_device

Verdict: TypeAlias = Literal["fails", "fails in part", "passes", "undecided"]
THRESHOLD = 0.5
"""A rank correlation that is called large (Cohen 1988, section 3.2): as alike as this, maps stay what they were."""
_DIGITS = 2


@dataclass(frozen=True, eq=False)
class RandomisationTest:
    """How alike the maps of a method stay while a network becomes random.

    :param method: its spec; ``layer`` that it is of, if any.
    :param layers: the lowest layer that is random after each step, from the top down; after the last, all are.
    :param similarity: by its measure, draws × steps × pictures: rank correlation of the ``absolute`` values with
        those of the trained network, that of the ``signed`` ones, and ``ssim`` of what is shown. NaN of a picture whose
        map was blank to begin with.
    :param control: the same of an edge detector, by rank correlation, draws × steps × pictures.
    :param edges: rank correlation of the trained network's map, as magnitudes, with the edge detector's, N;
        ``random_edges`` that of the wholly random network's, draws × N.
    :param how: where random weights come from.
    :param threshold: from which on maps count as staying what they were.
    :param level: of the intervals.
    :param notes: of the maps of the trained network.
    """

    method: str
    layer: str | None
    layers: tuple[str, ...]
    similarity: dict[Similarity, Array]
    control: Array
    edges: Array
    random_edges: Array
    how: Draw
    threshold: float = THRESHOLD
    level: float = LEVEL
    notes: tuple[str, ...] = ()

    @property
    def draws(self) -> int:
        """How often the network was made random."""
        return len(self.control)

    @property
    def pictures(self) -> int:
        """How many have a map that can be compared."""
        return int(np.isfinite(self.similarity["absolute"]).all((0, 1)).sum())

    def curve(self, measure: Similarity = "absolute") -> list[Estimate]:
        """The mean similarity after each step, its interval over draws and pictures."""
        table = self.similarity[measure]
        return [
            over_draws_and_pictures(table[:, step], level=self.level, within=(-1.0, 1.0))
            for step in range(len(self.layers))
        ]

    @property
    def verdict(self) -> Verdict:
        """By the rank correlation of magnitudes, a stated rule.

        =================  ======================================================================================
        ``fails``          it is above the threshold, with its whole interval, when all weights are random
        ``fails in part``  it is so when some layers are random, but not when all are
        ``passes``         it is below the threshold, with its whole interval, when all weights are random
        ``undecided``      the threshold lies within the interval, or there is none
        =================  ======================================================================================
        """
        stays = [self._stays(each) for each in self.curve()]
        if stays[-1]:
            return "fails"
        if stays[-1] is None:
            return "undecided"
        return "fails in part" if any(stays) else "passes"

    def _stays(self, found: Estimate) -> bool | None:
        if found.interval is None or self.threshold in found.interval:
            return None
        return found.interval.low > self.threshold

    @property
    def insensitive_above(self) -> str | None:
        """The lowest layer that can be random, with all above it, while maps stay what they were; None for no layer."""
        stays = [layer for layer, each in zip(self.layers, self.curve(), strict=True) if self._stays(each)]
        return stays[-1] if stays else None

    @property
    def sentence(self) -> str:
        """What is to be said under a picture of such a map, with its uncertainty."""
        name, curve, rule = self.method, self.curve(), fixed(self.threshold, _DIGITS)
        if not self.pictures:
            return f"The maps of {name} are blank with the trained network: the model-randomisation test says nothing."
        final = f"with all weights random, {self._told(curve[-1])}"
        if self.verdict == "fails":
            return (
                f"{name} fails the model-randomisation test on this network: its maps stay much as they were {final}; "
                f"a method fails above {rule}, and an edge detector has 1. They show the picture more than what the "
                "network learned."
            )
        if self.verdict == "fails in part":
            layer = self.insensitive_above
            found = curve[self.layers.index(str(layer))]
            return (
                f"{name} fails the model-randomisation test on this network in part: its maps stay much as they were "
                f"with all from the top down to {layer} random, {self._told(found)}; a method fails above {rule}. They "
                f"change only {final}. They show little of what the upper layers learned."
            )
        if self.verdict == "passes":
            return (
                f"{name} passes the model-randomisation test on this network: its maps change {final}; a method fails "
                f"above {rule}. So they hang on what the network learned, which does not make them right."
            )
        return (
            f"The model-randomisation test does not decide whether {name} fails on this network: {final}; a method "
            f"fails above {rule}. More pictures or more draws tell."
        )

    def _told(self, found: Estimate) -> str:
        interval = found.interval
        numbers = [found.value] if interval is None else [found.value, interval.low, interval.high]
        digits = deciding_digits(numbers, [self.threshold], _DIGITS)
        value, *reach = (fixed(number, digits) for number in numbers)
        ends = f", {100 * self.level:g}% interval {' to '.join(reach)}" if reach else ""
        over = f"{counted(self.draws, 'draw')} and {counted(self.pictures, 'picture')}"
        return f"rank correlation {value}{ends}, over {over}"

    def noted(self, found: Attribution) -> Attribution:
        """An attribution by this method, with the sentence among its notes unless the method passes."""
        return found if self.verdict == "passes" else replace(found, notes=(*found.notes, self.sentence))

    def __repr__(self) -> str:
        return f"RandomisationTest({self.method} {self.verdict}; {counted(len(self.layers), 'step')})"


def randomisation_test(
    model: Model,
    images: Any,
    method: object = "grad-cam",
    target: Any = None,
    layer: str | None = None,
    *,
    draws: int = 10,
    steps: int = 10,
    how: Draw = "fresh",
    seed: int = 0,
    threshold: float = THRESHOLD,
    level: float = LEVEL,
    score: Score = "output",
    device: str | None = None,
) -> RandomisationTest:
    """How alike maps stay while the weights become random from the top layer down (Adebayo et al. 2018, section 3).

    The same is explained all along: what is asked for, or what the trained network predicts. The weights of a copy are
    made random; the model is left as it was found. All methods meet the same random networks. For what the test can
    say, and the debate about it, see this module.

    :param method: one of :data:`~cnnlab.explain.ATTRIBUTIONS`, or a control, ``edges`` or ``random``; other arguments
        as of :func:`~cnnlab.explain.attribute`.
    :param draws: how often the network is made random.
    :param steps: at most so many from the top down; with more layers than these, neighbours go together.
    :param how: ``fresh`` for weights as of a new layer, ``shuffled`` for the trained ones in random order; by ``seed``.
    :param threshold: a rank correlation from which on maps count as staying what they were.
    :raises UsageError: for what cannot be meant, and for a network that cannot be copied.
    """
    _check(draws, steps, how, threshold)
    predictor = predictor_of(model, device=device)
    pixels = given_pixels(images, predictor.classifier.shape)
    with predictor.placed() as placed:
        first = attributed(placed, pixels, method, target, layer, score=score, device=predictor.device)
        edges = attributed(placed, pixels, Edges.name, None, None, score=score, device=predictor.device)
        same = settled_targets(first, placed)
        cascade = steps_from_top(placed, on_device(pixels[:1], placed), steps)
        found, random_edges = _over_draws(
            (Randomiser(copied(placed), how, seed, draw).down(cascade) for draw in range(draws)),
            lambda random: attributed(random, pixels, method, same, layer, score=score, device=predictor.device),
            (first, edges),
        )
    shape, blank = (draws, len(cascade), len(pixels)), is_blank(first)
    return RandomisationTest(
        method=short_name(method),
        layer=first.layer,
        layers=tuple(step.name for step in cascade),
        similarity={
            name: np.where(blank, math.nan, np.reshape([each[name] for each in found], shape)) for name in SIMILARITIES
        },
        # Edges are those of the picture, whatever the weights are.
        control=np.broadcast_to(similarities(edges, edges)["absolute"], shape),
        edges=_likeness(first, edges),
        random_edges=random_edges,
        how=how,
        threshold=threshold,
        level=level,
        notes=tuple(_notes(first, blank.tolist())),
    )


def _over_draws(
    draws: Iterable[Iterable[Predictable]],
    explained: Callable[[Predictable], Attribution],
    beside: tuple[Attribution, Attribution],
) -> tuple[list[dict[Similarity, Array]], Array]:
    """How like the first the maps are at each step of each draw, and how like the edges at the end of each.

    :param draws: the model at each step, one draw after another.
    :param beside: the first, and the edges.
    """
    first, edges = beside
    found, at_end = [], []
    for steps in draws:
        for model in steps:
            after = explained(model)
            found.append(similarities(first, after))
        at_end.append(_likeness(after, edges))
    return found, np.stack(at_end)


def _likeness(found: Attribution, edges: Attribution) -> Array:
    """The rank correlation of what a map shows, as magnitudes, with the edges of the picture."""
    shown = replace(edges, values=np.abs(found.scaled()))
    return similarities(shown, edges)["absolute"]


def _notes(first: Attribution, blank: list[bool]) -> Iterator[str]:
    yield from first.notes
    if any(blank) and not all(blank):
        yield f"{sum(blank)} of {len(blank)} pictures are left out of the test: their maps are blank to begin with"


def _check(draws: int, steps: int, how: str, threshold: float) -> None:
    for name, count in (("draws", draws), ("steps", steps)):
        if count < 1:
            raise UsageError(f"{name} is 1 or more; got {count}.")
    if how not in ("fresh", "shuffled"):
        raise UsageError(f"how takes fresh or shuffled; got {how!r}.")
    if not 0 < threshold < 1:
        raise UsageError(f"threshold is a rank correlation between 0 and 1; got {threshold:g}.")
