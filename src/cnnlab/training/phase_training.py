"""One phase under way: its optimiser, its schedule and its steps."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from cnnlab.augment import pipeline
from cnnlab.core.devices import release_memory
from cnnlab.core.errors import TrainingError
from cnnlab.models import Classifier
from cnnlab.training.batches import Batch
from cnnlab.training.execution import Execution
from cnnlab.training.frozen_features import FrozenFeatures
from cnnlab.training.optimizers import add_parts, build_optimizer
from cnnlab.training.partial_training import PartialTraining
from cnnlab.training.phases import PhaseSpan
from cnnlab.training.prepare import TrainingSetup
from cnnlab.training.schedules import PhaseProgress
from cnnlab.training.step import StepKey, Stepper, is_out_of_memory
from cnnlab.training.step_outcome import StepOutcome


class PhaseTraining:
    """What takes the steps of one phase.

    :param network: the classifier as :meth:`~cnnlab.training.execution.Execution.network` has it.
    """

    def __init__(
        self,
        setup: TrainingSetup,
        span: PhaseSpan,
        classifier: Classifier,
        execution: Execution,
        network: Callable[[Tensor], Tensor],
    ) -> None:
        self.features: FrozenFeatures | None = None
        phase, weights = span.phase, setup.balance.on(execution.torch_device)
        self.classifier = classifier
        self.span, self.schedule = span, phase.schedule.parsed.build()
        self.trained = PartialTraining(classifier, phase)
        self.trained.begin()
        self.optimizer = build_optimizer(phase.optimizer.parsed, classifier, phase.weight_decay, self.trained.parts)
        self.stepper = Stepper(phase, setup.objective, network, classifier, self.optimizer, execution, weights)
        self._full_rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        # Where parts have rates of their own, it is the optimiser's that is told of.
        has_own = self.trained.parts[0].rate is not None
        self._full_rate = float(phase.optimizer.parsed.arguments["lr"]) if has_own else self._full_rates[0]

    def start_from(self, features: FrozenFeatures) -> None:
        """Takes its steps on what the frozen parts make of the pictures, computed once."""
        self.features = features
        self.stepper.network, self.stepper.pipeline = features.remainder(self.classifier), pipeline("none")

    def begin_epoch(self, epoch: int) -> None:
        """Has the optimiser hold what is trained in this epoch of the whole training, and its adversaries their budget.

        It goes by the epoch alone, so that a run that goes on has the same groups of parameters in the same order.
        """
        self.stepper.adversaries.begin_epoch(epoch - self.span.first_epoch)
        fresh = self.trained.unfreeze(epoch - self.span.first_epoch)
        if fresh:
            phase, before = self.span.phase, len(self.optimizer.param_groups)
            add_parts(self.optimizer, phase.optimizer.parsed, phase.weight_decay, fresh)
            self._full_rates += [float(group["lr"]) for group in self.optimizer.param_groups[before:]]

    @property
    def rate(self) -> float:
        """The learning rate as it is; that of a part is a factor of it."""
        # Kept nowhere but in the optimiser, whose state a run that goes on brings along.
        rate = float(self.optimizer.param_groups[0]["lr"])
        return rate if self._full_rate == self._full_rates[0] else rate * (self._full_rate / self._full_rates[0])

    def set_rate(self, step: int, judged: Sequence[float]) -> None:
        """Sets the learning rate for the step after this many of the whole training.

        :param judged: the selection metric after each epoch of the phase, turned so that higher is better.
        """
        progress = PhaseProgress(step - self.span.first_step, self.span.steps, self.span.steps_per_epoch, judged)
        multiplier = self.schedule.multiplier(progress)
        for group, rate in zip(self.optimizer.param_groups, self._full_rates, strict=True):
            group["lr"] = rate * multiplier

    def use_rate(self, rate: float) -> None:
        """Sets the learning rate whatever the schedule says, that of each part in its proportion."""
        for group, full in zip(self.optimizer.param_groups, self._full_rates, strict=True):
            group["lr"] = rate * (full / self._full_rate)

    def take(self, batch: Batch, step_key: StepKey, at_split: Callable[[Execution], None]) -> StepOutcome:
        """One step, in twice as many parts where memory runs out.

        :param at_split: called with the execution from then on.
        """
        while True:
            try:
                return self.stepper.take(batch, step_key)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self.stepper.execution.parts >= len(batch.images):
                    raise
                if self.stepper.parallel is not None:
                    raise TrainingError(
                        "memory ran out on one of several devices, whose slices of a batch are not divided further. "
                        "Take a smaller batch_size, or more devices."
                    ) from error
            # Outside the handler, so that the failed step's memory is free again.
            self.stepper.execution = replace(self.stepper.execution, parts=self.stepper.execution.parts * 2)
            release_memory(self.stepper.execution.device)
            at_split(self.stepper.execution)
