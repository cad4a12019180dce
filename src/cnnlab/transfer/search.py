"""A search over the arguments of a classifier, cross-validated inside the training part."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from sklearn.pipeline import Pipeline

from cnnlab.core.errors import SpecError, UsageError
from cnnlab.core.messages import track
from cnnlab.core.registry import BoundCall
from cnnlab.core.spec import Call, read_one
from cnnlab.data.splits import choose_stratified, count_of
from cnnlab.objectives import Objective
from cnnlab.transfer.classifiers import classifiers
from cnnlab.transfer.fitting import Labels, as_outputs, fit, raw_outputs
from cnnlab.transfer.record import CandidateRecord
from cnnlab.transfer.scoring import scores_of
from cnnlab.transfer.training_part import TrainingPart

_MOST = 10_000
KEPT = 3
"""How many are looked at on all training pictures after a search on some of them."""


@dataclass(frozen=True)
class Grid:
    """The classifiers that a search goes through.

    :param call: as it was written, lists in the place of values.
    """

    call: Call
    candidates: tuple[BoundCall[Pipeline], ...]

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"search({self.call})"


@dataclass(frozen=True)
class Found:
    """What a search came to.

    :param best: the classifier to be fitted, and ``name`` what tables call it.
    :param judged: every candidate as it was judged, first on the subsample, where there is one, then the best few.
    """

    best: BoundCall[Pipeline]
    name: str
    judged: tuple[CandidateRecord, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    """A classifier that a search goes through, and what tables call it."""

    call: BoundCall[Pipeline]
    name: str


@dataclass(frozen=True)
class CrossValidation:
    """How a search judges.

    :param metric: by which; ``loss`` is the less the better.
    :param folds: parts of the training pictures, each held out once.
    :param subsample: how many of these, or which share, are looked at first; None for all at once.
    """

    metric: str
    folds: int = 5
    subsample: int | float | None = None

    def search(
        self,
        candidates: Sequence[BoundCall[Pipeline]],
        train: TrainingPart,
        objective: Objective,
        seed: int,
        label: str,
    ) -> Found:
        """The best of some classifiers; of equals the first."""
        some = self._some(train.classes, seed)
        named = _named(candidates)
        judged = self._judged(named, train.at(some), objective, seed, label)
        best = self._order(judged)
        if len(some) < len(train):
            named = [named[place] for place in best[:KEPT]]
            again = self._judged(named, train, objective, seed, label)
            judged, best = judged + again, self._order(again)
        return Found(named[best[0]].call, named[best[0]].name, tuple(judged))

    def first_looked_at(self, pictures: int) -> int:
        """How many of so many training pictures are looked at first.

        :raises UsageError: where they are too few for the folds.
        """
        if pictures < self.folds:
            raise UsageError(
                f"{pictures:,} training pictures cannot be divided into {self.folds} folds. Take fewer: cv=2."
            )
        if self.subsample is None:
            return pictures
        count = count_of("subsample", self.subsample, pictures)
        if count < 2 * self.folds:
            raise UsageError(
                f"subsample={self.subsample} is {count:,} of the {pictures:,} training pictures, too few for "
                f"{self.folds} folds. Give more, or leave it out to search on all."
            )
        return count

    def _some(self, labels: Labels, seed: int) -> np.ndarray:
        """The places of the pictures that are looked at first, in proportion to the classes."""
        count = self.first_looked_at(len(labels))
        if self.subsample is None:
            return np.arange(count)
        return choose_stratified(torch.from_numpy(labels), count, "subsample", spare=0, seed=seed).numpy()

    def _judged(
        self,
        candidates: Sequence[_Candidate],
        train: TrainingPart,
        objective: Objective,
        seed: int,
        label: str,
    ) -> list[CandidateRecord]:
        """Each candidate, in the order given."""
        inside = fold_places(train.classes, self.folds, seed)
        return [
            self._cross_validated(each, train, inside, objective, seed)
            for each in track(candidates, f"Searching {label}", len(candidates))
        ]

    def _order(self, judged: Sequence[CandidateRecord]) -> list[int]:
        """The places of the candidates, the best first; of equals the earlier is."""
        sign = 1 if self.metric == "loss" else -1
        return sorted(range(len(judged)), key=lambda place: (sign * judged[place].mean, place))

    def _cross_validated(
        self,
        candidate: _Candidate,
        train: TrainingPart,
        inside: np.ndarray,
        objective: Objective,
        seed: int,
    ) -> CandidateRecord:
        """Draws of a picture are in the fold of the picture, and what is held out is scored on pictures as they are."""
        values, counts, began = [], [], time.perf_counter()
        for number in range(self.folds):
            held_out = inside == number
            rest = train.at(~held_out)
            fitted = fit(candidate.call, rest.features, rest.labels, seed)
            outputs = as_outputs(raw_outputs(fitted.pipeline, train.pictures[held_out], objective.outputs))
            values.append(scores_of(objective, outputs, train.classes[held_out])[self.metric])
            counts.append(int(held_out.sum()))
        return CandidateRecord(
            classifier=candidate.name,
            pictures=len(train),
            mean=float(np.average(values, weights=counts)),
            deviation=float(np.std(values, ddof=1)),
            seconds=round(time.perf_counter() - began, 4),
        )


def _named(candidates: Sequence[BoundCall[Pipeline]]) -> list[_Candidate]:
    """Each in short, with every argument in which they differ, at its default too."""
    first = candidates[0].arguments
    varied = [key for key in first if any(each.arguments[key] != first[key] for each in candidates)]
    return [_Candidate(each, str(each.showing(varied))) for each in candidates]


def fold_places(labels: Labels, folds: int, seed: int) -> np.ndarray:
    """For each picture the number of its fold, from 0; every class is spread evenly over all."""
    random = np.random.default_rng([seed, folds])
    numbers = np.empty(len(labels), dtype=np.int64)
    shift = 0
    for label in np.unique(labels):
        places = random.permutation(np.flatnonzero(labels == label))
        # Going on where the last class ended keeps folds of one size.
        numbers[places] = (np.arange(len(places)) + shift) % folds
        shift += len(places)
    return numbers


def read_grids(given: Sequence[Any]) -> list[Grid]:
    """Searches by their specs, such as ``svc(C=[1, 10, 100], kernel=[rbf, linear])``.

    :raises UsageError: for one that has nothing to search over, or an argument that there is not.
    """
    grids = [_grid(read_one(item, "A search")) for item in given]
    names = [str(grid.call) for grid in grids]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise UsageError(f"search names {name} twice. Leave one of the two.")
    return grids


def _grid(call: Call) -> Grid:
    axes = {key: value for key, value in call.kwargs.items() if isinstance(value, list | tuple)}
    plain = {key: value for key, value in call.kwargs.items() if key not in axes}
    empty = next((key for key, values in axes.items() if not values), None)
    entry = classifiers.entry(call)
    if empty is not None:
        raise call.error(f"search over {call.name}: {empty}=[] lists no value to try", empty)
    if not axes:
        known = list(entry.arguments)
        example = Call(call.name, (), {**plain, known[0]: _example(entry.arguments[known[0]].default)})
        raise call.error(
            f"a search needs something to search over, and {call} has no list of values. Write several values of an "
            f"argument as a list, as in {example}; arguments of {call.name}: {', '.join(known)}"
        )
    count = math.prod(map(len, axes.values()))
    if count > _MOST:
        raise SpecError(f"search over {call.name} has {count:,} combinations, and at most {_MOST:,} are tried.")
    return Grid(call, tuple(_combinations(call, plain, axes)))


def _combinations(call: Call, plain: Mapping[str, Any], axes: Mapping[str, Sequence[Any]]) -> list[BoundCall[Pipeline]]:
    found: list[BoundCall[Pipeline]] = []
    for values in product(*axes.values()):
        kwargs = {**plain, **dict(zip(axes, values, strict=True))}
        bound = classifiers.bind(Call(call.name, call.args, kwargs, call.text, call.start, call.places, call.end))
        if str(bound) not in map(str, found):
            found.append(bound)
    return found


def _example(default: Any) -> list[Any]:
    return [default, default * 10] if isinstance(default, int | float) and not isinstance(default, bool) else [1, 10]
