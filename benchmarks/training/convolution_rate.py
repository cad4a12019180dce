"""The best rate at which torch convolves here in a format, over 3×3 convolutions of the shapes that networks have.

Channels-last, batch of the job, multiplication and addition counted as two. ``forward``: the convolution alone.
``training``: forward, gradient of the pictures and gradient of the weights, which is three times the work.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from job import Job, answer

SHAPES = [(32, 32), (64, 16), (64, 32), (128, 8), (128, 16), (128, 32), (256, 8), (256, 16), (512, 8), (512, 16)]
"""Channels in and out, and the height and width."""
SECONDS = 0.5


def best_seconds(function: Callable[[], object], device: torch.device) -> float:
    """The fastest call within about half a second, after a first one."""
    function()
    best, until = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        began = time.perf_counter()
        function()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - began)
    return best


def rate(batch: int, channels: int, size: int, device: torch.device, dtype: torch.dtype) -> dict[str, float]:
    """Operations a second of one shape, forward and in training."""
    options: dict[str, Any] = {"dtype": dtype, "device": device}
    random_images = torch.randn(batch, channels, size, size, **options).contiguous(memory_format=torch.channels_last)
    weights = torch.randn(channels, channels, 3, 3, **options).contiguous(memory_format=torch.channels_last)
    operations = 2 * batch * size * size * 9 * channels * channels
    gradient = torch.randn_like(random_images)
    inputs = [random_images.clone().requires_grad_(), weights.clone().requires_grad_()]

    def forward() -> None:
        with torch.no_grad():
            F.conv2d(random_images, weights, padding=1)

    def training() -> None:
        torch.autograd.grad(F.conv2d(*inputs, padding=1), inputs, gradient)

    return {
        "channels": channels,
        "size": size,
        "forward": operations / best_seconds(forward, device),
        "training": 3 * operations / best_seconds(training, device),
    }


def measure(job: Job) -> dict[str, Any]:
    device = torch.device(job.device)
    dtype = getattr(torch, job.precision)
    found = [rate(job.batch_size, channels, size, device, dtype) for channels, size in SHAPES]
    best = {way: max(row[way] for row in found) for way in ("forward", "training")}
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {"shapes": found, "best": best, "device_name": name, "threads": torch.get_num_threads()}


if __name__ == "__main__":
    answer(measure, ("torch",))
