"""One optimisation step, from a batch of pictures to new weights."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnnlab.core.messages import warn
from cnnlab.core.seeds import scope
from cnnlab.models import penalty, perturbed, to_float
from cnnlab.models.inference import laid_out
from cnnlab.objectives import Objective, Targets
from cnnlab.training.adversaries import Adversaries
from cnnlab.training.batches import Batch
from cnnlab.training.execution import Execution
from cnnlab.training.recipe import Phase
from cnnlab.training.step_outcome import StepOutcome

if TYPE_CHECKING:
    from cnnlab.training.several_devices.data_parallel import DataParallel


@dataclass(frozen=True)
class StepKey:
    """When a step is taken; what its randomness is a function of."""

    seed: int
    epoch: int
    step: int


class Stepper:
    """Takes the steps of one phase.

    :param network: the classifier, or its compiled form; ``module`` is the classifier itself.
    :param weights: a weight for each class of each head, where classes are weighted.
    """

    def __init__(
        self,
        phase: Phase,
        objective: Objective,
        network: Callable[[Tensor], Tensor],
        module: nn.Module,
        optimizer: Optimizer,
        execution: Execution,
        weights: Targets | None,
    ) -> None:
        self.phase, self.objective, self.network, self.module = phase, objective, network, module
        self.optimizer, self.execution, self.weights = optimizer, execution, weights
        self.pipeline = phase.augment.parsed
        self.adversaries = Adversaries.of(phase, objective)
        self.parallel: DataParallel | None = None
        is_half = execution.precision == "float16"
        self.scaler = torch.amp.GradScaler(execution.torch_device.type) if is_half else None

    def share_with(self, parallel: "DataParallel") -> None:
        """Takes its steps together with other devices, each of which computes a slice of every logical batch."""
        self.network = self.parallel = parallel

    @property
    def parameters(self) -> list[Tensor]:
        """What is trained, which may become more from epoch to epoch."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def take(self, batch: Batch, step_key: StepKey) -> StepOutcome:
        """One step: augment, forward, backward, update.

        :raises torch.OutOfMemoryError: before anything but the statistics of norms has changed.
        """
        self.optimizer.zero_grad(set_to_none=True)
        images, encoded = self._augmented(batch, self.objective.encode(batch.targets), step_key)
        if self.phase.label_smoothing:
            encoded = self.objective.smooth(encoded, self.phase.label_smoothing)
        outcome = self._gradients(images, encoded, step_key, len(batch.indices))
        self._update()
        if self.parallel is not None:
            self.parallel.after_step()
        return outcome

    def _augmented(self, batch: Batch, encoded: Targets, step_key: StepKey) -> tuple[Tensor, Targets]:
        """The pictures that are computed here, and their targets."""
        when = {"seed": step_key.seed, "epoch": step_key.epoch, "step": step_key.step}
        if batch.part is not None:
            return self.pipeline.on_part(batch.images, dict(encoded), batch.part, **when, ids=batch.indices)
        images, encoded = self.pipeline(batch.images, dict(encoded), **when, ids=batch.indices)
        if self.parallel is None:
            return images, encoded
        part = self.parallel.part(len(batch.indices))
        return images[part], {name: rows[part] for name, rows in encoded.items()}

    def _gradients(self, images: Tensor, encoded: Targets, step_key: StepKey, samples: int) -> StepOutcome:
        """Those of the mean over the ``samples`` of the logical batch, of which another device may have some."""
        size = -(-len(images) // self.execution.parts)
        first = 0 if self.parallel is None else self.parallel.part(samples).start
        losses, sums = [], []
        with (
            scope(step_key.seed, "forward", step_key.epoch, step_key.step, device=self.execution.torch_device),
            nullcontext() if self.parallel is None else self.parallel.step(samples),
        ):
            for start in range(0, len(images), size):
                part = slice(start, start + size)
                targets = {name: rows[part] for name, rows in encoded.items()}
                pixels = laid_out(to_float(images[part]), self.execution.memory_format)
                changed = self._perturbed(pixels, targets, step_key, samples, first + start)
                loss, outputs = self._forward(pixels, changed, targets)
                share = loss.sum() / samples
                self._backward(share, len(loss) / samples)
                losses.append(share.detach())
                sums.append(self.objective.tally(outputs.detach(), targets))
        return StepOutcome(samples, _total(losses), {key: _total([s[key] for s in sums]) for key in sums[0]})

    def _perturbed(self, pixels: Tensor, targets: Targets, step_key: StepKey, samples: int, start: int) -> Tensor:
        """The pixels of a part of the batch, which begins at ``start``, as the adversaries change them."""
        return perturbed(
            pixels,
            targets,
            self.adversaries.perturbations,
            self.module,
            self.objective.weighted(self.weights),
            seed=step_key.seed,
            index=(step_key.epoch, step_key.step),
            count=samples,
            start=start,
            precision=self.execution.precision,
            # An adversary's gradients are its own, and no other device's.
            forward=self.network if self.parallel is None else None,
        )

    def _forward(self, pixels: Tensor, changed: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        """The loss of each picture, N, and the outputs that are told of: of changed pictures, or where pairs are
        trained on of pictures as they are."""
        outputs, pair = self._outputs(changed), self.adversaries.pair
        if pair is None:
            return self.objective.loss(outputs, targets, self.weights), outputs
        # Last, since penalties on activities are those of the last pass.
        before = self._outputs(pixels)
        loss = self.objective.loss(before, targets, self.weights)
        return loss + pair.pair_loss(before, outputs, self.objective), before

    def _outputs(self, pixels: Tensor) -> Tensor:
        pixels = laid_out(pixels, self.execution.memory_format)
        with self.execution.autocast():
            return self.network(pixels)

    def _backward(self, loss: Tensor, share: float) -> None:
        """Gradients of the loss and of this share of the penalties on weights and activities.

        Penalties are no part of the loss that is followed, so that it compares with that of other pictures.
        """
        extra = penalty(self.module)
        total = loss if extra is None else loss + share * extra
        if self.parallel is not None:
            total = total * self.parallel.factor
        (total if self.scaler is None else self.scaler.scale(total)).backward()  # type: ignore[no-untyped-call]

    def _update(self) -> None:
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        if self.phase.clip_gradient is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.phase.clip_gradient)
        if self.scaler is not None:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
        if self.phase.clip_weights is not None:
            with torch.no_grad():
                torch._foreach_clamp_min_(self.parameters, -self.phase.clip_weights)
                torch._foreach_clamp_max_(self.parameters, self.phase.clip_weights)

    def extra_state(self) -> dict[str, Any]:
        """The plain state beside weights and optimiser: the scale of float16 gradients."""
        return {} if self.scaler is None else {"scaler": self.scaler.state_dict()}

    def load_extra_state(self, extra: dict[str, Any]) -> None:
        """What :meth:`extra_state` gave."""
        if self.scaler is not None and "scaler" in extra:
            self.scaler.load_state_dict(extra["scaler"])


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error says that memory ran out, on an accelerator or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # What the processor's and that of mps say, which have no error of their own.
    texts = ("can't allocate memory", "MPS backend out of memory")
    return isinstance(error, RuntimeError) and any(text in str(error) for text in texts)


def warn_of_parts(parts: int, network: nn.Module) -> str:
    """Says that batches are split from now on, and whether that changes the result."""
    kinds = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
    differs = any(isinstance(module, kinds) for module in network.modules())
    text = f"memory ran out; each batch is now computed in {parts} parts whose gradients are added up"
    if differs:
        text += (
            ". Batch normalisation and dropout see the parts one by one, "
            "so the result is not identical to that of whole batches"
        )
    warn(f"{text}.")
    return text


def _total(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)
