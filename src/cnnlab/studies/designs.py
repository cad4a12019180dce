"""Designs: which combinations of the axes' values a study trains."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from cnnlab.core.arguments import Count, Range
from cnnlab.core.errors import UsageError
from cnnlab.core.registry import Registry

Places: TypeAlias = tuple[int, ...]
"""One combination: for each axis the place of its value."""
Seed: TypeAlias = Annotated[int, Range(0)]


class Design(ABC):
    """A design that is known before anything is trained."""

    takes_pipeline = False
    """Whether an axis may be a single pipeline, to be taken apart."""

    @abstractmethod
    def combinations(self, counts: Sequence[int], usual: Sequence[int]) -> list[Places]:
        """The combinations of axes with so many values each; ``usual`` are the places of the usual values."""


@dataclass(frozen=True)
class SearchDesign:
    """A design that decides as it goes what to try next.

    :param trials: settings to try.
    :param sampler: ``random`` or ``tpe``.
    :param pruner: what stops a trial early, by its validation metric beside that of the trials before it.
    :param ahead: a setting is chosen without knowing the results of the last ``ahead - 1`` before it, so that so many
        can be trained at once; what is chosen depends on it, and never on which of them is done first.
    """

    sampler: Literal["random", "tpe"]
    trials: int
    seed: int
    pruner: Literal["none", "median", "asha"]
    ahead: int


designs: Registry["Design | SearchDesign"] = Registry("design")


@designs.register("grid")
class Grid(Design):
    """Every value of each axis with every value of all others."""

    def combinations(self, counts: Sequence[int], usual: Sequence[int]) -> list[Places]:
        """The product, the last axis fastest."""
        return list(itertools.product(*(range(count) for count in counts)))


@designs.register("one-at-a-time")
class OneAtATime(Design):
    """The usual value of every axis (the baseline's, else the first), and from there each axis alone."""

    def combinations(self, counts: Sequence[int], usual: Sequence[int]) -> list[Places]:
        """The usual setting first, then axis by axis."""
        start = tuple(usual)
        moved = (
            (*start[:axis], place, *start[axis + 1 :])
            for axis, count in enumerate(counts)
            for place in range(count)
            if place != start[axis]
        )
        return [start, *moved]


@designs.register("zip")
class Zip(Design):
    """The first values of all axes together, then the second ones, and so on."""

    def combinations(self, counts: Sequence[int], usual: Sequence[int]) -> list[Places]:
        """As many as each axis has values."""
        if len(set(counts)) > 1:
            raise UsageError(f"design: zip pairs values, so every axis needs as many; they have {_listed(counts)}.")
        return [(place,) * len(counts) for place in range(counts[0])]


@designs.register("leave-one-out")
class LeaveOneOut(Grid):
    """Of a pipeline of augmentations: none of it, each operation alone, all, and all but each."""

    takes_pipeline = True


@designs.register("random")
def random(trials: Count, seed: Seed = 0, pruner: Literal["none", "median", "asha"] = "none") -> SearchDesign:
    """Settings drawn at random, which needs no result of an earlier one."""
    return SearchDesign("random", trials, seed, pruner, ahead=trials if pruner == "none" else 2)


@designs.register("tpe")
def tpe(
    trials: Count, seed: Seed = 0, pruner: Literal["none", "median", "asha"] = "none", ahead: Count = 2
) -> SearchDesign:
    """Settings likely to be better than those before, by a tree-structured Parzen estimator.

    Source: Bergstra et al., Algorithms for Hyper-Parameter Optimization, 2011; as Optuna has it.

    :param ahead: how many may be trained at once: each is chosen without the results of the ``ahead - 1`` before it.
    """
    return SearchDesign("tpe", trials, seed, pruner, ahead)


def _listed(counts: Sequence[int]) -> str:
    return ", ".join(map(str, counts))
