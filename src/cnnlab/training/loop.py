"""The one training loop."""

import copy
import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from cnnlab.core.errors import TrainingError
from cnnlab.core.files import clear_leftovers
from cnnlab.core.messages import announcing
from cnnlab.data import Dataset
from cnnlab.models import Classifier, load_classifier, save_classifier
from cnnlab.objectives import Objective
from cnnlab.runs import RunWriter
from cnnlab.training import optimizers
from cnnlab.training.batches import Batch, BatchLoader, epoch_order
from cnnlab.training.class_balance import ClassBalance
from cnnlab.training.ema import MovingAverage
from cnnlab.training.execution import Execution
from cnnlab.training.phases import PhasePlan, PhaseSpan
from cnnlab.training.progress import Display
from cnnlab.training.recipe import Recipe
from cnnlab.training.schedules import PhaseProgress, schedules
from cnnlab.training.scoring import metrics_of, outputs_for, predictions_of
from cnnlab.training.selection import SelectionMetric, can_judge
from cnnlab.training.signals import Interrupted, StopRequest
from cnnlab.training.state import Best, Counters, Stored, save_state
from cnnlab.training.step import StepKey, StepOutcome, Stepper, is_out_of_memory, warn_of_parts

# Reading a loss back from an accelerator waits for it; there it is done this often instead of at every step.
_STEPS_BETWEEN_LOOKS = 50
CHECKPOINT = "checkpoint"
"""The folder of a run that holds what is needed to go on; gone when it is finished."""


@dataclass(frozen=True)
class EpochEnd:
    """What a callback sees after each epoch: the row of the history, and the classifier as it is."""

    epoch: int
    row: Mapping[str, Any]
    classifier: Classifier
    folder: Path


@dataclass(frozen=True)
class Job:
    """Everything that one training needs, ready made."""

    recipe: Recipe
    plan: PhasePlan
    dataset: Dataset
    objective: Objective
    classifier: Classifier
    execution: Execution
    writer: RunWriter
    callbacks: Sequence[Callable[[EpochEnd], object]] = ()


class Trainer:
    """One training, from where it is to its finished run::

    for each epoch (counted on across phases and parents)
        order       a function of (seed, epoch)
        for each step
            gather      uint8 pixels and targets, from memory or read ahead
            encode      targets to float rows
            augment     a function of (seed, epoch, step)
            to float    [0, 1]
            perturb     where the recipe has an adversary
            forward     the classifier, which normalises, under autocast
            loss        smoothing, class weights
            backward    in parts where memory is short
            update      clip gradients, optimiser, clip weights, moving average
            look        is the loss a number? is a checkpoint due? does somebody want to stop?
        score validation; select; record; snapshot; checkpoint; callbacks
    score validation and test with the selected weights, once
    """

    def __init__(self, job: Job, stop_request: StopRequest) -> None:
        self.job, self.stop_request = job, stop_request
        self.recipe, self.execution, self.writer = job.recipe, job.execution, job.writer
        device = self.execution.torch_device
        self.classifier = job.classifier.to(device=device, memory_format=self.execution.memory_format)  # type: ignore[call-overload]
        self.network: Any = self.classifier
        if self.execution.compile:
            with announcing("loading the compiler"):
                self.network = torch.compile(self.classifier)
        self.loader = BatchLoader(job.dataset.train, device, self.execution.workers)
        held_out = job.dataset.validation if can_judge(job.dataset) else None
        self.validation = None if held_out is None else BatchLoader(held_out, device, self.execution.workers)
        self.average = MovingAverage(self.classifier, self.recipe.ema) if self.recipe.ema else None
        self.selection = SelectionMetric.of(self.recipe, job.objective, job.dataset)
        balanced = ClassBalance.of(self.recipe.balance, job.dataset.train, job.objective)
        self.weights, self.draws = balanced.on(device), balanced.draws
        self.counters = Counters(epoch=job.plan.first_epoch, step=job.plan.spans[0].first_step)
        self.pending: list[tuple[int, float, StepOutcome]] = []
        self.saved_at = time.monotonic()
        judged = self.selection.metric.partition("_")[2]
        first_step = "compiling the network" if self.execution.compile else "taking the first step"
        self.display = Display(job.plan, ("accuracy", judged), first_step)

    def run(self) -> None:
        """Trains to the end, from the checkpoint where there is one, and finishes the run."""
        stored = Stored.load(self._checkpoint) if self._checkpoint.exists() else None
        if stored is not None:
            self.counters = stored.counters
        clear_leftovers(self.writer.folder)
        self.writer.truncate_live(self.counters.step + 1)
        if self.counters.step == 0:
            self._keep_snapshot(0)
        span: PhaseSpan | None = None
        with self.display:
            for current, epoch in self.job.plan.epochs_from(self.counters.epoch):
                if self._is_patience_out():
                    break
                if current is not span:
                    span = current
                    self._enter(span, stored)
                    stored = None
                self._epoch(span, epoch)
        if stored is not None:
            # Every epoch was done and only the last scores are missing.
            stored.restore(self.classifier, None, self.average)
        self._finish()

    @property
    def _checkpoint(self) -> Path:
        return self.writer.path(f"{CHECKPOINT}/state.safetensors")

    @property
    def _kept_so_far(self) -> str:
        """What of a training that cannot go on is in its folder, in words."""
        if not self.counters.rows:
            return "no epoch was finished, so there are no weights to keep"
        if self.selection.picks:
            return f"the best weights before it, of epoch {self.counters.best.epoch}, are kept"
        return f"the history up to epoch {self.counters.epoch} is kept"

    @property
    def _judged_network(self) -> Classifier:
        """The network whose scores count: the moving average where there is one."""
        return self.classifier if self.average is None else self.average.module  # type: ignore[return-value]

    def _enter(self, span: PhaseSpan, stored: Stored | None) -> None:
        phase = span.phase
        self.optimizer: Optimizer = optimizers.build_optimizer(
            optimizers.optimizers.bind(phase.optimizer), self.classifier, phase.weight_decay
        )
        self.rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        self.schedule = schedules.bind(phase.schedule).build()
        self.stepper = Stepper(
            phase, self.job.objective, self.network, self.classifier, self.optimizer, self.execution, self.weights
        )
        if stored is not None:
            # An optimiser that has not stepped yet is that of a new phase and starts afresh, the scale with it.
            has_stepped = self.counters.step > span.first_step
            stored.restore(self.classifier, self.optimizer if has_stepped else None, self.average)
            if has_stepped:
                self.stepper.load_extra_state(stored.extra)

    def _epoch(self, span: PhaseSpan, epoch: int) -> None:
        """One epoch, or the rest of it."""
        steps, size = span.steps_in(epoch), span.phase.batch_size
        indices = epoch_order(len(self.job.dataset.train), self.recipe.seed, epoch, self.draws)
        left = indices[self.counters.in_epoch * size : steps * size]
        self.classifier.train()
        self.display.begin(epoch, steps, self.counters.in_epoch)
        began = time.monotonic()
        earlier = self.counters.epoch_seconds
        for batch in self.loader.batches(left, size) if len(left) else ():
            self._step(span, epoch, batch)
            self.counters.epoch_seconds = earlier + time.monotonic() - began
            self._heed()
        self._look()
        self._close_epoch(span, epoch)

    def _step(self, span: PhaseSpan, epoch: int, batch: Batch) -> None:
        rate = self._set_rate(span)
        outcome = self._take(batch, StepKey(self.recipe.seed, epoch, self.counters.in_epoch))
        if self.average is not None:
            self.average.update(self.classifier, self.counters.step + 1)
        self.counters.step += 1
        self.counters.in_epoch += 1
        self.pending.append((self.counters.step, rate, outcome))
        if self.execution.torch_device.type == "cpu" or len(self.pending) >= _STEPS_BETWEEN_LOOKS:
            self._look()

    def _set_rate(self, span: PhaseSpan) -> float:
        done = self.counters.step - span.first_step
        finished = self.counters.epoch - span.first_epoch
        judged = self.counters.judged[len(self.counters.judged) - finished :] if finished else []
        multiplier = self.schedule.multiplier(PhaseProgress(done, span.steps, span.steps_per_epoch, judged))
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * multiplier
        return self.rates[0] * multiplier

    def _take(self, batch: Batch, step_key: StepKey) -> StepOutcome:
        while True:
            try:
                return self.stepper.take(batch, step_key)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self.execution.parts >= len(batch.images):
                    raise
            self._split()

    def _split(self) -> None:
        """Halves the parts of a batch. Outside the handler, so that the failed step's memory is free again."""
        self.execution = replace(self.execution, parts=self.execution.parts * 2)
        self.stepper.execution = self.execution
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.writer.update(execution=self.execution.to_dict())
        self.writer.warning(warn_of_parts(self.execution.parts, self.classifier))

    def _look(self) -> None:
        """Reads back the steps taken since the last look, and refuses a loss that is no number."""
        for (step, rate, outcome), loss in zip(self.pending, _losses(self.pending), strict=True):
            if not math.isfinite(loss):
                raise TrainingError(_not_a_number(loss, step, rate, self._kept_so_far))
            sums = {key: float(value) for key, value in outcome.sums.items()}
            record = {"loss": loss * outcome.samples, "samples": float(outcome.samples)} | sums
            for key, value in record.items():
                self.counters.sums[key] = self.counters.sums.get(key, 0.0) + value
            share = {key: value / outcome.samples for key, value in sums.items()}
            self.writer.live(
                {"step": step, "epoch": self.counters.epoch + 1, "learning_rate": rate, "loss": loss} | share
            )
        if self.pending:
            self.display.step(self.counters)
        self.pending.clear()

    def _heed(self) -> None:
        """Saves when that is due or somebody wants to stop."""
        due = time.monotonic() - self.saved_at >= self.recipe.checkpoint_seconds
        if due or self.stop_request.number is not None:
            self._look()
            self._save()
        self._leave_if_asked()

    def _leave_if_asked(self) -> None:
        if self.stop_request.number is not None:
            raise Interrupted(self.stop_request.number, str(self.writer.folder))

    def _save(self) -> None:
        extra = self.stepper.extra_state()
        save_state(self._checkpoint, self.counters, self.classifier, self.optimizer, self.average, extra)
        self.saved_at = time.monotonic()

    def _close_epoch(self, span: PhaseSpan, epoch: int) -> None:
        sums, samples = self.counters.sums, self.counters.sums["samples"]
        train = {key: value / samples for key, value in sums.items() if key != "samples"}
        validation = self._validate()
        self._refuse_spoilt(validation)
        seconds = self.counters.epoch_seconds
        row: dict[str, Any] = {"epoch": epoch + 1, "step": self.counters.step}
        row |= {"phase": span.number} if len(self.job.plan.spans) > 1 else {}
        row |= {"learning_rate": self.optimizer.param_groups[0]["lr"]}
        row |= {f"train_{key}": value for key, value in train.items()}
        row |= {f"validation_{key}": value for key, value in validation.items()}
        row |= {"seconds": seconds, "images_per_second": samples / max(seconds, 1e-9)}
        self._select(epoch + 1, row)
        self.counters.rows.append(row)
        self.counters.seconds += seconds
        self.counters.epoch, self.counters.in_epoch = epoch + 1, 0
        self.counters.sums, self.counters.epoch_seconds = {}, 0.0
        self._record(row)

    def _record(self, row: dict[str, Any]) -> None:
        epoch = self.counters.epoch
        self._keep_snapshot(epoch)
        self.writer.history(self.counters.rows)
        self.writer.update(epochs_done=epoch, step=self.counters.step, seconds=round(self.counters.seconds, 3))
        self._save()
        self.display.epoch(row)
        for callback in self.job.callbacks:
            callback(EpochEnd(epoch, dict(row), self._judged_network, self.writer.folder))
        self._heed()

    def _keep_snapshot(self, epoch: int) -> None:
        """Keeps the weights as they are, where the recipe asks for this epoch; 0 is before the first."""
        if epoch in self.recipe.snapshots:
            save_classifier(self.writer.path(f"snapshots/epoch-{epoch}.safetensors"), self._judged_network)

    def _validate(self) -> dict[str, float]:
        if self.validation is None:
            return {}
        outputs = outputs_for(self._judged_network, self.validation, self.execution, self._heed)
        return metrics_of(outputs, self.validation.images.targets, self.job.objective)

    def _refuse_spoilt(self, validation: Mapping[str, float]) -> None:
        """Refuses what the last step of the epoch has spoilt, for its own loss was that before the update."""
        loss = validation.get("loss", 0.0)
        are_finite = all(bool(torch.isfinite(parameter).all()) for parameter in self.classifier.parameters())
        if not are_finite or not math.isfinite(loss):
            rate = self.optimizer.param_groups[0]["lr"]
            spoilt = math.nan if math.isfinite(loss) else loss
            raise TrainingError(_not_a_number(spoilt, self.counters.step, rate, self._kept_so_far))

    def _select(self, epoch: int, row: dict[str, Any]) -> None:
        """Keeps the weights of this epoch when they are the best so far by the recipe's metric."""
        value = self.selection.sign * row[self.selection.metric]
        self.counters.judged.append(value)
        if value > self.counters.best.value:
            self.counters.best = Best(epoch, value)
            if self.selection.picks:
                save_classifier(self.writer.path("model.safetensors"), self._judged_network)

    def _is_patience_out(self) -> bool:
        best = self.counters.best.epoch or self.counters.epoch
        return self.recipe.patience is not None and self.counters.epoch - best >= self.recipe.patience

    def _finish(self) -> None:
        """Scores validation and test with the selected weights, stores their predictions, and closes the run."""
        picked = self.counters.best.epoch if self.selection.picks else None
        selected = picked or self.counters.epoch
        network = self._judged_network
        save_classifier(
            self.writer.path("model.safetensors" if selected == self.counters.epoch else "last.safetensors"), network
        )
        if selected != self.counters.epoch:
            stored = load_classifier(self.writer.path("model.safetensors"), copy.deepcopy(network.network))
            network.network.load_state_dict(stored.network.state_dict())
        row = next((r for r in self.counters.rows if r["epoch"] == selected), {})
        scores = {"train": {key.removeprefix("train_"): v for key, v in row.items() if key.startswith("train_")}}
        scores["train"]["n"] = len(self.job.dataset.train)
        for split in ("validation", "test"):
            scores[split] = self._score(split)
        self.writer.finish(
            scores={split: values for split, values in scores.items() if values},
            selected={
                "epoch": selected,
                "metric": self.selection.metric if picked else "last",
                "value": row.get(self.selection.metric),
            },
            seconds=round(self.counters.seconds, 3),
        )
        if not self.recipe.keep_checkpoint:
            shutil.rmtree(self._checkpoint.parent, ignore_errors=True)

    def _score(self, split: str) -> dict[str, float]:
        images = getattr(self.job.dataset, split)
        if images is None or not len(images):
            return {}
        loader = BatchLoader(images, self.execution.torch_device, self.execution.workers)
        # Everything was saved at the end of the last epoch, and these weights are no longer those to go on from.
        outputs = outputs_for(self._judged_network, loader, self.execution, self._leave_if_asked)
        self.writer.predictions(
            predictions_of(outputs, images, self.job.objective, split=split, data=self.job.dataset.digest)
        )
        metrics = metrics_of(outputs, images.targets, self.job.objective)
        return metrics | {"n": len(images)} if metrics else {}


def _losses(pending: Sequence[tuple[int, float, StepOutcome]]) -> list[float]:
    """The losses of these steps, in one transfer."""
    return torch.stack([outcome.loss for _, _, outcome in pending]).tolist() if pending else []


def _not_a_number(loss: float, step: int, rate: float, kept: str) -> str:
    return (
        f"the loss became {loss} at step {step} (learning rate {rate:.3g}), so the training was stopped; {kept}. "
        "The usual causes: a learning rate that is too high (try a tenth of it, or a warm-up), no gradient clipping "
        "(clip_gradient=1), or an activation that grows without bound."
    )
