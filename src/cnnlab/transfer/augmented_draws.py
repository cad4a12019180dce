"""Augmented draws of training pictures: each a function of the seed, of its number and of the picture's pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.augment import Info, Pipeline
from cnnlab.augment.operation import Shape
from cnnlab.core import seeds
from cnnlab.core.errors import UsageError
from cnnlab.models import to_float

SEMANTICS = 1
"""Raised when the same augmentation, seed and number would draw otherwise."""


@dataclass(frozen=True)
class AugmentedDraw:
    """One draw of every picture.

    :param number: of the draw, from 0.
    """

    pipeline: Pipeline
    seed: int
    number: int

    @property
    def key(self) -> dict[str, Any]:
        """All that it depends on but the pictures, as plain JSON."""
        return {"augment": self.pipeline.spec, "augment_semantics": SEMANTICS, "seed": self.seed, "draw": self.number}

    @property
    def title(self) -> str:
        """What a bar calls it."""
        return f"draw {self.number + 1}"

    def __str__(self) -> str:
        return f"{self.title} of {self.pipeline.spec}, seed {self.seed}"

    def of(self, pixels: Tensor, digests: NDArray[np.uint8]) -> Tensor:
        """Pictures as they are drawn, float32 in [0, 1].

        :param pixels: N×C×H×W, uint8 or float in [0, 1]; ``digests`` of these, N×32 bytes.
        """
        # One by one: whatever batch a picture is in, its draw is the same.
        return torch.cat([self._one(pixels[n : n + 1], digests[n]) for n in range(len(pixels))])

    def _one(self, pixels: Tensor, own: NDArray[np.uint8]) -> Tensor:
        # Of the digest as much as a place among the pictures of a set would have.
        picture = int.from_bytes(own[:8].tobytes(), "big") >> 1
        channels, height, width = pixels.shape[1:]
        info = Info(1, (channels, height, width), self.number, torch.tensor([picture]))
        generator = seeds.generator(self.seed, "augmented features", self.number, picture)
        images, _ = self.pipeline.apply(pixels, {}, self.pipeline.draw(generator, info))
        return to_float(images)


def check_pipeline(pipeline: Pipeline, shape: Shape) -> None:
    """Refuses what cannot be done to pictures that each bear one class, or to pictures of this shape.

    :raises UsageError: naming it.
    """
    mixing = next((step.bound.name for step in pipeline.steps if step.operation.mixes), None)
    if mixing is not None:
        raise UsageError(
            f"augment={mixing} mixes pictures and their classes, and classifiers of scikit-learn are fitted to "
            "pictures of one class each. Leave it out, or train a network: cnnlab train."
        )
    pipeline.check(shape, soft_targets=False)
