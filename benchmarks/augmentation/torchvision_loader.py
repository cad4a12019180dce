"""torchvision v2: a transform for each picture inside a ``DataLoader``, as its documentation has it.

The five operations are a mirroring and one ``RandomAffine``, which is the quickest way there; slanting is sideways.
Measured on tensors and on Pillow pictures, with and without worker processes; the best counts.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from batches import DEGREES, FLIP, SHEAR, SHIFT, ZOOM, Job, answer, check, rates
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision.transforms import v2

sys.path.append(str(Path(__file__).parents[1]))

from machine import usable_cores

_ENDLESS = 10**8


class ImageDataset(Dataset[Tensor]):
    """Pictures in memory, as tensors or as Pillow has them, each transformed when it is asked for."""

    def __init__(self, pixels: Tensor, as_pillow: bool) -> None:
        self.random_images: Any = [_pillow(image) for image in pixels] if as_pillow else pixels
        self.transform = v2.Compose(
            [
                v2.RandomHorizontalFlip(FLIP),
                v2.RandomAffine(
                    DEGREES,
                    translate=(SHIFT, SHIFT),
                    scale=(1 - ZOOM, 1 + ZOOM),
                    shear=SHEAR,
                    interpolation=v2.InterpolationMode.BILINEAR,
                ),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
            ]
        )

    def __len__(self) -> int:
        return len(self.random_images)

    def __getitem__(self, index: int) -> Tensor:
        result: Tensor = self.transform(self.random_images[index])
        return result


def _pillow(image: Tensor) -> Image.Image:
    values = image.permute(1, 2, 0).numpy()
    return Image.fromarray(values.squeeze(-1) if values.shape[-1] == 1 else values)


def _endless(random_images: ImageDataset, job: Job, workers: int) -> Iterator[Tensor]:
    sampler = RandomSampler(random_images, replacement=True, num_samples=_ENDLESS)
    yield from DataLoader(random_images, job.batch, sampler=sampler, num_workers=workers)


def measure(job: Job) -> dict[str, Any]:
    pixels = torch.from_numpy(job.random_images())
    ways = {}
    for kind in ("tensor", "pillow"):
        random_images = ImageDataset(pixels, kind == "pillow")
        for workers in (0, usable_cores()):
            batches = _endless(random_images, job, workers)
            check(next(batches), job)
            ways[f"{kind}, {workers} workers"] = rates(batches, job)
            batches.close()  # type: ignore[attr-defined]
    return {"ways": ways, "threads": torch.get_num_threads()}


if __name__ == "__main__":
    answer(measure, ("torchvision", "torch", "pillow"))
