"""What a pipeline does to pictures: the original, each operation alone, then all together."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.augment.pipeline import Pipeline, PipelineStep, pipeline
from cnnlab.augment.resampling import as_float
from cnnlab.core.errors import UsageError

_LONGEST = 28
_LEAST_SHARE = 0.005
"""What rounds to no percent is not told."""
_TOGETHER, _ORIGINALS = "all together", "originals"


@dataclass(frozen=True)
class Preview:
    """Rows of pictures, each row with its label.

    :param images: uint8, rows×N×H×W×C; the first row shows the originals, the last the whole pipeline.
    :param shares: by the label of a row in which pictures are mixed N×N floats: how much of the target of each original
        is in the target of each picture.
    """

    labels: tuple[str, ...]
    images: NDArray[np.uint8]
    shares: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def mixture(self, label: str, place: int) -> str:
        """What a picture of a row is made of, in words: ``72% + 28% of 3``, where originals are counted from 1.

        Empty where the row mixes no pictures.
        """
        if label not in self.shares:
            return ""
        row = self.shares[label][place]
        others = [other for other in np.argsort(-row) if other != place and row[other] >= _LEAST_SHARE]
        parts = [f"{row[other]:.0%} of {other + 1}" for other in others]
        return " + ".join([f"{row[place]:.0%}", *parts])


def preview(
    spec: object, images: Tensor, *, seed: int = 0, epoch: int = 0, step: int = 0, together: bool = True
) -> Preview:
    """Some pictures, what each operation alone makes of them, and what all make of them.

    Alone, an operation is shown on every picture, and its label says with which probability it is done.

    :param images: uint8, N×C×H×W; grey or colour.
    :param together: False leaves out the row of all operations together.
    :raises UsageError: when the pipeline cannot be read or does not fit the pictures.
    """
    whole = pipeline(spec)
    channels, height, width = images.shape[1:]
    if channels not in (1, 3):
        raise UsageError(f"only grey and colour pictures can be shown, and these have {channels} channels.")
    whole.check((channels, height, width), soft_targets=True)
    rows = [("original", images)]
    shares: dict[str, NDArray[np.float64]] = {}
    for place, part in enumerate(whole.steps, 1):
        always = Pipeline([replace(part, operation=replace(part.operation, p=1.0))])
        # Another step for each, or all would draw the same numbers and be far off on the same pictures.
        changed, mixed = _apply(always, images, seed, epoch, step + place)
        rows.append((_label(part), changed))
        shares |= {_label(part): mixed} if always.mixes else {}
    if len(whole) > 1 and together:
        changed, mixed = _apply(whole, images, seed, epoch, step)
        rows.append((_TOGETHER, changed))
        shares |= {_TOGETHER: mixed} if whole.mixes else {}
    shown = torch.stack([_bytes(pixels) for _, pixels in rows]).permute(0, 1, 3, 4, 2)
    return Preview(tuple(label for label, _ in rows), shown.numpy(), shares)


def _label(part: PipelineStep) -> str:
    """The call as it was written, where that is short, and how likely it is."""
    written, p = str(part.call), part.operation.p
    name = written if len(written) <= _LONGEST else part.bound.name
    return name if p == 1 or f"p={p:g}" in name else f"{name}\np = {p:g}"


def _apply(part: Pipeline, images: Tensor, seed: int, epoch: int, step: int) -> tuple[Tensor, NDArray[np.float64]]:
    """The pictures changed, and how much of each original is in the target of each, as of classes of their own."""
    targets = {_ORIGINALS: torch.eye(len(images), dtype=torch.float64)}
    changed, mixed = part(images, targets, seed=seed, epoch=epoch, step=step, ids=torch.arange(len(images)))
    return changed, mixed[_ORIGINALS].numpy()


def _bytes(images: Tensor) -> Tensor:
    return images if images.dtype == torch.uint8 else (as_float(images) * 255).round().to(torch.uint8)
