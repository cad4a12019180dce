"""Randomness without a state to save: every draw is a pure function of a seed and of what it is for."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def derive(seed: int, purpose: str, *index: int) -> int:
    """A 63-bit number that depends on all of ``seed``, ``purpose`` and ``index``, by SHA-256."""
    text = "/".join([str(seed), purpose, *map(str, index)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, purpose: str, *index: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one purpose at one place, such as ``generator(seed, "augment", epoch, step)``."""
    return torch.Generator(device).manual_seed(derive(seed, purpose, *index))


class SampleDraws:
    """Random numbers for some samples of a batch, the same however the batch is split into parts.

    Each draw is made for the whole batch, and a part of it takes its slice.

    :param generator: for what draws by itself; it draws for the whole batch too, as :meth:`among_all` has it.
    :param count: samples of the whole batch.
    :param part: which of them these are; a tensor of their places where they are no stretch.
    :param device: where the numbers are wanted; they are drawn on the processor.
    """

    def __init__(
        self,
        generator: torch.Generator,
        count: int,
        part: slice | Tensor = slice(None),
        device: torch.device | str = "cpu",
    ) -> None:
        self.generator, self.count, self.part, self._device = generator, count, part, device

    def uniform(self, *shape: int) -> Tensor:
        """Numbers from [0, 1), a tensor of this shape for each sample."""
        return self._own(torch.rand(self.count, *shape, generator=self.generator))

    def normal(self, *shape: int) -> Tensor:
        """Numbers of mean 0 and deviation 1, a tensor of this shape for each sample."""
        return self._own(torch.randn(self.count, *shape, generator=self.generator))

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers from 0 to below ``high``, a tensor of this shape for each sample."""
        return self._own(torch.randint(high, (self.count, *shape), generator=self.generator))

    def among_all(self, rows: Tensor) -> Tensor:
        """The rows of these samples at their places in the whole batch, where all others are zeros."""
        if len(rows) == self.count:
            return rows
        whole = rows.new_zeros(self.count, *rows.shape[1:])
        whole[self.part] = rows
        return whole

    def take(self, rows: Tensor) -> "SampleDraws":
        """The draws of some of these samples, by their places among them; it goes on drawing for the whole batch."""
        places = torch.arange(self.count)[self.part][rows.cpu()]
        return SampleDraws(self.generator, self.count, places, self._device)

    def _own(self, drawn: Tensor) -> Tensor:
        return drawn[self.part].to(self._device)


@contextmanager
def scope(seed: int, purpose: str, *index: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """A block in which torch's global generators are seeded for one purpose, and put back afterwards.

    For what takes no generator of its own: dropout, stochastic depth, the constructors of layers.
    """
    device = torch.device(device)
    accelerators = [device] if device.type in ("cuda", "mps") else []
    with torch.random.fork_rng(devices=accelerators, device_type=device.type if accelerators else None):
        number = derive(seed, purpose, *index)
        torch.default_generator.manual_seed(number)
        if device.type == "cuda":
            torch.cuda.default_generators[device.index or 0].manual_seed(number)
        elif device.type == "mps":
            torch.mps.manual_seed(number)
        yield
