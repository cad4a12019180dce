"""What a diagnosis is made of: a training that has ended, with all that is on record of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from cnnlab.core.errors import UsageError
from cnnlab.models import Classifier
from cnnlab.runs import Run
from cnnlab.training.execution import Execution
from cnnlab.training.initial_weights import find_initial_weights
from cnnlab.training.phases import PhaseSpan
from cnnlab.training.prepare import TrainingSetup, build_classifier


@dataclass(frozen=True)
class Failure:
    """Where a loss was no number any more."""

    step: int
    rate: float


@dataclass(frozen=True)
class EndedTraining:
    """A training at its end.

    :param run: its record: the history, and the log of its steps.
    :param row: of the history, for the epoch whose weights are kept; None where no epoch was finished.
    :param classifier: with those weights; None where they are no numbers.
    :param failure: where it diverged, if it did.
    :param between: called now and then, so that a request to stop can be heard.
    """

    setup: TrainingSetup
    run: Run
    row: Mapping[str, Any] | None
    classifier: Classifier | None
    execution: Execution
    failure: Failure | None = None
    between: Callable[[], None] = lambda: None

    @cached_property
    def steps(self) -> Sequence[Mapping[str, Any]]:
        """The records of its steps: number, loss, learning rate."""
        return [step for step in self.run.live if {"step", "loss", "learning_rate"} <= step.keys()]

    @cached_property
    def losses(self) -> list[float]:
        """The loss of each step."""
        return [float(step["loss"]) for step in self.steps if step["loss"] is not None]

    @property
    def span(self) -> PhaseSpan:
        """The first phase of it."""
        return self.setup.plan.spans[0]

    @property
    def rate(self) -> float:
        """The highest learning rate of the first phase."""
        first = self.span.first_step
        own = [float(step["learning_rate"]) for step in self.steps if step["step"] - first <= self.span.steps]
        return max([*own, self.failure.rate] if self.failure else own, default=0.0)

    def at_start(self, **keys: Any) -> Classifier:
        """The classifier as it was before the first step, or would be with these keys of the recipe.

        :raises UsageError: where weights that it started from are gone.
        """
        setup = self.setup
        if keys:
            recipe = type(setup.recipe).read(setup.recipe.to_dict(), **keys)
            setup = replace(setup, recipe=recipe)
        if setup.start is not None and setup.start.file is None and setup.start.joined is None:
            # A training that went on from a checkpoint had no more need of them.
            runs = self.run.folder.parent
            start = find_initial_weights(setup.recipe, setup.dataset, setup.objective, runs, offline=True)
            if start is None or start.digest != setup.start.digest:
                raise UsageError("the weights that the training started from are other ones now.")
            setup = replace(setup, start=start)
        return build_classifier(setup)
