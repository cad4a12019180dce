"""An epoch of training with augmentation beside one without: ``cnnlab.train`` with both, in turns."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from batches import Job, answer

import cnnlab
from cnnlab.core.messages import quietly

SPEC = "flip|rotate(30)|shift(0.1)|shear(10)|zoom(0.2)|brightness|contrast|erase"
IMAGES = 10_240
ROUNDS, EPOCHS = 4, 2


def train(job: Job, spec: str, runs: Path, precision: str | None) -> tuple[list[float], str]:
    """Seconds of the steps of each epoch after the first, and the precision that was computed in."""
    source = np.random.default_rng(0)
    images = source.integers(0, 256, (IMAGES, *job.shape[1:], job.shape[0]), dtype=np.uint8)
    chosen = {} if precision is None else {"precision": precision}
    run = cnnlab.train(
        data=(images, source.integers(0, 10, IMAGES)),
        model="vgg-like",
        augment=spec,
        validation=0,
        test=0,
        epochs=1 + EPOCHS,
        batch_size=job.batch,
        device=job.device,
        runs=runs,
        again=True,
        **chosen,
    )
    return [float(seconds) for seconds in run.history["seconds"][1:]], run.info["execution"]["precision"]


def measure(job: Job) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {"none": [], SPEC: []}
    precision = None
    with tempfile.TemporaryDirectory() as folder, quietly():
        for _ in range(ROUNDS):
            for spec, found in seconds.items():
                epochs, precision = train(job, spec, Path(folder), precision)
                found += epochs
    return {"seconds": seconds, "images": IMAGES, "precision": precision, "threads": torch.get_num_threads()}


if __name__ == "__main__":
    answer(measure, ("cnnlab", "torch"))
