"""The learning-rate range test: one short training in which the rate grows from step to step."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cnnlab.core import memory
from cnnlab.core.errors import TrainingError, UsageError
from cnnlab.core.messages import announcing, note, showing, warn
from cnnlab.core.number_text import counted
from cnnlab.models import Classifier
from cnnlab.runs import RunStore, store_at
from cnnlab.training.api import train_setup
from cnnlab.training.batches import epoch_steps
from cnnlab.training.checkpoints import Checkpoints
from cnnlab.training.execution import choose_execution, describe_execution
from cnnlab.training.phases import PhaseSpan
from cnnlab.training.prepare import TrainingSetup, build_classifier, read_setup
from cnnlab.training.rate_curve import FEWEST, LRRangeTest, growing_rates, suggest_lr
from cnnlab.training.recipe import Recipe
from cnnlab.training.short_training import losses_at

_MANY_EPOCHS = 50


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
    if not 0 < lowest < highest < math.inf or steps < FEWEST:
        raise UsageError(
            f"a range test takes rates 0 < lowest < highest and at least {FEWEST} steps; "
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
    with execution.applied(), announcing(f"trying {steps} learning rates"):
        rates = growing_rates(lowest, highest, steps)
        losses = losses_at(rates, setup, span, classifier, execution)
    _warn_of_small_sets(len(losses), len(setup.dataset.train), span.phase.batch_size)
    return rates[: len(losses)], losses


def _train_before(setup: TrainingSetup, span: PhaseSpan, classifier: Classifier) -> None:
    """Brings a classifier to where it is when a phase begins, by a run that is not kept.

    :raises TrainingError: where the training ends before, by its ``patience``.
    """
    phases = setup.recipe.phases[: span.number - 1]
    kept = {"phases": phases, "snapshots": (), "keep_checkpoint": True, "devices": None}
    recipe = setup.recipe.model_copy(update=kept)
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


def _warn_of_small_sets(steps: int, samples: int, size: int) -> None:
    epochs = steps / epoch_steps(samples, size)
    if epochs > _MANY_EPOCHS:
        warn(
            f"the range test went over the same {samples} pictures {epochs:.0f} times, so its loss may have fallen "
            "because they were learnt by heart, at whatever rate. Trust the suggestion less, or take more pictures, a "
            "smaller batch_size or fewer --steps."
        )
