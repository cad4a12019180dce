"""The losses of the steps, read back from the device and recorded; one that is no number ends the training."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from cnnlab.core.errors import TrainingError
from cnnlab.runs import RunWriter
from cnnlab.training.selection import BestEpoch
from cnnlab.training.state import Counters
from cnnlab.training.step_outcome import StepOutcome


class DivergedError(TrainingError):
    """A loss that is no number any more.

    :param step: of the optimiser, counted from 1, and ``rate`` its learning rate.
    """

    def __init__(self, message: str, step: int, rate: float) -> None:
        super().__init__(message)
        self.step, self.rate = step, rate


# Reading a loss back from an accelerator waits for it; there it is done this often instead of at every step.
_STEPS_BETWEEN = 50


class LossWatch:
    """Follows the steps of a training.

    :param best: the best epoch so far, whose weights a training that diverges leaves.
    :param whole: makes what came of steps here what came of them on all devices, where there are several.
    """

    def __init__(
        self,
        writer: RunWriter,
        device: torch.device,
        best: BestEpoch,
        whole: Callable[[Sequence[StepOutcome]], Sequence[StepOutcome]] | None = None,
    ) -> None:
        self.writer, self.best = writer, best
        self._most = 1 if device.type == "cpu" else _STEPS_BETWEEN
        self._pending: list[tuple[int, float, StepOutcome]] = []
        self._whole = whole

    def add(self, step: int, rate: float, outcome: StepOutcome) -> None:
        """A step was taken, the ``step``-th, at this learning rate."""
        self._pending.append((step, rate, outcome))

    @property
    def is_due(self) -> bool:
        """Whether so many steps were taken that they should be looked at."""
        return len(self._pending) >= self._most

    def look(self, counters: Counters) -> bool:
        """Records the steps since the last look, and adds them to the sums of the epoch; whether there were any.

        :raises DivergedError: when a loss is no number.
        """
        pending, self._pending = self._pending, []
        if self._whole is not None and pending:
            outcomes = self._whole([outcome for _, _, outcome in pending])
            pending = [(step, rate, own) for (step, rate, _), own in zip(pending, outcomes, strict=True)]
        for (step, rate, outcome), loss in zip(pending, _losses(pending), strict=True):
            if not math.isfinite(loss):
                raise self._diverged(loss, step, rate, counters)
            sums = {key: float(value) for key, value in outcome.sums.items()}
            counters.add({"loss": loss * outcome.samples, "samples": float(outcome.samples)} | sums)
            share = {key: value / outcome.samples for key, value in sums.items()}
            self.writer.live({"step": step, "epoch": counters.epoch + 1, "learning_rate": rate, "loss": loss} | share)
        return bool(pending)

    def check_epoch(self, network: nn.Module, validation: Mapping[str, float], rate: float, counters: Counters) -> None:
        """Refuses what the last step of an epoch has spoilt, for its own loss was that before the update.

        :raises DivergedError: when a weight or the validation loss is no number.
        """
        loss = validation.get("loss", 0.0)
        are_finite = all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters())
        if not are_finite or not math.isfinite(loss):
            raise self._diverged(math.nan if math.isfinite(loss) else loss, counters.step, rate, counters)

    def _diverged(self, loss: float, step: int, rate: float, counters: Counters) -> DivergedError:
        text = (
            f"the loss became {loss} at step {step} (learning rate {rate:.3g}), so the training was stopped; "
            f"{self._kept(counters)}. The usual causes: a learning rate that is too high (try a tenth of it, or a "
            "warm-up), no gradient clipping (clip_gradient=1), or an activation that grows without bound."
        )
        return DivergedError(text, step, rate)

    def _kept(self, counters: Counters) -> str:
        """What of a training that cannot go on is in its folder, in words."""
        if not counters.rows:
            return "no epoch was finished, so there are no weights to keep"
        if self.best.metric.picks:
            return f"the best weights before it, of epoch {self.best.epoch}, are kept"
        return f"the history up to epoch {counters.epoch} is kept"


def _losses(pending: list[tuple[int, float, StepOutcome]]) -> list[float]:
    """The losses of these steps, in one transfer."""
    return torch.stack([outcome.loss for _, _, outcome in pending]).tolist() if pending else []
