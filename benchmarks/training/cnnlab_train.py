"""cnnlab at its defaults, through ``cnnlab.train`` as a person calls it.

An epoch is counted from the end of the one before it to its own: data, steps, the record of every step, the history
and the checkpoint at its end. There is no validation split.
"""

import tempfile
import time
from typing import Any

import numpy as np
import torch
from job import Job, answer, rates
from torch import Tensor, nn

import cnnlab
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
    weights: list[int] = []

    def at_end(end: Any) -> None:
        ends.append(time.perf_counter())
        weights.append(sum(p.numel() for p in end.classifier.parameters()))

    with tempfile.TemporaryDirectory() as runs:
        run = cnnlab.train(
            data=job.random_images(),
            model=job.net,
            validation=0,
            test=0,
            epochs=1 + job.epochs,
            batch_size=job.batch_size,
            optimizer="sgd(lr=0.01, momentum=0.9, nesterov=true)",
            device=job.device,
            runs=runs,
            callbacks=[at_end],
        )
        steps = run.history["images_per_second"].tolist()[1:]
        execution, code = run.info["execution"], run.info["environment"]["code"]
    return {
        "images_per_second": rates(job.images, np.diff(ends).tolist()),
        "images_per_second_of_steps": steps,
        "weights": weights[0],
        "threads": execution["threads"],
        "execution": execution,
        "code": code,
        "multiply_adds": multiply_adds(job),
    }


if __name__ == "__main__":
    answer(measure, ("cnnlab", "torch", "numpy"))
