"""The one training loop."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnlab.augment import pipeline
from cnnlab.core.files import clear_leftovers
from cnnlab.core.messages import note
from cnnlab.models import Classifier, save_classifier
from cnnlab.runs import Run, RunWriter
from cnnlab.runs.diagnosis import Diagnosis
from cnnlab.training.batches import Batch, BatchLoader, epoch_order
from cnnlab.training.callbacks import Callback, EpochEnd
from cnnlab.training.checkpoints import Checkpoint, Checkpoints, remove_checkpoint
from cnnlab.training.diagnosis.case import EndedTraining, Failure
from cnnlab.training.diagnosis.diagnose import look_into
from cnnlab.training.divergence import DivergedError, LossWatch
from cnnlab.training.early_stopping import EarlyStopping
from cnnlab.training.ema import MovingAverage
from cnnlab.training.execution import Execution
from cnnlab.training.finishing import finish_run
from cnnlab.training.frozen_features import NoRoomError, Pictures, compute_features
from cnnlab.training.overfitting_watch import accuracy_under_steps, overfitting_warning
from cnnlab.training.phase_cuts import cut_for
from cnnlab.training.phase_training import PhaseTraining
from cnnlab.training.phases import PhaseSpan
from cnnlab.training.prepare import TrainingSetup
from cnnlab.training.progress import Display
from cnnlab.training.scoring import known_metrics, outputs_for
from cnnlab.training.selection import BestEpoch, can_judge
from cnnlab.training.signals import Interrupted, StopRequest
from cnnlab.training.snapshots import Snapshots
from cnnlab.training.state import Counters
from cnnlab.training.step import StepKey, warn_of_parts

if TYPE_CHECKING:
    from cnnlab.training.several_devices.data_parallel import DataParallel
    from cnnlab.training.several_devices.group import DeviceGroup


@dataclass(frozen=True)
class Job:
    """Everything that one training needs, ready made.

    :param group: of the devices that train together, where there are several; the first alone writes files.
    """

    setup: TrainingSetup
    classifier: Classifier
    execution: Execution
    writer: RunWriter
    callbacks: Sequence[Callback] = ()
    group: "DeviceGroup | None" = None


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

    On several devices each takes all of these steps, with a slice of every batch. What a decision hangs on (a loss, a
    score, whether to save or to stop) is the same on all, so that all decide alike.
    """

    def __init__(self, job: Job, stop_request: StopRequest) -> None:
        setup, execution, folder = job.setup, job.execution, job.writer.folder
        recipe, dataset, device = setup.recipe, setup.dataset, execution.torch_device
        self.job, self.setup, self.recipe, self.writer = job, setup, recipe, job.writer
        self.stop_request, self.execution, self.group = stop_request, execution, job.group
        self.writes = job.group is None or job.group.is_first
        self.classifier = job.classifier.to(device=device, memory_format=execution.memory_format)  # type: ignore[call-overload]
        self.network = execution.network(self.classifier)
        self.loader = BatchLoader(dataset.train, device, execution.workers)
        held_out = dataset.validation if can_judge(dataset) else None
        self.validation = None if held_out is None else BatchLoader(held_out, device, execution.workers)
        self.parallel = None if job.group is None else _data_parallel(job.group, self.classifier, execution)
        self.average = MovingAverage(self.classifier, recipe.ema) if recipe.ema else None
        self.counters = Counters(epoch=setup.plan.first_epoch, step=setup.plan.spans[0].first_step)
        self.phase: PhaseTraining | None = None
        self.best = BestEpoch(setup.selection)
        self.early_stopping = EarlyStopping(recipe.patience)
        self.snapshots = Snapshots(folder, recipe.snapshots if self.writes else ())
        self.checkpoints = Checkpoints(folder, recipe.checkpoint_seconds)
        whole = None if self.parallel is None else self.parallel.of_whole_batches
        self.losses = LossWatch(job.writer, device, self.best, whole)
        first_step = "compiling the network" if execution.compile else "taking the first step"
        metrics = "accuracy", setup.selection.column.partition("_")[2]
        self.display = Display(setup.plan, metrics, first_step, folder)

    @property
    def judged_network(self) -> Classifier:
        """The network whose scores count: the moving average where there is one."""
        return self.classifier if self.average is None else self.average.module  # type: ignore[return-value]

    def run(self) -> None:
        """Trains to the end, from the checkpoint where there is one, and finishes the run."""
        checkpoint = self.checkpoints.load()
        if checkpoint is not None:
            self.counters = checkpoint.counters
            for row in self.counters.rows:
                self.early_stopping.after_epoch(self.best.judge(row))
        if self.writes:
            clear_leftovers(self.writer.folder)
        self.writer.truncate_live(self.counters.step + 1)
        if self.counters.step == 0:
            self.snapshots.after_epoch(0, self.judged_network)
        with self.display:
            for span, epoch in self.setup.plan.epochs_from(self.counters.epoch):
                if self.early_stopping.is_over:
                    break
                if self.phase is None or span is not self.phase.span:
                    self.phase = self._enter(span, checkpoint)
                    checkpoint = None
                self._epoch(self.phase, epoch)
        if checkpoint is not None:
            # Every epoch was done and only the last scores are missing.
            checkpoint.restore(self.classifier, None, self.average)
        self._finish()

    def _enter(self, span: PhaseSpan, checkpoint: Checkpoint | None) -> PhaseTraining:
        if self.phase is not None:
            self.phase.trained.end()
        phase = PhaseTraining(self.setup, span, self.classifier, self.execution, self.network)
        if self.parallel is not None:
            phase.stepper.share_with(self.parallel)
        if checkpoint is not None:
            # An optimiser that has not stepped yet is that of a new phase and starts afresh, the scale with it.
            has_stepped = self.counters.step > span.first_step
            if has_stepped:
                phase.begin_epoch(self.counters.epoch - (self.counters.in_epoch == 0))
            checkpoint.restore(self.classifier, phase.optimizer if has_stepped else None, self.average)
            if has_stepped:
                phase.stepper.load_extra_state(checkpoint.extra)
        self._compute_frozen(phase)
        return phase

    def _compute_frozen(self, phase: PhaseTraining) -> None:
        """What frozen parts make of the pictures, once for the whole phase where that can be."""
        phase.trained.train()
        span, number = phase.span, str(phase.span.number)
        before = (self.writer.info.get("frozen_features") or {}).get(number, {})
        in_steps = self.execution.compile or self.group is not None or before is None
        cut = None if in_steps else cut_for(span.phase, self.classifier, span.epochs)
        if cut is None:
            return
        train = Pictures(
            self.loader, self.classifier, span.phase.augment.parsed, min(span.phase.views or 1, span.epochs)
        )
        held_out = None if self.validation is None else Pictures(self.validation, self.judged_network, pipeline("none"))
        try:
            features = compute_features(
                cut, train, held_out, seed=self.recipe.seed, execution=self.execution, between=self._computed
            )
        except NoRoomError as error:
            note(
                f"what the frozen parts make of the pictures takes {error}, more than memory and disk have to spare; "
                "they are computed at each step instead."
            )
            self.writer.update(frozen_features={number: None})
            return
        phase.start_from(features)
        note(f"phase {number}: {features}" if len(self.setup.plan.spans) > 1 else str(features))
        # What was found counts as when it was computed, so that times compare; of this run's own it counts already.
        seconds = round(features.seconds + (before.get("seconds") or features.spared), 3)
        self.writer.update(frozen_features={number: features.facts | {"seconds": seconds}})

    def _computed(self, done: int, of: int) -> None:
        self.display.frozen(done, of)
        self._leave_alone_if_asked()

    def _epoch(self, phase: PhaseTraining, epoch: int) -> None:
        """One epoch, or the rest of it."""
        counters, size, steps = self.counters, phase.span.phase.batch_size, phase.span.steps_in(epoch)
        indices = epoch_order(len(self.setup.dataset.train), self.recipe.seed, epoch, self.setup.balance.draws)
        left = indices[counters.in_epoch * size : steps * size]
        phase.begin_epoch(epoch)
        phase.trained.train()
        loader = self.loader if phase.features is None else phase.features.for_epoch(epoch - phase.span.first_epoch)
        self.display.begin(epoch, steps, counters.in_epoch)
        began, earlier = time.monotonic(), counters.epoch_seconds
        several = {} if self.parallel is None else {"part_of": self.parallel.gathered(phase.stepper.pipeline)}
        for batch in loader.batches(left, size, **several) if len(left) else ():
            self._step(phase, epoch, batch)
            counters.epoch_seconds = earlier + time.monotonic() - began
            self._heed(phase)
        self._look()
        self._close_epoch(phase, epoch)

    def _step(self, phase: PhaseTraining, epoch: int, batch: Batch) -> None:
        counters = self.counters
        finished = counters.epoch - phase.span.first_epoch
        phase.set_rate(counters.step, self.best.values[-finished:] if finished else [])
        counters.first_rate = phase.rate if counters.first_rate is None else counters.first_rate
        outcome = phase.take(batch, StepKey(self.recipe.seed, epoch, counters.in_epoch), self._note_split)
        if self.average is not None:
            self.average.update(self.classifier, counters.step + 1, phase.trained.still)
        counters.step += 1
        counters.in_epoch += 1
        self.losses.add(counters.step, phase.rate, outcome)
        if self.losses.is_due:
            self._look()

    def _note_split(self, execution: Execution) -> None:
        self.execution = execution
        self.writer.update(execution=execution.to_dict())
        self.writer.warning(warn_of_parts(execution.parts, self.classifier))

    def _look(self) -> None:
        if self.losses.look(self.counters):
            self.display.step(self.counters)

    def _heed(self, phase: PhaseTraining) -> None:
        """Saves when that is due or somebody wants to stop."""
        is_due, number = self._wanted()
        if is_due or number is not None:
            self._look()
            self._save(phase)
        if number is not None and self.group is not None:
            # Nobody leaves, which ends all, before the first has saved.
            self.group.share()
        self._leave_if_asked(number)

    def _wanted(self) -> tuple[bool, int | None]:
        """Whether it is time to save, and by which signal somebody wants to stop: the same on all devices."""
        is_due, number = self.checkpoints.is_due, self.stop_request.number
        if self.group is None:
            return is_due, number
        due, asked = self.group.largest(is_due and self.writes, number or 0)
        return bool(due), asked or None

    def _leave_if_asked(self, number: int | None) -> None:
        if number is not None:
            raise Interrupted(number, str(self.writer.folder))

    def _save(self, phase: PhaseTraining) -> None:
        if self.writes:
            extra = phase.stepper.extra_state()
            self.checkpoints.save(self.counters, self.classifier, phase.optimizer, self.average, extra)

    def _close_epoch(self, phase: PhaseTraining, epoch: int) -> None:
        """Scores the validation split, judges the epoch by it, and writes down all of that."""
        counters = self.counters
        validation = self._validate(phase)
        self.losses.check_epoch(self.classifier, validation, phase.rate, counters)
        row = self._row(phase, epoch, validation) | (self._watched(phase, epoch) if self.writes else {})
        row = row if self.group is None else self.group.share(row)
        is_best = self.best.judge(row)
        self.early_stopping.after_epoch(is_best)
        for warning in (self.best.warning(row), overfitting_warning(counters.rows, row)):
            if warning is not None:
                self.writer.warning(warning)
        if is_best and self.setup.selection.picks and self.writes:
            save_classifier(self.writer.path("model.safetensors"), self.judged_network)
        counters.end_epoch(row)
        self.snapshots.after_epoch(counters.epoch, self.judged_network)
        self.writer.history(counters.rows)
        self.writer.update(epochs_done=counters.epoch, step=counters.step, seconds=round(counters.seconds, 3))
        self._save(phase)
        self.display.epoch(row)
        for callback in self.job.callbacks:
            callback(EpochEnd(counters.epoch, dict(row), self.judged_network, self.writer.folder))
        self._heed(phase)

    def _validate(self, phase: PhaseTraining) -> dict[str, float]:
        if self.validation is None:
            return {}
        judged, features = self.judged_network, phase.features
        kept = None if features is None else features.validation
        outputs = outputs_for(
            judged if features is None else features.remainder(judged),
            self.validation if kept is None else kept,
            self.execution,
            lambda: self._heed(phase),
            self.group,
        )
        scores = known_metrics(outputs, self.validation.images.targets, self.setup.objective) if self.writes else {}
        return scores if self.group is None else dict(self.group.share(scores))

    def _watched(self, phase: PhaseTraining, epoch: int) -> dict[str, float]:
        """What is measured after an epoch that was trained against a single step."""
        return accuracy_under_steps(
            phase.stepper.adversaries,
            self.loader,
            self.classifier,
            self.setup.objective,
            self.execution,
            seed=self.recipe.seed,
            epoch=epoch,
            batch_size=phase.span.phase.batch_size,
        )

    def _row(self, phase: PhaseTraining, epoch: int, validation: Mapping[str, float]) -> dict[str, Any]:
        """The row of the history for the epoch that was just trained."""
        counters = self.counters
        samples, seconds = counters.sums["samples"], counters.epoch_seconds
        row: dict[str, Any] = {"epoch": epoch + 1, "step": counters.step}
        row |= {"phase": phase.span.number} if len(self.setup.plan.spans) > 1 else {}
        row |= {"learning_rate_start": counters.first_rate, "learning_rate_end": phase.rate}
        row |= {f"train_{key}": value / samples for key, value in counters.sums.items() if key != "samples"}
        row |= {f"validation_{key}": value for key, value in validation.items()}
        return row | {"seconds": seconds, "images_per_second": samples / max(seconds, 1e-9)}

    def _finish(self) -> None:
        # Everything was saved at the end of the last epoch, and the selected weights are not those to go on from.
        finish_run(
            self.setup,
            self.writer,
            self.judged_network,
            self.execution,
            self.counters,
            self.best,
            between=lambda: self._leave_if_asked(self._wanted()[1]),
            alone=self._leave_alone_if_asked,
            group=self.group,
        )
        if self.writes and not self.recipe.keep_checkpoint:
            remove_checkpoint(self.writer.folder)

    def _leave_alone_if_asked(self) -> None:
        """As the others do not, where the first device has something to itself."""
        self._leave_if_asked(self.stop_request.number)

    def why_diverged(self, error: DivergedError) -> Diagnosis | None:
        """What is seen of a training whose loss is no number, for its record; its weights are none either."""
        failure = Failure(error.step, error.rate)
        run = Run(self.writer.folder)
        alone = self._leave_alone_if_asked
        return look_into(EndedTraining(self.setup, run, None, None, self.execution, failure, alone))


def _data_parallel(group: "DeviceGroup", classifier: Classifier, execution: Execution) -> "DataParallel":
    from cnnlab.training.several_devices.data_parallel import DataParallel

    return DataParallel(group, classifier, execution.torch_device, execution.sync_batchnorm)
