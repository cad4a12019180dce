"""A bare PyTorch loop: what is left when everything but data, forward, backward and optimiser is taken away.

It makes the choices that cnnlab makes by itself (channels-last, bfloat16 autocast, a fused optimiser, pictures where
the network is), so that the difference is the cost of the laboratory around the loop.
"""

import time
from typing import Any

import torch
import torch.nn.functional as F
from job import Job, answer, rates
from torch import Tensor, nn


def vgg_like(shape: tuple[int, int, int]) -> nn.Sequential:
    """Nine convolutions with batch normalisation, a pool after each group, two dense layers."""
    height, width, inputs = shape
    parts: list[nn.Module] = []
    for filters in ((32, 32), (64, 64), (128, 128), (256, 256, 256)):
        for count in filters:
            parts += [nn.Conv2d(inputs, count, 3, padding=1, bias=False), nn.BatchNorm2d(count), nn.ReLU()]
            inputs = count
        parts += [nn.MaxPool2d(2)]
        height, width = height // 2, width // 2
    return nn.Sequential(*parts, *head(inputs * height * width, 512))


def convnet(shape: tuple[int, int, int]) -> nn.Sequential:
    """Four convolutions, pools that round up, two dense layers."""
    height, width, inputs = shape
    parts: list[nn.Module] = []
    for filters in ((64,), (128,), (256, 256)):
        for count in filters:
            parts += [nn.Conv2d(inputs, count, 3, padding=1), nn.ReLU()]
            inputs = count
        parts += [nn.MaxPool2d(2, ceil_mode=True)]
        height, width = -(-height // 2), -(-width // 2)
    return nn.Sequential(*parts, *head(inputs * height * width, 1024))


def head(inputs: int, units: int) -> list[nn.Module]:
    dense = [nn.Linear(inputs, units), nn.ReLU(), nn.Linear(units, units), nn.ReLU()]
    return [nn.Flatten(), *dense, nn.Linear(units, 10)]


class Loop:
    """The whole loop.

    :param job: ``precision`` is ``bfloat16``, or ``default`` for float32.
    """

    def __init__(self, job: Job) -> None:
        self.job, self.device = job, torch.device(job.device)
        torch.manual_seed(0)
        images, labels = job.random_images()
        self.pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(self.device)
        self.labels = torch.from_numpy(labels).to(self.device)
        network = {"vgg-like": vgg_like, "convnet": convnet}[job.net](job.shape)
        self.network = network.to(self.device, memory_format=torch.channels_last)
        weights = self.network.parameters()
        self.optimizer = torch.optim.SGD(weights, lr=0.01, momentum=0.9, nesterov=True, fused=True)

    def epoch(self) -> float:
        """Seconds of one epoch."""
        began = time.perf_counter()
        total = torch.zeros((), device=self.device)
        order = torch.randperm(self.job.images).to(self.device)
        for indices in order.split(self.job.batch_size):
            total += self.step(indices)
        # Reading the sum waits for the device.
        assert total.isfinite().item()
        return time.perf_counter() - began

    def step(self, indices: Tensor) -> Tensor:
        """One step; its loss."""
        pixels = self.pixels.index_select(0, indices).float().div_(255).sub_(0.5).div_(0.25)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.job.precision == "bfloat16"):
            outputs = self.network(pixels)
        loss = F.cross_entropy(outputs.float(), self.labels.index_select(0, indices))
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()


def measure(job: Job) -> dict[str, Any]:
    loop = Loop(job)
    loop.epoch()
    seconds = [loop.epoch() for _ in range(job.epochs)]
    return {
        "images_per_second": rates(job.images, seconds),
        "weights": sum(p.numel() for p in loop.network.parameters()),
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    answer(measure, ("torch", "numpy"))
