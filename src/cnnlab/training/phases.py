"""A recipe's phases laid out over the epochs and steps of one data set."""

from collections.abc import Iterator
from dataclasses import dataclass

from cnnlab.training.batches import epoch_steps
from cnnlab.training.recipe import Phase, Recipe
from cnnlab.training.schedules import StepSchedule


@dataclass(frozen=True)
class PhaseSpan:
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
class PhasePlan:
    """Every phase of a training, in order."""

    spans: tuple[PhaseSpan, ...]

    @property
    def first_epoch(self) -> int:
        """0, or where the parent ended."""
        return self.spans[0].first_epoch

    @property
    def end(self) -> int:
        """The number of epochs done when the training ends, parents included."""
        last = self.spans[-1]
        return last.first_epoch + last.epochs

    @property
    def steps(self) -> int:
        """The number of steps done when the training ends, parents included."""
        last = self.spans[-1]
        return last.first_step + last.steps

    def span_of(self, epoch: int) -> PhaseSpan:
        """The phase in which this epoch lies."""
        return next(s for s in reversed(self.spans) if s.first_epoch <= epoch)

    def epochs_from(self, epoch: int) -> Iterator[tuple[PhaseSpan, int]]:
        """Each epoch that is left, with its phase."""
        for number in range(epoch, self.end):
            yield self.span_of(number), number


def plan_phases(recipe: Recipe, samples: int, epoch: int = 0, step: int = 0) -> PhasePlan:
    """The plan for a training set of this many samples, starting after ``epoch`` epochs and ``step`` steps."""
    spans = []
    for number, phase in enumerate(recipe.carried_out(), start=1):
        per_epoch = epoch_steps(samples, phase.batch_size)
        steps = phase.steps or (phase.epochs or 0) * per_epoch
        epochs = -(-steps // per_epoch)
        spans.append(PhaseSpan(phase, number, epoch, step, epochs, steps, per_epoch))
        epoch, step = epoch + epochs, step + steps
    return PhasePlan(tuple(spans))


def without_effect(recipe: Recipe, plan: PhasePlan) -> Iterator[str]:
    """What the recipe asks for that never comes in this plan, a sentence each with what to do about it."""
    late = [str(epoch) for epoch in recipe.snapshots if epoch > plan.end]
    if late:
        yield (
            f"snapshots asks for the weights after epoch {', '.join(late)}, and the training ends after epoch "
            f"{plan.end}, so they are not kept. Take them out, or train longer."
        )
    for span in plan.spans:
        yield from _late_in(span, "the training" if len(plan.spans) == 1 else f"phase {span.number}")


def _late_in(span: PhaseSpan, what: str) -> Iterator[str]:
    schedule = span.phase.schedule.parsed.build()
    lasts = span.steps / span.steps_per_epoch
    warmup = getattr(schedule, "warmup", 0.0)
    if warmup >= lasts:
        yield (
            f"the warm-up of schedule={span.phase.schedule} lasts until epoch {warmup:g} and {what} until {lasts:.3g}, "
            "so the rate never comes up to that of the optimizer. Shorten the warm-up, or train longer."
        )
    elif isinstance(schedule, StepSchedule):
        late = [epoch for epoch in schedule.at or (schedule.every,) if warmup + epoch >= lasts]
        if late:
            yield (
                f"schedule={span.phase.schedule} is to lower the rate after epoch {', '.join(map(str, late))}, and "
                f"{what} ends after {lasts:.3g}, so it does not. Give earlier epochs, or train longer."
            )
