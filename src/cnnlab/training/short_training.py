"""Some steps of a phase at given learning rates, taken with a classifier that nobody keeps."""

import math
from collections.abc import Callable, Iterator, Sequence

from cnnlab.core.messages import track
from cnnlab.models import Classifier
from cnnlab.training.batches import Batch, BatchLoader, epoch_order, epoch_steps
from cnnlab.training.execution import Execution
from cnnlab.training.phase_training import PhaseTraining
from cnnlab.training.phases import PhaseSpan
from cnnlab.training.prepare import TrainingSetup
from cnnlab.training.rate_curve import FEWEST
from cnnlab.training.step import StepKey

_BLOWN_UP = 4.0


def losses_at(
    rates: Sequence[float],
    setup: TrainingSetup,
    span: PhaseSpan,
    classifier: Classifier,
    execution: Execution,
    between: Callable[[], None] = lambda: None,
) -> list[float]:
    """The loss of each step, before its update, up to where it blows up: fewer than there are rates, then.

    Steps are those of the phase from its beginning, whatever its schedule says of rates. The classifier is trained.

    :param rates: one a step.
    :param between: called after each step.
    """
    network = classifier.to(execution.torch_device, memory_format=execution.memory_format)  # type: ignore[call-overload]
    phase = PhaseTraining(setup, span, network, execution, execution.network(network))
    phase.trained.train()
    loader = BatchLoader(setup.dataset.train, execution.torch_device, execution.workers)
    losses: list[float] = []
    batches = track(_endless(loader, setup, span, len(rates)), "rates", len(rates))
    for step, (rate, batch) in enumerate(zip(rates, batches, strict=True)):
        phase.use_rate(rate)
        loss = float(phase.stepper.take(batch, StepKey(setup.recipe.seed, span.first_epoch, step)).loss)
        if not math.isfinite(loss) or (len(losses) > FEWEST and loss > _BLOWN_UP * min(losses)):
            break
        losses.append(loss)
        between()
    return losses


def _endless(loader: BatchLoader, setup: TrainingSetup, span: PhaseSpan, steps: int) -> Iterator[Batch]:
    samples, size, seed = len(loader.images), span.phase.batch_size, setup.recipe.seed
    taken, epoch = 0, span.first_epoch
    while taken < steps:
        count = min(epoch_steps(samples, size), steps - taken)
        yield from loader.batches(epoch_order(samples, seed, epoch, setup.balance.draws)[: count * size], size)
        taken, epoch = taken + count, epoch + 1
