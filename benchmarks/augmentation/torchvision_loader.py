"""torchvision v2: a transform for each picture inside a ``DataLoader``, as its documentation has it.

The five operations are a mirroring and one ``RandomAffine``, which is the quickest way there; slanting is sideways.
Measured on tensors and on Pillow pictures, with and without worker processes; the best counts.
"""

from collections.abc import Iterator
from typing import Any

import torch
from batches import DEGREES, FLIP, SHEAR, SHIFT, ZOOM, Job, answer, check, rates, usable_cores
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision.transforms import v2

_ENDLESS = 10**8


class Pictures(Dataset[Tensor]):
    """Pictures in memory, as tensors or as Pillow has them, each transformed when it is asked for."""

    def __init__(self, images: Tensor, as_pillow: bool) -> None:
        self.pictures: Any = [_pillow(image) for image in images] if as_pillow else images
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
        return len(self.pictures)

    def __getitem__(self, index: int) -> Tensor:
        result: Tensor = self.transform(self.pictures[index])
        return result


def _pillow(image: Tensor) -> Image.Image:
    values = image.permute(1, 2, 0).numpy()
    return Image.fromarray(values.squeeze(-1) if values.shape[-1] == 1 else values)


def _endless(pictures: Pictures, job: Job, workers: int) -> Iterator[Tensor]:
    sampler = RandomSampler(pictures, replacement=True, num_samples=_ENDLESS)
    yield from DataLoader(pictures, job.batch, sampler=sampler, num_workers=workers)


def measure(job: Job) -> dict[str, Any]:
    images = torch.from_numpy(job.pictures())
    ways = {}
    for kind in ("tensor", "pillow"):
        pictures = Pictures(images, kind == "pillow")
        for workers in (0, usable_cores()):
            batches = _endless(pictures, job, workers)
            check(next(batches), job)
            ways[f"{kind}, {workers} workers"] = rates(batches, job)
            batches.close()  # type: ignore[attr-defined]
    return {"ways": ways, "threads": torch.get_num_threads()}


if __name__ == "__main__":
    answer(measure, ("torchvision", "torch", "pillow"))
