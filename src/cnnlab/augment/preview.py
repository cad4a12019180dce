"""What a pipeline does to pictures: the original, each operation alone, then all together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.augment.pipeline import Pipeline, PipelineStep, pipeline
from cnnlab.augment.resampling import as_float
from cnnlab.core.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = 0.9
"""The width of a picture."""
_GAP, _LETTER = 0.2, 0.072
"""The room that a label takes, and each of its letters."""
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


def draw_preview(shown: Preview) -> "Figure":
    """The rows as a labelled grid; the caller saves or shows it."""
    from matplotlib.figure import Figure

    rows, columns, height, width = shown.images.shape[:4]
    margin = _GAP + _LETTER * max(len(line) for label in shown.labels for line in label.splitlines())
    total = margin + columns * _INCHES
    figure = Figure(figsize=(total, rows * _INCHES * height / width))
    cells = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(left=margin / total, right=1, bottom=0, top=1, wspace=0.05, hspace=0.05)
    for axes, label, images in zip(cells, shown.labels, shown.images, strict=True):
        _draw_row(list(axes), label, images)
    return figure


def _draw_row(axes: Sequence["Axes"], label: str, images: NDArray[np.uint8]) -> None:
    for cell, image in zip(axes, images, strict=True):
        cell.set_axis_off()
        # Grey in all three channels, which the range of the values in a picture does not change.
        coloured = np.broadcast_to(image, (*image.shape[:2], 3)) if image.shape[-1] == 1 else image
        cell.imshow(coloured, interpolation="nearest", aspect="auto")
    text = label.replace("$", r"\$")
    place: tuple[float, float] = (-0.1, 0.5)
    axes[0].annotate(text, place, xycoords="axes fraction", ha="right", va="center", fontsize=9, color="#333333")


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
