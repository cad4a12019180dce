"""cnnlab at its defaults, or in a number format that is asked for.

An epoch is counted from the end of the one before it to its own: data, steps, the record of every step, the history
and the checkpoint at its end. There is no validation split.
"""

import time
from typing import Any

import numpy as np
import torch
from first_epochs import train_first_epochs
from job import Job, answer, rates
from torch import Tensor, nn

from cnnlab import models


def multiply_adds(job: Job) -> int:
    """Multiplications with addition of one picture's way through the convolutions and dense layers."""
    height, width, channels = job.shape
    network = models.build_network(job.net, (channels, height, width), 10).eval()
    counts: list[int] = []

    def count(module: nn.Module, _: Any, output: Tensor) -> None:
        weight = module.weight
        assert isinstance(weight, Tensor)
        places = output[0, 0].numel() if output.dim() == 4 else 1
        counts.append(weight.numel() * places)

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, channels, height, width))
    return sum(counts)


def measure(job: Job) -> dict[str, Any]:
    ends: list[float] = []
    steps: list[float] = []
    weights: list[int] = []

    def at_end(end: Any) -> None:
        ends.append(time.perf_counter())
        steps.append(end.row["images_per_second"])
        weights.append(sum(p.numel() for p in end.classifier.parameters()))

    info = train_first_epochs(job, at_end)
    return {
        "images_per_second": rates(job.images, np.diff(ends).tolist()),
        "images_per_second_of_steps": steps[1:],
        "weights": weights[0],
        "threads": info["execution"]["threads"],
        "execution": info["execution"],
        "precision_choice": info["precision_choice"],
        "code": info["environment"]["code"],
        "multiply_adds": multiply_adds(job),
    }


if __name__ == "__main__":
    answer(measure, ("cnnlab", "torch", "numpy"))
