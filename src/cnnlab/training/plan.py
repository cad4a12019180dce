"""A recipe's phases laid out over the epochs and steps of one data set."""

from collections.abc import Iterator
from dataclasses import dataclass

from cnnlab.training.feed import steps_of
from cnnlab.training.recipe import Phase, Recipe


@dataclass(frozen=True)
class Stretch:
    """One phase in place: which epochs and steps are its own.

    :param first_epoch: counted from 0 over the whole training, parents included.
    :param first_step: likewise.
    :param steps: steps of the phase; its last epoch may be cut short.
    """

    phase: Phase
    number: int
    first_epoch: int
    first_step: int
    epochs: int
    steps: int
    steps_per_epoch: int

    def steps_in(self, epoch: int) -> int:
        """How many steps the epoch has; only the last may be short."""
        return min(self.steps_per_epoch, self.steps - (epoch - self.first_epoch) * self.steps_per_epoch)

    def step_before(self, epoch: int) -> int:
        """Steps done over the whole training when the epoch begins."""
        return self.first_step + (epoch - self.first_epoch) * self.steps_per_epoch


@dataclass(frozen=True)
class Plan:
    """Every stretch of a training, in order."""

    stretches: tuple[Stretch, ...]

    @property
    def first_epoch(self) -> int:
        """0, or where the parent ended."""
        return self.stretches[0].first_epoch

    @property
    def end(self) -> int:
        """The number of epochs done when the training ends, parents included."""
        last = self.stretches[-1]
        return last.first_epoch + last.epochs

    @property
    def steps(self) -> int:
        """The number of steps done when the training ends, parents included."""
        last = self.stretches[-1]
        return last.first_step + last.steps

    def stretch_of(self, epoch: int) -> Stretch:
        """The phase in which this epoch lies."""
        return next(s for s in reversed(self.stretches) if s.first_epoch <= epoch)

    def epochs_from(self, epoch: int) -> Iterator[tuple[Stretch, int]]:
        """Each epoch that is left, with its phase."""
        for number in range(epoch, self.end):
            yield self.stretch_of(number), number


def lay_out(recipe: Recipe, samples: int, epoch: int = 0, step: int = 0) -> Plan:
    """The plan for a training set of this many samples, starting after ``epoch`` epochs and ``step`` steps."""
    stretches = []
    for number, phase in enumerate(recipe.normal(), start=1):
        per_epoch = steps_of(samples, phase.batch_size)
        steps = phase.steps or (phase.epochs or 0) * per_epoch
        epochs = -(-steps // per_epoch)
        stretches.append(Stretch(phase, number, epoch, step, epochs, steps, per_epoch))
        epoch, step = epoch + epochs, step + steps
    return Plan(tuple(stretches))
