"""One model asked about several views of a picture: the picture as it is, and as a pipeline changes it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cnnlab.augment import Pipeline, pipeline
from cnnlab.augment.fusion import ColourRun, GeometricRun
from cnnlab.augment.operation import Info
from cnnlab.core import seeds
from cnnlab.core.errors import UsageError
from cnnlab.models import Predictable


class View(Predictable):
    """A model that sees each picture changed in one way, the same for every picture, whatever stands beside it.

    :param model: what is asked.
    :param changes: the pipeline; None for the picture as it is.
    :param drawn: what was drawn for one picture.
    """

    has_gradient = False
    # Augmentations choose their steps by what was drawn, and keep buffers that must not become part of a graph.
    has_graph = False

    def __init__(self, model: Predictable, changes: Pipeline | None, drawn: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__()
        self.model, self.changes, self.drawn = model, changes, list(drawn)
        self.shape, self.resize, self.resampling = model.shape, model.resize, model.resampling
        self.white, self.float_white = model.whites
        self.classes, self.objective = model.classes, model.objective
        self._is_one_matrix = changes is not None and all(
            isinstance(stage, GeometricRun | ColourRun) for stage in changes.stages
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """The model's outputs for the pictures as changed."""
        outputs: Tensor = self.model(self._changed(pixels))
        return outputs

    def _changed(self, pixels: Tensor) -> Tensor:
        if self.changes is None or not len(pixels):
            return pixels
        with torch.no_grad(), torch.autocast(pixels.device.type, enabled=False):
            if self._is_one_matrix:
                # A matrix for each picture, all of them the one drawn.
                each = [
                    {name: value.expand(len(pixels), -1, -1) for name, value in part.items()} for part in self.drawn
                ]
                return self.changes.apply(pixels, {}, each)[0]
            # What else is drawn knows its picture by its place, so each is a batch of its own.
            return torch.cat([self.changes.apply(picture[None], {}, self.drawn)[0] for picture in pixels])


def views_of(model: Predictable, spec: str, count: int, seed: int) -> list[View]:
    """The views of a pipeline: first the picture as it is, then ``count`` - 1 that are drawn from the seed.

    :raises UsageError: for a pipeline that does nothing, mixes pictures, or does not suit the model's pictures.
    """
    changes = pipeline(spec)
    if not len(changes):
        raise UsageError("method=tta needs something done to the picture, as in 'method=tta(\"flip|shift(0.1)\")'.")
    if changes.mixes:
        raise UsageError(f"method=tta looks at one picture at a time, and {spec} mixes pictures. Leave that out.")
    changes.check(model.shape, soft_targets=False)
    info = Info(1, model.shape, epoch=0, ids=torch.zeros(1, dtype=torch.int64))
    drawn = [changes.draw(seeds.generator(seed, "view", number), info) for number in range(1, count)]
    return [View(model, None), *(View(model, changes, each) for each in drawn)]
