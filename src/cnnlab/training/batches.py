"""Batches for the loop: the order of each epoch, and the pictures gathered in time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cnnlab.core.seeds import generator
from cnnlab.core.threads import map_ahead
from cnnlab.data import ImageSet
from cnnlab.objectives import Targets

# On an accelerator the whole set is kept there when it takes at most this share of the free memory.
_SHARE_OF_DEVICE = 0.5


@dataclass(frozen=True)
class Batch:
    """Some pictures with their places in the set: uint8 N×C×H×W and targets, on the device.

    :param part: which of them are there, where this is not the only device; ``indices`` are always of all.
    """

    indices: Tensor
    images: Tensor
    targets: Targets
    part: slice | None = None


class BatchLoader:
    """Gives the batches of an image set, from memory where it lies there, else by threads that read ahead."""

    def __init__(self, images: ImageSet, device: torch.device, workers: int) -> None:
        self.images, self.device, self.workers = images, device, workers
        pixels = images.pixels()
        self.pixels = None if pixels is None else placed(pixels, device)
        self.targets = {name: column.to(device) for name, column in images.targets.items()}

    def batches(self, indices: Tensor, size: int, part_of: Callable[[int], slice] | None = None) -> Iterator[Batch]:
        """The pictures at ``indices`` in this order, ``size`` at a time, the last batch perhaps smaller.

        :param part_of: which of so many pictures of a batch are gathered; all of them unless given.
        """
        chunks = torch.split(indices, max(1, min(size, len(indices))))
        if part_of is not None:
            return self._parts(chunks, [part_of(len(chunk)) for chunk in chunks])
        return self._gathered(chunks)

    def _gathered(self, chunks: Sequence[Tensor]) -> Iterator[Batch]:
        return map(self._gather, chunks) if self.pixels is not None else self._read_ahead(chunks)

    def _parts(self, chunks: Sequence[Tensor], parts: Sequence[slice]) -> Iterator[Batch]:
        own = self._gathered([chunk[part] for chunk, part in zip(chunks, parts, strict=True)])
        for chunk, part, batch in zip(chunks, parts, own, strict=True):
            yield replace(batch, indices=chunk, part=part)

    def _gather(self, indices: Tensor) -> Batch:
        assert self.pixels is not None
        if self.device.type == "cpu":
            return self._batch(indices, self.images.batch(indices)[0])
        there = indices.to(self.pixels.device)
        images = self.pixels.index_select(0, there).to(self.device, non_blocking=True)
        return self._batch(indices, images)

    def _batch(self, indices: Tensor, images: Tensor) -> Batch:
        there = indices.to(self.device)
        return Batch(indices, images, {name: c.index_select(0, there) for name, c in self.targets.items()})

    def _read_ahead(self, chunks: Sequence[Tensor]) -> Iterator[Batch]:
        with closing(map_ahead(lambda chunk: self.images.batch(chunk)[0], chunks, self.workers)) as read:
            for chunk, images in zip(chunks, read, strict=True):
                yield self._batch(chunk, images.to(self.device, non_blocking=True))


def epoch_order(size: int, seed: int, epoch: int, weights: Tensor | None = None) -> Tensor:
    """The order of one epoch's samples: a permutation, or draws with replacement by ``weights``."""
    source = generator(seed, "order", epoch)
    if weights is None:
        return torch.randperm(size, generator=source)
    return torch.multinomial(weights, size, replacement=True, generator=source)


def epoch_steps(samples: int, batch_size: int) -> int:
    """Steps of an epoch. A last batch of one picture is left out, for it has no variance to normalise by."""
    whole, rest = divmod(samples, batch_size)
    return whole + (rest > 1 or (rest == 1 and whole == 0))


def placed(pixels: Tensor, device: torch.device) -> Tensor:
    """The pixels of a set where they are gathered from: on an accelerator, where they leave it enough memory."""
    if device.type != "cuda":
        return pixels if device.type == "cpu" else pixels.to(device)
    free, _ = torch.cuda.mem_get_info(device)
    fits = pixels.numel() * pixels.element_size() < _SHARE_OF_DEVICE * free
    return pixels.to(device) if fits else pixels.pin_memory()
