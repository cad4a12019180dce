"""Memory that batches share is never seen in their results, and places far outside are folded back rightly."""

import threading

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from cnnlab.augment import buffers
from cnnlab.augment.padding import Fill
from cnnlab.augment.resampling import resample

REFLECT = Fill("reflect")


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def matrices(seed: int, count: int, scale: float, far: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    linear = torch.eye(2) * scale + 0.3 * (torch.rand(count, 2, 2, generator=generator) - 0.5)
    return torch.cat([linear, far * (torch.rand(count, 2, 1, generator=generator) - 0.5)], 2)


def expected(images: torch.Tensor, seen_through: torch.Tensor) -> np.ndarray:
    """scipy's ``reflect`` repeats the edge pixel, as a mirror at the picture's edge does."""
    height, width = images.shape[-2:]
    y, x = np.meshgrid(np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij")
    result = np.empty(tuple(images.shape))
    for image, matrix, target in zip(images.double().numpy() / 255, seen_through.double().numpy(), result, strict=True):
        places = [
            matrix[row, 0] * x + matrix[row, 1] * y + matrix[row, 2] + middle
            for row, middle in ((1, (height - 1) / 2), (0, (width - 1) / 2))
        ]
        for channel, plane in enumerate(image):
            target[channel] = map_coordinates(plane, places, order=1, mode="reflect")
    return result


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.5, 4.0, 9.0])
@pytest.mark.parametrize("far", [0.0, 30.0])
def test_places_however_far_outside_are_those_of_scipy(scale: float, far: float) -> None:
    images, seen_through = noise(0, 6, 2, 9, 12), matrices(1, 6, scale, far)
    resampled = resample(images, seen_through, REFLECT)
    np.testing.assert_allclose(resampled.numpy(), expected(images, seen_through), atol=1e-3)


def test_no_rounding_leaves_the_range() -> None:
    white = torch.full((64, 1, 16, 16), 255, dtype=torch.uint8)
    resampled = resample(white, matrices(2, 64, 1.3, 5.0), REFLECT)
    assert resampled.max() <= 1 and resampled.min() > 1 - 1e-5


def test_the_next_batch_leaves_results_as_they_are() -> None:
    first = resample(noise(0, 8, 3, 16, 16), matrices(0, 8, 1.2, 4.0), REFLECT)
    kept = first.clone()
    resample(noise(1, 8, 3, 16, 16), matrices(1, 8, 1.2, 4.0), REFLECT)
    torch.testing.assert_close(first, kept, rtol=0, atol=0)


def test_a_smaller_batch_after_a_larger_one_comes_out_as_by_itself() -> None:
    images, seen_through = noise(3, 4, 3, 16, 16), matrices(3, 4, 1.2, 4.0)
    alone = resample(images, seen_through, REFLECT)
    resample(noise(4, 64, 3, 32, 32), matrices(4, 64, 1.2, 4.0), REFLECT)
    torch.testing.assert_close(resample(images, seen_through, REFLECT), alone, rtol=0, atol=0)


def test_threads_do_not_share_memory() -> None:
    addresses = []
    gate = threading.Barrier(2)

    def take() -> None:
        addresses.append(buffers.take_buffer("pixels", (64,), torch.device("cpu")).data_ptr())
        gate.wait()

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(addresses)) == 2


def test_memory_taken_in_inference_mode_serves_training_too() -> None:
    images, seen_through = noise(5, 90, 3, 16, 16), matrices(5, 90, 1.2, 4.0)

    def both() -> None:
        with torch.inference_mode():
            resample(images, seen_through, REFLECT)
        resample(images, seen_through, REFLECT)

    # A thread of its own has no memory yet.
    errors: list[BaseException] = []
    thread = threading.Thread(target=lambda: _caught(both, errors))
    thread.start()
    thread.join()
    assert errors == []


def _caught(run: "object", errors: list[BaseException]) -> None:
    try:
        run()  # type: ignore[operator]
    except BaseException as error:
        errors.append(error)
