"""A recipe's phases laid out over the epochs and steps of one data set."""

from collections.abc import Iterator
from dataclasses import dataclass

from cnnlab.training.batches import steps_of
from cnnlab.training.recipe import Phase, Recipe
from cnnlab.training.schedules import Step, schedules


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


def without_effect(recipe: Recipe, plan: Plan) -> Iterator[str]:
    """What the recipe asks for that never comes in this plan, a sentence each with what to do about it."""
    late = [str(epoch) for epoch in recipe.snapshots if epoch > plan.end]
    if late:
        yield (
            f"snapshots asks for the weights after epoch {', '.join(late)}, and the training ends after epoch "
            f"{plan.end}, so they are not kept. Take them out, or train longer."
        )
    for stretch in plan.stretches:
        yield from _late_in(stretch, "the training" if len(plan.stretches) == 1 else f"phase {stretch.number}")


def _late_in(stretch: Stretch, what: str) -> Iterator[str]:
    schedule = schedules.bind(stretch.phase.schedule).build()
    lasts = stretch.steps / stretch.steps_per_epoch
    warmup = getattr(schedule, "warmup", 0.0)
    if warmup >= lasts:
        yield (
            f"the warm-up of schedule={stretch.phase.schedule} takes {warmup:g} epochs and {what} {lasts:.3g}, so the "
            "rate never comes up to that of the optimizer. Shorten the warm-up, or train longer."
        )
    elif isinstance(schedule, Step):
        late = [epoch for epoch in schedule.at or (schedule.every,) if warmup + epoch >= lasts]
        if late:
            yield (
                f"schedule={stretch.phase.schedule} is to lower the rate after epoch {', '.join(map(str, late))}, and "
                f"{what} takes {lasts:.3g} epochs, so it does not. Give earlier epochs, or train longer."
            )
