"""The first epochs of a training as long as a person's, for a short one is not worth a trial of number formats."""

import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from job import Job

import cnnlab

IMAGES = 600_000
"""Pictures that the recipe goes over at least: ten epochs of MNIST."""


class _MeasuredError(Exception):
    """Leaves a training once all is measured."""


def train_first_epochs(job: Job, at_end: Callable[[Any], object]) -> dict[str, Any]:
    """Trains the warm-up and the epochs of the job, through ``cnnlab.train`` as a person calls it.

    :param at_end: called after each epoch, as a callback of ``cnnlab.train`` is.
    :returns: what ``run.json`` says.
    """
    folders: list[Path] = []
    info: dict[str, Any] = {}

    def callback(end: Any) -> None:
        at_end(end)
        folders.append(end.folder)
        if len(folders) > job.epochs:
            info.update(cnnlab.Run(end.folder).info)
            raise _MeasuredError

    with TemporaryDirectory() as runs, suppress(_MeasuredError):
        cnnlab.train(
            data=job.random_images(),
            model=job.net,
            validation=0,
            test=0,
            epochs=max(1 + job.epochs, math.ceil(IMAGES / job.images)),
            batch_size=job.batch_size,
            optimizer="sgd(lr=0.01, momentum=0.9, nesterov=true)",
            precision="auto" if job.precision == "default" else job.precision,
            device=job.device,
            runs=runs,
            callbacks=[callback],
        )
    return info
