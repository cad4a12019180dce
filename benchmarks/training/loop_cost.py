"""What the loop itself costs: everything in an epoch of cnnlab that is neither forward, backward nor optimiser.

One process, two ways. ``inside``: epochs of ``cnnlab.train`` with a clock at the start and end of every forward
pass, backward pass and optimiser step; the rest is the loop's. ``beside``: after each epoch the same batches are
taken through a copy of the network by nothing but the three, and the two times are compared.
"""

import copy
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from first_epochs import train_first_epochs
from job import Job, answer
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

import cnnlab


class Spans:
    """The seconds spent between the starts and ends of something, waiting for the device at both."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.seconds, self.began = device, 0.0, 0.0

    def start(self, *_: Any) -> None:
        """The clock goes on."""
        self.began = self._now()

    def stop(self, *_: Any) -> None:
        """And stands."""
        self.seconds += self._now() - self.began

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with the clock running inside it."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            self.start()
            try:
                return function(*args, **kwargs)
            finally:
                self.stop()

        return timed

    def take(self) -> float:
        """The seconds so far, and starts from nothing."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


class Beside:
    """Forward, backward and optimiser alone, on the batches of an epoch."""

    def __init__(self, job: Job, classifier: nn.Module, precision: str) -> None:
        self.job, self.device, self.precision = job, torch.device(job.device), precision
        images, labels = job.random_images()
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(self.device)
        self.labels = torch.from_numpy(labels).to(self.device)
        self.classifier = copy.deepcopy(classifier).train()
        weights = self.classifier.parameters()
        self.optimizer = torch.optim.SGD(weights, lr=0.01, momentum=0.9, nesterov=True, fused=True)

    def epoch(self, images: int | None = None) -> float:
        """Seconds of the three over one epoch, or a part of it; the batches are made while the clock stands."""
        spans = Spans(self.device)
        for indices in torch.randperm(self.job.images)[:images].split(self.job.batch_size):
            there = indices.to(self.device)
            pixels = self.images.index_select(0, there).float().div_(255)
            pixels = pixels.contiguous(memory_format=torch.channels_last)
            labels = self.labels.index_select(0, there)
            spans.start()
            self.step(pixels, labels)
            spans.stop()
        return spans.seconds

    def step(self, pixels: Tensor, labels: Tensor) -> None:
        """The three, once."""
        is_short = self.precision != "float32"
        with torch.autocast(self.device.type, getattr(torch, self.precision), enabled=is_short):
            outputs = self.classifier(pixels)
        F.cross_entropy(outputs, labels).backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


class Watch:
    """A callback that notes, for each epoch after the first, its seconds and those of the three, inside and beside."""

    def __init__(self, job: Job) -> None:
        self.job, self.spans = job, Spans(torch.device(job.device))
        self.beside: Beside | None = None
        self.rows: list[dict[str, float]] = []
        self.resumed = 0.0

    def __call__(self, end: Any) -> None:
        """At the end of an epoch."""
        now = time.perf_counter()
        inside = self.spans.take()
        if self.beside is None:
            self._begin(end)
            assert self.beside is not None
            self.beside.epoch(5 * self.job.batch_size)
        else:
            row = {"epoch": now - self.resumed, "steps": end.row["seconds"], "inside": inside}
            self.rows.append(row | {"beside": self.beside.epoch()})
        self.spans.take()
        self.resumed = time.perf_counter()

    def _begin(self, end: Any) -> None:
        precision = cnnlab.Run(end.folder).info["execution"]["precision"]
        self.beside = Beside(self.job, end.classifier, precision)
        end.classifier.register_forward_pre_hook(self.spans.start)
        end.classifier.register_forward_hook(self.spans.stop)
        register_optimizer_step_pre_hook(self.spans.start)
        register_optimizer_step_post_hook(self.spans.stop)
        torch.Tensor.backward = self.spans.around(torch.Tensor.backward)  # type: ignore[method-assign]


def measure(job: Job) -> dict[str, Any]:
    watch = Watch(job)
    info = train_first_epochs(job, watch)
    median = {key: statistics.median(row[key] for row in watch.rows) for key in watch.rows[0]}
    return {
        "epochs": watch.rows,
        "inside": _median_share(watch.rows, "inside"),
        "beside": _median_share(watch.rows, "beside"),
        "whole": statistics.median(1 - row["inside"] / row["epoch"] for row in watch.rows),
        "end_of_epoch_seconds": median["epoch"] - median["steps"],
        "execution": info["execution"],
        "precision_choice": info["precision_choice"],
    }


def _median_share(rows: list[dict[str, float]], way: str) -> float:
    """The share of an epoch's steps that is the loop's own."""
    return statistics.median(1 - row[way] / row["steps"] for row in rows)


if __name__ == "__main__":
    answer(measure, ("cnnlab", "torch", "numpy"))
