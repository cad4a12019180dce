"""Randomness without a state to save: every draw is a pure function of a seed and of what it is for."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive(seed: int, purpose: str, *index: int) -> int:
    """A 63-bit number that depends on all of ``seed``, ``purpose`` and ``index``, by SHA-256."""
    text = "/".join([str(seed), purpose, *map(str, index)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, purpose: str, *index: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one purpose at one place, such as ``generator(seed, "augment", epoch, step)``."""
    return torch.Generator(device).manual_seed(derive(seed, purpose, *index))


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
