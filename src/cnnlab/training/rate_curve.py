"""What is read off the losses of steps at growing learning rates: which of the rates suit.

Smith, Cyclical Learning Rates for Training Neural Networks (2017), section 3.3, with the exponential growth and the
smoothing that fast.ai made customary.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cnnlab.core.displays import html_facts
from cnnlab.core.errors import TrainingError
from cnnlab.core.number_text import counted

FEWEST = 10
"""Steps from which a curve can be read."""
_MEMORY = 0.9
_STRETCH = 10
_CLOSE = 0.05


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


def growing_rates(lowest: float, highest: float, steps: int) -> list[float]:
    """A rate for each step, from the lowest to the highest by one factor."""
    return [lowest * (highest / lowest) ** (step / (steps - 1)) for step in range(steps)]


def suggest_lr(rates: list[float], losses: list[float]) -> LRRangeTest:
    """Reads rates and losses: smooths, finds the steepest and the lowest point, and suggests a rate."""
    if len(losses) < FEWEST:
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


def _smooth(losses: list[float]) -> Iterator[float]:
    average = 0.0
    for step, loss in enumerate(losses, start=1):
        average = _MEMORY * average + (1 - _MEMORY) * loss
        # Without this division the first values would lean towards the 0 that the average starts from.
        yield average / (1 - _MEMORY**step)
