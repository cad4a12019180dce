"""Whether a training that learned nothing learns at another rate, or with its inputs normalised: by trying it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cnnlab.models import Classifier, multiply_adds
from cnnlab.training.diagnosis.case import EndedTraining
from cnnlab.training.phases import PhaseSpan
from cnnlab.training.rate_curve import FEWEST, growing_rates, suggest_lr
from cnnlab.training.short_training import losses_at

LOWEST, HIGHEST, RATES = 1e-5, 10.0, 60
TRIED = 40
"""Steps in which a rate has to show that it learns."""
_CANDIDATES = (1.0, 1 / 4, 1 / 16)
_MOST_BATCH, _LEAST_BATCH = 64, 16
_WORK = 4e11
"""Multiplications that all of it may take: some ten seconds of two cores. It is counted, never timed, so that a run
that goes on elsewhere finds the same."""
_PASSES = 3
"""A step's multiplications, in those of a forward pass."""
_LEARNT = 0.05
"""Of the loss of a constant answer: what a short training has to come below it."""
_LAST = 5


@dataclass(frozen=True)
class UsefulRate:
    """What a range test and the short trainings after it came to.

    :param lowest: where the loss fell fastest as the rate grew; ``highest`` where it was as low as it gets.
    :param rate: one that learns, and ``loss`` to what ``steps`` steps at it bring the loss.
    """

    lowest: float
    highest: float
    rate: float
    loss: float
    steps: int
    batch: int


class ShortTrainings:
    """Trains the first phase anew for a few steps, from the weights that it began with, by other rates or inputs.

    :param constant: the loss of a constant answer.
    """

    def __init__(self, ended: EndedTraining, constant: float) -> None:
        self.ended, self.constant = ended, constant
        self.execution = replace(ended.execution, compile=False)
        self.steps = TRIED if ended.failure else min(TRIED, len(ended.losses))
        self.span = self._smaller(ended.span)

    @property
    def can_be(self) -> bool:
        """Whether there is a rate to try, the loss can be compared, and steps are no more work than all this is worth.

        A network that had no ten steps itself is not told that it learned nothing in them.
        """
        phase = self.ended.span.phase
        has_rate = phase.optimizer.parsed.arguments.get("lr") is not None
        is_plain = not phase.adversary.parsed and math.isfinite(self.constant)
        return bool(has_rate and is_plain and self.steps >= FEWEST and self.span.phase.batch_size)

    def useful_rate(self) -> UsefulRate | None:
        """A rate that learns, found by a range test and tried; None where none does."""
        rates = growing_rates(LOWEST, HIGHEST, RATES)
        losses = self._losses(self.ended.at_start(), rates)
        if len(losses) < FEWEST:
            return None
        test = suggest_lr(rates[: len(losses)], losses)
        if min(test.smoothed) > self.constant:
            return None
        tried = ((rate, self.loss_at(self.ended.at_start(), rate)) for rate in self._candidates(test.suggestion))
        found = next(((rate, loss) for rate, loss in tried if self.is_learning(loss)), None)
        if found is None:
            return None
        return UsefulRate(test.steepest, test.lowest, *found, self.steps, self.span.phase.batch_size)

    def loss_at(self, classifier: Classifier, rate: float) -> float:
        """The mean loss of the last of a few steps at a rate; infinite where it blows up."""
        losses = self._losses(classifier, [rate] * self.steps)
        return sum(losses[-_LAST:]) / _LAST if len(losses) == self.steps else math.inf

    def is_learning(self, loss: float) -> bool:
        """Whether a short training that ends at this loss has learned, which the whole one has not."""
        return loss < (1 - _LEARNT) * self.constant

    def _losses(self, classifier: Classifier, rates: list[float]) -> list[float]:
        return losses_at(rates, self.ended.setup, self.span, classifier, self.execution, self.ended.between)

    def _candidates(self, suggestion: float) -> Iterator[float]:
        # As many digits as are told, so that what is told was tried.
        yield from (float(f"{suggestion * share:.1g}") for share in _CANDIDATES)

    def _smaller(self, span: PhaseSpan) -> PhaseSpan:
        """The phase with so small batches that all steps are little work; with none where that cannot be."""
        setup = self.ended.setup
        network = self.ended.at_start().network
        steps = RATES + len(_CANDIDATES) * TRIED
        one = _PASSES * max(multiply_adds(network, setup.dataset.shape), 1) * steps
        batch = min(span.phase.batch_size, _MOST_BATCH, len(setup.dataset.train), int(_WORK / one))
        if batch < min(_LEAST_BATCH, span.phase.batch_size, len(setup.dataset.train)):
            batch = 0
        return replace(span, phase=span.phase.model_copy(update={"batch_size": batch}))
