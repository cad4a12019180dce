"""kornia: its augmentation of whole batches, a draw for each picture.

Measured as five operations, each a layer, which is what is compared, and with four of them as one ``RandomAffine``;
each also with memory kept from one batch to the next, as cnnlab keeps it in training.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import kornia.augmentation as K
import torch
from batches import DEGREES, FLIP, SHEAR, SHIFT, ZOOM, Job, answer, check, rates
from torch import Tensor, nn

from cnnlab.core.memory import ask_for_large_pages, kept_between_steps

FIVE = "five layers"
_SCALE = (1 - ZOOM, 1 + ZOOM)


def ways() -> dict[str, nn.Module]:
    """The two ways to write it."""
    each = [
        K.RandomHorizontalFlip(p=FLIP),
        K.RandomRotation(DEGREES, p=1.0),
        K.RandomTranslate((-SHIFT, SHIFT), (-SHIFT, SHIFT), p=1.0),
        K.RandomShear((-SHEAR, SHEAR), p=1.0),
        K.RandomAffine(0.0, scale=_SCALE, p=1.0),
    ]
    affine = K.RandomAffine(DEGREES, translate=(SHIFT, SHIFT), scale=_SCALE, shear=(-SHEAR, SHEAR), p=1.0)
    return {
        FIVE: K.AugmentationSequential(*each, data_keys=["input"]),
        "one affine": K.AugmentationSequential(K.RandomHorizontalFlip(p=FLIP), affine, data_keys=["input"]),
    }


def _batches(job: Job, images: Tensor, way: nn.Module) -> Iterator[Tensor]:
    parts = torch.arange(len(images), device=images.device).split(job.batch)
    for step in count():
        yield way(images.index_select(0, parts[step % len(parts)]).float().div_(255))


def measure(job: Job) -> dict[str, Any]:
    ask_for_large_pages()
    images = torch.from_numpy(job.random_images()).to(job.device)
    wait: Callable[[], object] = torch.cuda.synchronize if job.device.startswith("cuda") else lambda: None
    found = {}
    with torch.no_grad():
        for name, way in ways().items():
            check(next(_batches(job, images, way)).cpu(), job)
            found[name] = rates(_batches(job, images, way), job, wait)
            with kept_between_steps():
                found[f"{name}, memory kept"] = rates(_batches(job, images, way), job, wait)
    return {"ways": found, "counts": FIVE, "threads": torch.get_num_threads()}


if __name__ == "__main__":
    answer(measure, ("kornia", "torch"))
