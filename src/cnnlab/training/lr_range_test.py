"""The learning-rate range test: one short training in which the rate grows from step to step.

Smith, Cyclical Learning Rates for Training Neural Networks (2017), section 3.3, with the exponential growth and the
smoothing that fast.ai made customary.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cnnlab.core import memory
from cnnlab.core.displays import html_facts
from cnnlab.core.errors import TrainingError, UsageError
from cnnlab.core.messages import announcing, note, showing, track, warn
from cnnlab.core.number_text import counted
from cnnlab.models import Classifier
from cnnlab.runs import RunStore, store_at
from cnnlab.training.api import train_setup
from cnnlab.training.batches import Batch, BatchLoader, epoch_order, epoch_steps
from cnnlab.training.checkpoints import Checkpoints
from cnnlab.training.execution import choose_execution, describe_execution
from cnnlab.training.phase_training import PhaseTraining
from cnnlab.training.phases import PhaseSpan
from cnnlab.training.prepare import TrainingSetup, build_classifier, read_setup
from cnnlab.training.recipe import Recipe
from cnnlab.training.step import StepKey

_MEMORY = 0.9
_BLOWN_UP = 4.0
_FEWEST = 10
_STRETCH = 10
_CLOSE = 0.05
_MANY_EPOCHS = 50


@dataclass(frozen=True)
class LRRangeTest:
    """What a range test saw.

    :param rates: the learning rate of each step; ``losses`` and ``smoothed`` belong to them.
    :param steepest: the rate at which the smoothed loss fell fastest.
    :param lowest: the first rate at which it was as low as it gets, but for a twentieth of its fall: on pictures that
        are learnt by heart the curve then runs along the bottom for as long as the test lasts.
    :param suggestion: a rate to try: a third of ``lowest``, but not below ``steepest``.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    steepest: float
    lowest: float
    suggestion: float

    def __repr__(self) -> str:
        return f"LRRangeTest({counted(len(self.rates), 'step')}, suggestion {self.suggestion:.2g})"

    def _repr_html_(self) -> str:
        rates = ("suggestion", self.suggestion), ("steepest", self.steepest), ("lowest loss from", self.lowest)
        return html_facts([*((name, f"{rate:.2g}") for name, rate in rates), ("steps", len(self.rates))])

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def find_lr(
    recipe: "Recipe | Mapping[str, Any] | str | Path | None" = None,
    /,
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 150,
    phase: int = 1,
    data_dir: str | Path | None = None,
    offline: bool = False,
    progress: bool | None = None,
    **keys: Any,
) -> LRRangeTest:
    """Runs a range test of one phase of the recipe; no run is kept.

    A phase begins with what those before it have made of the weights, so these are trained first, as they would be in a
    run.

    :param lowest: the rate of the first step; ``highest`` that of the last, unless the loss blows up before.
    :param phase: by its number, from 1; what it trains is what it trains in its first epoch.
    :param progress: how far the test is is shown in a terminal or a notebook; otherwise as for :func:`cnnlab.train`.
    :raises UsageError: when these are no range, or too few steps to read a curve from.
    :raises TrainingError: when the loss blows up from the start.
    """
    memory.ask_for_large_pages()
    if not 0 < lowest < highest < math.inf or steps < _FEWEST:
        raise UsageError(
            f"a range test takes rates 0 < lowest < highest and at least {_FEWEST} steps; "
            f"got lowest={lowest:g}, highest={highest:g}, steps={steps}."
        )
    with showing(progress):
        setup = read_setup(recipe, keys, store_at(), data_dir=data_dir, offline=offline)
        if not 1 <= phase <= len(setup.plan.spans):
            raise UsageError(
                f"the recipe has {counted(len(setup.plan.spans), 'phase')}, numbered from 1; there is no phase {phase}."
            )
        rates, losses = _tried(setup, setup.plan.spans[phase - 1], lowest, highest, steps)
    return suggest_lr(rates, losses)


def _tried(
    setup: TrainingSetup, span: PhaseSpan, lowest: float, highest: float, steps: int
) -> tuple[list[float], list[float]]:
    """The rates of the steps that were taken, and their losses."""
    classifier = build_classifier(setup)
    if span.number > 1:
        _train_before(setup, span, classifier)
    execution, choice = choose_execution(setup, classifier, steps)
    note(describe_execution(execution, choice))
    with execution.applied():
        network = classifier.to(execution.torch_device, memory_format=execution.memory_format)  # type: ignore[call-overload]
        phase = PhaseTraining(setup, span, network, execution, execution.network(network))
        phase.trained.train()
        loader = BatchLoader(setup.dataset.train, execution.torch_device, execution.workers)
        rates: list[float] = []
        losses: list[float] = []
        with announcing(f"trying {steps} learning rates"):
            for step, batch in enumerate(track(_endless(loader, setup, span, steps), "rates", steps)):
                rate = lowest * (highest / lowest) ** (step / (steps - 1))
                phase.use_rate(rate)
                loss = float(phase.stepper.take(batch, StepKey(setup.recipe.seed, span.first_epoch, step)).loss)
                if not math.isfinite(loss) or (len(losses) > _FEWEST and loss > _BLOWN_UP * min(losses)):
                    break
                rates.append(rate)
                losses.append(loss)
    _warn_of_small_sets(len(losses), len(loader.images), span.phase.batch_size)
    return rates, losses


def _train_before(setup: TrainingSetup, span: PhaseSpan, classifier: Classifier) -> None:
    """Brings a classifier to where it is when a phase begins, by a run that is not kept.

    :raises TrainingError: where the training ends before, by its ``patience``.
    """
    phases = setup.recipe.phases[: span.number - 1]
    recipe = setup.recipe.model_copy(update={"phases": phases, "snapshots": (), "keep_checkpoint": True})
    recipe = Recipe.read(recipe.to_dict())
    before = replace(setup, recipe=recipe, plan=replace(setup.plan, spans=setup.plan.spans[: span.number - 1]))
    note(f"Training what comes before phase {span.number} first.")
    with TemporaryDirectory(prefix="cnnlab-find-lr-") as folder:
        run = train_setup(before, RunStore(Path(folder)), again=False, callbacks=())
        checkpoint = Checkpoints(run.folder, math.inf).load()
    if checkpoint is None or checkpoint.counters.epoch < span.first_epoch:
        raise TrainingError(
            f"patience={setup.recipe.patience} ends this training before phase {span.number} begins, so there is no "
            "rate to find for that. Leave patience out, or take more."
        )
    checkpoint.restore(classifier, None, None)


def suggest_lr(rates: list[float], losses: list[float]) -> LRRangeTest:
    """Reads rates and losses: smooths, finds the steepest and the lowest point, and suggests a rate."""
    if len(losses) < _FEWEST:
        raise TrainingError(
            f"the loss blew up after {len(losses)} steps, at a learning rate of {rates[-1] if rates else 0:.3g}; "
            "start lower, with --lowest, or clip the gradient (clip_gradient=1)."
        )
    smoothed = tuple(_smooth(losses))
    low = _low(smoothed)
    # Over a stretch of steps, and not the first: single ones are noise.
    slopes = {i: smoothed[min(i + _STRETCH, low)] - smoothed[i] for i in range(_STRETCH, low)} or {low: 0.0}
    steep = min(slopes, key=slopes.__getitem__)
    suggestion = max(rates[steep], rates[low] / 3)
    return LRRangeTest(tuple(rates), tuple(losses), smoothed, rates[steep], rates[low], float(f"{suggestion:.2g}"))


def _low(smoothed: Sequence[float]) -> int:
    """The first step that is about as low as any."""
    least = min(smoothed)
    fall = max(smoothed[: smoothed.index(least) + 1]) - least
    return next(step for step, loss in enumerate(smoothed) if loss <= least + _CLOSE * fall)


def _warn_of_small_sets(steps: int, samples: int, size: int) -> None:
    epochs = steps / epoch_steps(samples, size)
    if epochs > _MANY_EPOCHS:
        warn(
            f"the range test went over the same {samples} pictures {epochs:.0f} times, so its loss may have fallen "
            "because they were learnt by heart, at whatever rate. Trust the suggestion less, or take more pictures, a "
            "smaller batch_size or fewer --steps."
        )


def _endless(loader: BatchLoader, setup: TrainingSetup, span: PhaseSpan, steps: int) -> Iterator[Batch]:
    samples, size, seed = len(loader.images), span.phase.batch_size, setup.recipe.seed
    taken, epoch = 0, span.first_epoch
    while taken < steps:
        count = min(epoch_steps(samples, size), steps - taken)
        yield from loader.batches(epoch_order(samples, seed, epoch, setup.balance.draws)[: count * size], size)
        taken, epoch = taken + count, epoch + 1


def _smooth(losses: list[float]) -> Iterator[float]:
    average = 0.0
    for step, loss in enumerate(losses, start=1):
        average = _MEMORY * average + (1 - _MEMORY) * loss
        # Without this division the first values would lean towards the 0 that the average starts from.
        yield average / (1 - _MEMORY**step)
