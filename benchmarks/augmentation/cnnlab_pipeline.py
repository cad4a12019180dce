"""cnnlab: the pipeline on batches of bytes, as the training loop calls it; and the bare kernel it ends in."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import torch
import torch.nn.functional as F
from batches import DEGREES, FLIP, SHEAR, SHIFT, ZOOM, Job, answer, check, rates
from torch import Tensor

from cnnlab import augment
from cnnlab.core.memory import ask_for_large_pages, kept_between_steps

SPEC = f"flip(p={FLIP})|rotate({DEGREES})|shift({SHIFT})|shear({SHEAR})|zoom({ZOOM})"


def batches(job: Job, images: Tensor) -> Iterator[Tensor]:
    """Gathered from memory, then augmented."""
    pipeline = augment.pipeline(SPEC)
    parts = torch.arange(len(images)).split(job.batch)
    for step in count():
        ids = parts[step % len(parts)]
        batch = images.index_select(0, ids.to(images.device))
        yield pipeline(batch, {}, seed=0, epoch=0, step=step, ids=ids)[0]


def bare(images: Tensor, padding: str) -> Iterator[Tensor]:
    """``grid_sample`` on floats and places that are there already."""
    info = augment.Info(len(images), tuple(images.shape[1:]), 0, torch.arange(len(images)))
    drawn = augment.pipeline(SPEC).draw(torch.Generator().manual_seed(0), info)
    grid = F.affine_grid(_normalised(drawn[0]["matrix"], images).to(images.device), images.shape, align_corners=False)
    pixels = images.float() / 255
    while True:
        yield F.grid_sample(pixels, grid, padding_mode=padding, align_corners=False)


def _normalised(matrix: Tensor, images: Tensor) -> Tensor:
    """From pixels to the half-widths of ``affine_grid``."""
    height, width = images.shape[-2:]
    half = torch.tensor([width / 2, height / 2, 1])
    return matrix * half / half[:2, None]


def measure(job: Job) -> dict[str, Any]:
    ask_for_large_pages()
    images = torch.from_numpy(job.random_images()).to(job.device)
    wait: Callable[[], object] = torch.cuda.synchronize if job.device.startswith("cuda") else lambda: None
    check(next(batches(job, images)).cpu(), job)
    with kept_between_steps():
        found = {"images_per_second": rates(batches(job, images), job, wait), "threads": torch.get_num_threads()}
        kernel = {padding: rates(bare(images[: job.batch], padding), job, wait) for padding in ("reflection", "zeros")}
    return found | {"grid_sample": kernel}


if __name__ == "__main__":
    answer(measure, ("cnnlab", "torch"))
