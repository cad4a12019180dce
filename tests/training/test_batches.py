import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnlab.data import Dataset, ImageSet, TensorImages
from cnnlab.runs import Run
from cnnlab.training.batches import BatchLoader, epoch_order

Trained = Callable[..., Run]

CPU = torch.device("cpu")
CLASSES = {"label": ("a", "b", "c")}


class Mapped(ImageSet):
    """Pictures in a file, read through a memory map."""

    def __init__(self, path: Path, pixels: np.ndarray, targets: dict[str, Tensor]) -> None:
        super().__init__(len(pixels), pixels.shape[1:], targets, CLASSES)
        np.save(path, pixels)
        self.map = np.load(path, mmap_mode="r")

    def _images(self, indices: Tensor) -> Tensor:
        return torch.from_numpy(self.map[indices.numpy()].copy())


class Watched(TensorImages):
    """Pictures that claim not to be in memory, and tell who read what."""

    def __init__(self, count: int, delay: Callable[[int], float] = lambda first: 0.0) -> None:
        pixels = torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous()
        super().__init__(pixels, {"label": torch.arange(count) % 3}, CLASSES)
        self.delay, self.reads, self.threads = delay, [], set()

    def pixels(self) -> Tensor | None:
        return None

    def batch(self, indices: Any) -> tuple[Tensor, dict[str, Tensor]]:
        time.sleep(self.delay(int(indices[0])))
        self.reads.append(indices.tolist())
        self.threads.add(threading.current_thread().name)
        return super().batch(indices)


def content(count: int, seed: int) -> tuple[np.ndarray, dict[str, Tensor]]:
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (count, 1, 6, 6), np.uint8), {"label": torch.from_numpy(draw.integers(0, 3, count))}


def test_batches_hold_what_was_asked_for_in_that_order() -> None:
    pixels, targets = content(20, 0)
    loader = BatchLoader(TensorImages(torch.from_numpy(pixels), targets, CLASSES), CPU, workers=1)
    indices = torch.tensor([7, 3, 3, 19, 0])
    batches = list(loader.batches(indices, 2))
    assert [batch.indices.tolist() for batch in batches] == [[7, 3], [3, 19], [0]]
    assert torch.equal(torch.cat([batch.images for batch in batches]), torch.from_numpy(pixels)[indices])
    assert torch.equal(torch.cat([batch.targets["label"] for batch in batches]), targets["label"][indices])
    assert {batch.images.dtype for batch in batches} == {torch.uint8}


@pytest.mark.parametrize("workers", [1, 3])
def test_what_is_read_ahead_comes_in_order(workers: int) -> None:
    # The earlier a batch, the longer it takes to read.
    images = Watched(40, delay=lambda first: 0.002 * (40 - first) / 40)
    indices = torch.arange(40)
    batches = list(BatchLoader(images, CPU, workers).batches(indices, 3))
    assert torch.equal(torch.cat([batch.indices for batch in batches]), indices)
    assert torch.equal(torch.cat([batch.images for batch in batches])[:, 0, 0, 0], indices.to(torch.uint8))
    assert torch.equal(torch.cat([batch.targets["label"] for batch in batches]), indices % 3)
    assert sorted(i for read in images.reads for i in read) == list(range(40))
    assert all(name.startswith("cnnlab-read") for name in images.threads)


def test_reading_ahead_keeps_within_bounds() -> None:
    images, before = Watched(40), set(threading.enumerate())
    batches = BatchLoader(images, CPU, workers=2).batches(torch.arange(40), 1)
    next(batches)
    # Two batches a worker are read while they wait, and one was handed over; then nothing more.
    deadline = time.monotonic() + 100
    while len(images.reads) < 5:
        assert time.monotonic() < deadline, f"only {len(images.reads)} batches were read"
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(images.reads) == 5
    assert {thread.name[:11] for thread in set(threading.enumerate()) - before} == {"cnnlab-read"}
    batches.close()  # type: ignore[attr-defined]
    assert not set(threading.enumerate()) - before


def test_an_error_while_reading_reaches_the_loop() -> None:
    class Broken(Watched):
        def batch(self, indices: Any) -> tuple[Tensor, dict[str, Tensor]]:
            if 6 in indices.tolist():
                raise OSError("the disk is gone")
            return super().batch(indices)

    batches = BatchLoader(Broken(10), CPU, workers=2).batches(torch.arange(10), 2)
    assert [next(batches).indices.tolist() for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)


def test_a_memory_map_trains_as_memory_does_to_the_bit(small_run: Trained, tmp_path: Path) -> None:
    parts = {name: content(count, seed) for seed, (name, count) in enumerate({"train": 90, "test": 30}.items())}
    in_memory = {name: TensorImages(torch.from_numpy(x), y, CLASSES) for name, (x, y) in parts.items()}
    mapped = {name: Mapped(tmp_path / f"{name}.npy", x, y) for name, (x, y) in parts.items()}
    assert all(images.pixels() is None for images in mapped.values())
    runs = [
        small_run(
            data=Dataset("noise", kind["train"], None, kind["test"]),
            subset=None,
            validation=0,
            test=None,
            augment="shift(0.2)",
            workers=2,
            runs=tmp_path / place,
        )
        for place, kind in (("memory", in_memory), ("mapped", mapped))
    ]
    assert runs[0].digest == runs[1].digest
    for name in ("model.safetensors", "predictions/test.safetensors"):
        assert (runs[0].folder / name).read_bytes() == (runs[1].folder / name).read_bytes()


def test_an_epoch_is_a_permutation_of_its_own() -> None:
    orders = [epoch_order(100, seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(indices) == list(range(100)) for indices in orders)
    assert len(set(map(tuple, orders))) == 4
    assert orders[1] == epoch_order(100, 0, 1).tolist()


def test_draws_by_weight_repeat_what_is_rare() -> None:
    weights = torch.tensor([1.0] * 90 + [9.0] * 10, dtype=torch.float64)
    drawn = torch.cat([epoch_order(100, 0, epoch, weights) for epoch in range(50)])
    assert len(drawn) == 5000
    rare = float((drawn >= 90).double().mean())
    # Half of 5,000 draws, give or take six standard deviations.
    assert abs(rare - 0.5) < 6 * (0.25 / 5000) ** 0.5
