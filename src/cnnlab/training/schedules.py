"""Learning-rate schedules as pure functions of how far the training is, so that there is nothing to save.

Each gives the factor by which the optimiser's learning rate is multiplied. All but one-cycle, which rises by itself,
take ``warmup``: the number of epochs over which the rate first rises linearly from a hundredth.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from cnnlab.core.arguments import Count, Fraction, NonNegative, Positive, Range
from cnnlab.core.registry import Registry

RateFactor = Annotated[float, Range(0, 1, open_low=True)]

schedules: Registry["Schedule"] = Registry("schedule")


@dataclass(frozen=True)
class PhaseProgress:
    """How far a phase of training is.

    :param step: steps done in this phase, from 0.
    :param steps: steps of the whole phase.
    :param steps_per_epoch: steps of one epoch.
    :param history: values of the selection metric after each finished epoch of the phase, each turned so that
        higher is better; what :class:`PlateauSchedule` looks at.
    """

    step: int
    steps: int
    steps_per_epoch: int
    history: Sequence[float] = ()

    @property
    def epoch(self) -> float:
        """Epochs done, as a fraction."""
        return self.step / self.steps_per_epoch


@dataclass(frozen=True)
class Schedule(ABC):
    """The factor on the learning rate over one phase; a subclass writes ``curve``."""

    def multiplier(self, progress: PhaseProgress) -> float:
        """The factor at this point, at least 0."""
        warmup = getattr(self, "warmup", 0.0) * progress.steps_per_epoch
        if progress.step < warmup:
            return self.curve(_start(progress)) * (0.01 + 0.99 * progress.step / warmup)
        return self.curve(_after(progress, warmup))

    @abstractmethod
    def curve(self, progress: PhaseProgress) -> float:
        """The factor, counting from the end of the warm-up."""


def _start(progress: PhaseProgress) -> PhaseProgress:
    return PhaseProgress(0, progress.steps, progress.steps_per_epoch)


def _after(progress: PhaseProgress, warmup: float) -> PhaseProgress:
    skipped = math.ceil(warmup)
    steps = max(1, progress.steps - skipped)
    return PhaseProgress(progress.step - skipped, steps, progress.steps_per_epoch, progress.history)


@schedules.register("constant")
@dataclass(frozen=True)
class ConstantSchedule(Schedule):
    """The same rate throughout."""

    warmup: NonNegative = 0.0

    def curve(self, progress: PhaseProgress) -> float:
        """Always 1."""
        return 1.0


@schedules.register("cosine")
@dataclass(frozen=True)
class CosineSchedule(Schedule):
    """Half a cosine down to ``final`` of the rate (Loshchilov and Hutter, SGDR, 2017, equation 5, one period)."""

    final: Fraction = 0.0
    warmup: NonNegative = 0.0

    def curve(self, progress: PhaseProgress) -> float:
        """From 1 at the first step towards ``final`` after the last."""
        return _cosine(progress.step / progress.steps, 1.0, self.final)


@schedules.register("cosine-restarts")
@dataclass(frozen=True)
class CosineRestartsSchedule(Schedule):
    """Cosines of ``period`` epochs, each ``growth`` times as long as the last (SGDR, 2017)."""

    period: Positive = 10.0
    growth: Annotated[float, Range(1)] = 1.0
    final: Fraction = 0.0
    warmup: NonNegative = 0.0

    def curve(self, progress: PhaseProgress) -> float:
        """Back at 1 at the start of each period."""
        epoch, period = progress.epoch, self.period
        # A float compared with a sum of floats: the tolerance keeps a restart on its own step.
        while epoch >= period - 1e-9:
            epoch, period = epoch - period, period * self.growth
        return _cosine(max(0.0, epoch) / period, 1.0, self.final)


@schedules.register("one-cycle")
@dataclass(frozen=True)
class OneCycleSchedule(Schedule):
    """Up to the full rate and down again (Smith and Topin, Super-Convergence, 2018).

    The rate starts at 1/``start`` of its peak, is there after the share ``peak`` of all steps, and ends at 1/``end``
    of where it started. Momentum stays as it is.
    """

    peak: Annotated[float, Range(0, 1, open_low=True, open_high=True)] = 0.3
    start: Annotated[float, Range(1)] = 25.0
    end: Annotated[float, Range(1)] = 1e4
    anneal: Literal["cosine", "linear"] = "cosine"

    def curve(self, progress: PhaseProgress) -> float:
        """The last step has the smallest rate, as in torch's OneCycleLR."""
        last = max(1, progress.steps - 1)
        top = self.peak * progress.steps - 1
        lowest, between = 1 / self.start / self.end, _cosine if self.anneal == "cosine" else _linear
        if top > 0 and progress.step <= top:
            return between(progress.step / top, 1 / self.start, 1.0)
        return between(min(1.0, (progress.step - max(0.0, top)) / max(1e-9, last - max(0.0, top))), 1.0, lowest)


@schedules.register("linear")
@dataclass(frozen=True)
class LinearSchedule(Schedule):
    """Straight down to ``final`` of the rate."""

    final: Fraction = 0.0
    warmup: NonNegative = 0.0

    def curve(self, progress: PhaseProgress) -> float:
        """From 1 at the first step towards ``final`` after the last."""
        return _linear(progress.step / progress.steps, 1.0, self.final)


@schedules.register("step")
@dataclass(frozen=True)
class StepSchedule(Schedule):
    """The rate times ``factor`` every ``every`` epochs, or after the epochs of ``at``."""

    every: Count = 10
    factor: RateFactor = 0.1
    at: tuple[Count, ...] | None = None
    warmup: NonNegative = 0.0

    def curve(self, progress: PhaseProgress) -> float:
        """A staircase."""
        drops = int(progress.epoch // self.every) if self.at is None else sum(progress.epoch >= e for e in self.at)
        return self.factor**drops


@schedules.register("exponential")
@dataclass(frozen=True)
class ExponentialSchedule(Schedule):
    """The rate times ``factor`` each epoch, smoothly."""

    factor: RateFactor = 0.9
    warmup: NonNegative = 0.0

    def curve(self, progress: PhaseProgress) -> float:
        """``factor`` to the power of the epochs done."""
        return float(self.factor**progress.epoch)


@schedules.register("plateau")
@dataclass(frozen=True)
class PlateauSchedule(Schedule):
    """The rate times ``factor`` whenever the selection metric has not improved for ``patience`` epochs."""

    factor: RateFactor = 0.1
    patience: Count = 5
    threshold: NonNegative = 0.0
    warmup: NonNegative = 0.0

    def curve(self, progress: PhaseProgress) -> float:
        """Worked out anew from the history each time."""
        best, waited, drops = -math.inf, 0, 0
        for value in progress.history:
            if value > best + self.threshold:
                best, waited = value, 0
            else:
                waited += 1
            if waited >= self.patience:
                drops, waited = drops + 1, 0
        return self.factor**drops


def _cosine(share: float, start: float, end: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _linear(share: float, start: float, end: float) -> float:
    return start + (end - start) * share
