"""What adversaries a phase trains against."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnnlab.core.errors import UsageError
from cnnlab.models import PairPerturbation, Perturbation
from cnnlab.objectives import Objective

if TYPE_CHECKING:
    from cnnlab.training.recipe import Phase


class Adversaries:
    """The perturbations of a phase, one after another, as they are in the epoch under way.

    :param whole: as the recipe has them, which they are unless an epoch is begun.
    """

    def __init__(self, whole: Sequence[Perturbation]) -> None:
        self._whole = self.perturbations = tuple(whole)

    @classmethod
    def of(cls, phase: "Phase", objective: Objective) -> "Adversaries":
        """Those that a phase names.

        :raises UsageError: for one that trains on pairs and does not stand alone, or does not suit the objective.
        """
        adversaries = cls([bound.build() for bound in phase.adversary.parsed])
        names = [bound.name for bound in phase.adversary.parsed]
        for name, perturbation in zip(names, adversaries.perturbations, strict=True):
            if not isinstance(perturbation, PairPerturbation):
                continue
            if len(names) > 1:
                others = " and ".join(other for other in names if other != name) or name
                raise UsageError(
                    f"adversary={name} compares pictures as they are with what it makes of them, so it stands alone, "
                    f"and {others} stands beside it. Operations that change both belong into augment=."
                )
            perturbation.check(objective)
        return adversaries

    @property
    def pair(self) -> PairPerturbation | None:
        """The one that trains on pairs, where there is one."""
        return next((each for each in self._whole if isinstance(each, PairPerturbation)), None)

    @property
    def watcher(self) -> Perturbation | None:
        """The perturbation of the same whole budget by which a phase is watched that trains against a single step."""
        watchers = [getattr(each, "watcher", None) for each in self._whole]
        return next((watcher for watcher in watchers if watcher is not None), None)

    def begin_epoch(self, epoch: int) -> None:
        """Has budgets that are warmed up to as they are in an epoch of the phase, counted from 0."""
        self.perturbations = tuple(_in_epoch(each, epoch) for each in self._whole)


def _in_epoch(perturbation: Any, epoch: int) -> Perturbation:
    own: Perturbation = perturbation.in_epoch(epoch) if hasattr(perturbation, "in_epoch") else perturbation
    return own
