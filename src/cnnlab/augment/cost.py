"""What a pipeline costs: pictures a second for each operation and for all, and the share of an epoch."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cnnlab.augment.ablations import labels
from cnnlab.augment.operation import Shape
from cnnlab.augment.pipeline import Pipeline, pipeline
from cnnlab.core import memory
from cnnlab.core.devices import synchronize
from cnnlab.core.errors import UsageError

ALL = "all together"


@dataclass(frozen=True)
class PipelineCost:
    """Measured times of one batch.

    :param seconds: by operation, and for :data:`ALL`: the median over the repeats.
    :param spread: by operation, the quickest and the slowest repeat.
    :param model_seconds: of one training step of a model on such a batch, where one was measured or given.
    """

    shape: Shape
    batch: int
    repeats: int
    device: str
    threads: int
    seconds: Mapping[str, float]
    spread: Mapping[str, tuple[float, float]]
    model_seconds: float | None = None

    def rate(self, label: str = ALL) -> float:
        """Pictures a second."""
        return self.batch / self.seconds[label]

    @property
    def model_rate(self) -> float | None:
        """Pictures a second of the model alone."""
        return None if self.model_seconds is None else self.batch / self.model_seconds

    def share(self, label: str = ALL) -> float | None:
        """The part of an epoch that goes to augmentation, from 0 to 1; None where no model is known."""
        if self.model_seconds is None:
            return None
        return self.seconds[label] / (self.seconds[label] + self.model_seconds)

    def to_dict(self) -> dict[str, Any]:
        """All that was measured, and what follows from it, as plain values."""
        operations = [
            {
                "operation": label,
                "images_per_second": self.rate(label),
                "seconds": seconds,
                "spread": list(self.spread[label]),
                "share": self.share(label),
            }
            for label, seconds in self.seconds.items()
        ]
        about = {"shape": list(self.shape), "batch": self.batch, "repeats": self.repeats}
        machine = {"device": self.device, "threads": self.threads, "model_images_per_second": self.model_rate}
        return {"operations": operations, **about, **machine}


def cost(
    spec: object,
    shape: Shape,
    *,
    batch: int = 256,
    repeats: int = 9,
    device: str = "cpu",
    model: float | Callable[[Tensor], object] | None = None,
) -> PipelineCost:
    """Times the pipeline on random pictures, operation by operation and whole, the repeats taken in turns.

    Memory is kept from one batch to the next, as in training.

    :param shape: channels, height and width of the pictures.
    :param model: pictures that a model trains on in a second, or a training step to be timed, called with float
        pictures in [0, 1].
    :raises SpecError: when the pipeline cannot be read or does not fit such pictures.
    :raises UsageError: when it is empty.
    """
    memory.ask_for_large_pages()
    whole = pipeline(spec)
    if not len(whole):
        raise UsageError("there is nothing to time, the pipeline is empty; name operations, such as 'flip|rotate(30)'")
    whole.check(shape, soft_targets=True)
    images = torch.randint(0, 256, (batch, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    images, ids = images.to(device), torch.arange(batch)
    parts = {name: Pipeline([step]) for name, step in zip(labels(whole), whole.steps, strict=True)}
    timed = {name: _runner(part, images, ids) for name, part in {**parts, ALL: whole}.items()}
    if callable(model):
        pixels, train = images.float() / 255, model
        timed[_MODEL] = lambda _: train(pixels)
    with memory.kept_between_steps():
        times = _in_turns(timed, repeats, images.device)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    model_seconds = seconds.pop(_MODEL, None if not isinstance(model, int | float) else batch / model)
    spread = {name: (min(times[name]), max(times[name])) for name in seconds}
    return PipelineCost(
        shape, batch, repeats, str(images.device), torch.get_num_threads(), seconds, spread, model_seconds
    )


_MODEL = "model"


def _runner(part: Pipeline, images: Tensor, ids: Tensor) -> Callable[[int], object]:
    return lambda step: part(images, {}, seed=0, epoch=0, step=step, ids=ids)


def _in_turns(
    timed: Mapping[str, Callable[[int], object]], repeats: int, device: torch.device
) -> dict[str, list[float]]:
    """Seconds of each, one after the other in every round, so that a busy moment of the machine hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in timed}
    for step in range(-2, repeats):
        for name, run in timed.items():
            synchronize(device)
            start = time.perf_counter()
            run(step + 2)
            synchronize(device)
            if step >= 0:
                times[name].append(time.perf_counter() - start)
    return times
