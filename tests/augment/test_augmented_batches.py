"""Augmentation does not depend on how many workers read the pictures."""

import torch

import cnnlab
from cnnlab.augment import pipeline
from cnnlab.data import Dataset, TensorImages
from cnnlab.training.batches import BatchLoader

CLASSES = {"label": ("a", "b", "c")}
PIPELINE = "flip|rotate(20)|brightness|shift(0.1)|gamma|salt_and_pepper|mixup(0.2)|erase"


class Unread(TensorImages):
    """Pictures that claim not to be in memory, so that workers read them."""

    def pixels(self):
        return None


def noise(count, seed):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 1, 8, 8), generator=generator, dtype=torch.uint8)
    return Unread(pixels, {"label": torch.arange(count) % 3}, CLASSES)


def test_batches_are_the_same_with_one_worker_and_with_four():
    augment, images, indices = pipeline(PIPELINE), noise(60, 0), torch.randperm(60)
    epochs = [
        [
            augment(
                batch.images,
                {"label": torch.nn.functional.one_hot(batch.targets["label"], 3).float()},
                seed=0,
                epoch=1,
                step=step,
                ids=batch.indices,
            )
            for step, batch in enumerate(BatchLoader(images, torch.device("cpu"), workers).batches(indices, 8))
        ]
        for workers in (1, 4)
    ]
    assert len(epochs[0]) == len(epochs[1]) == 8
    for (alone, targets_of_one), (four, targets_of_four) in zip(*epochs, strict=True):
        assert torch.equal(alone, four)
        assert torch.equal(targets_of_one["label"], targets_of_four["label"])


def test_a_training_is_the_same_to_the_bit_with_one_worker_and_with_four(tmp_path):
    runs = [
        cnnlab.train(
            data=Dataset("noise", noise(90, 0), noise(30, 1), noise(30, 2)),
            model="conv(4)|relu|pool|flatten",
            augment=PIPELINE,
            batch_size=16,
            epochs=2,
            precision="float32",
            device="cpu",
            threads=1,
            workers=workers,
            runs=tmp_path / str(workers),
        )
        for workers in (1, 4)
    ]
    assert [run.info["execution"]["workers"] for run in runs] == [1, 4]
    for name in ("model.safetensors", "predictions/test.safetensors"):
        assert (runs[0].folder / name).read_bytes() == (runs[1].folder / name).read_bytes()
