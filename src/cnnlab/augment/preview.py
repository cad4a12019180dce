"""What a pipeline does to pictures: the original, each operation alone, then all together."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.augment.pipeline import Pipeline, PipelineStep, pipeline
from cnnlab.augment.resampling import as_float
from cnnlab.core.errors import UsageError

_LONGEST = 28


@dataclass(frozen=True)
class Preview:
    """Rows of pictures, each row with its label.

    :param images: uint8, rows×N×H×W×C; the first row shows the originals, the last the whole pipeline.
    """

    labels: tuple[str, ...]
    images: NDArray[np.uint8]


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
    for place, part in enumerate(whole.steps, 1):
        always = Pipeline([replace(part, operation=replace(part.operation, p=1.0))])
        # Another step for each, or all would draw the same numbers and be far off on the same pictures.
        rows.append((_label(part), _apply(always, images, seed, epoch, step + place)))
    if len(whole) > 1 and together:
        rows.append(("all together", _apply(whole, images, seed, epoch, step)))
    shown = torch.stack([_bytes(pixels) for _, pixels in rows]).permute(0, 1, 3, 4, 2)
    return Preview(tuple(label for label, _ in rows), shown.numpy())


def _label(part: PipelineStep) -> str:
    """The call as it was written, where that is short, and how likely it is."""
    written, p = str(part.call), part.operation.p
    name = written if len(written) <= _LONGEST else part.bound.name
    return name if p == 1 or f"p={p:g}" in name else f"{name}\np = {p:g}"


def _apply(part: Pipeline, images: Tensor, seed: int, epoch: int, step: int) -> Tensor:
    changed, _ = part(images, {}, seed=seed, epoch=epoch, step=step, ids=torch.arange(len(images)))
    return changed


def _bytes(images: Tensor) -> Tensor:
    return images if images.dtype == torch.uint8 else (as_float(images) * 255).round().to(torch.uint8)
