"""Whether an exported file computes what torch does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cnnlab.core.errors import ModelFileError
from cnnlab.data.formats.decode import resized
from cnnlab.export.pictures import CheckPictures
from cnnlab.models import Predictable, batch_for, evaluating, outputs_of
from cnnlab.objectives import Objective, restore_objective

TOLERANCE = 1e-4
"""How far an output may be off, and besides that share of itself."""

Outputs = Callable[[Tensor], Tensor]
"""uint8 N×C×H×W to outputs N×K, by whatever computes them."""


def torch_outputs(model: Predictable, pixels: Tensor) -> Tensor:
    """What the model itself says in float32, by torch's own kernels on the processor."""
    return outputs_of(model, torch.split(pixels, batch_for(pixels.shape, 256)))


def check(model: Predictable, pictures: CheckPictures, answered: Tensor, expected: Tensor, by: str) -> dict[str, Any]:
    """The largest difference between what a file and what torch answers, as plain JSON.

    :param by: what ran the file, for messages.
    :raises ModelFileError: where outputs differ by more than 1e-4, absolute and relative, or a class is another.
    """
    difference = (answered.double() - expected.double()).abs()
    is_close = torch.isclose(answered.double(), expected.double(), rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    objective = restore_objective(model.objective, model.classes)
    agreeing = agreement(objective, answered, expected)
    if not bool(is_close.all()) or agreeing < 1:
        raise ModelFileError(
            f"{by} answers otherwise than torch does: of {len(answered)} pictures {1 - agreeing:.1%} have another "
            f"class, and outputs are up to {float(difference.max()):.2g} apart. Nothing was written. Other versions of "
            "torch and onnxruntime may do better; cnnlab itself opens the model wherever it is installed."
        )
    return {
        "by": by,
        "images": len(answered),
        "source": pictures.source,
        "difference": float(difference.max()),
        "same_classes": bool(objective.class_heads),
    }


def agreement(objective: Objective, first: Tensor, second: Tensor) -> float:
    """The share of pictures of which both say the same classes; 1 where no classes are told apart."""
    said, other = (objective.decode(outputs) for outputs in (first, second))
    same = [(said[column] == other[column]).reshape(len(first)) for column in objective.class_heads]
    return float(torch.stack(same).all(0).double().mean()) if same else 1.0


def resizing_drift(
    model: Predictable, sized: list[Tensor], resizing: torch.nn.Module, outputs: Outputs
) -> dict[str, Any]:
    """How what is resized inside differs from what Pillow makes of the same pictures, as plain JSON.

    :param sized: batches of pictures, each of one other size.
    :param resizing: the part of the exported graph that resizes.
    :param outputs: the exported graph.
    """
    objective = restore_objective(model.objective, model.classes)
    apart, answers = [], []
    for pixels in sized:
        by_pillow = torch.from_numpy(np.stack([_by_pillow(picture, model) for picture in pixels.numpy()]))
        with evaluating(resizing), torch.no_grad():
            inside = torch.cat([resizing(part) for part in torch.split(pixels, batch_for(pixels.shape, 64))])
        apart.append((inside.short() - by_pillow.short()).abs().flatten())
        answers.append((outputs(pixels), torch_outputs(model, by_pillow)))
    own, pillows = (torch.cat(parts) for parts in zip(*answers, strict=True))
    return {
        "images": len(own),
        "sizes": [[int(side) for side in pixels.shape[2:]] for pixels in sized],
        "largest": float(torch.cat(apart).max()),
        "mean": float(torch.cat(apart).double().mean()),
        "outputs": float((own.double() - pillows.double()).abs().max()),
        "same_classes": agreement(objective, own, pillows),
    }


def _by_pillow(picture: NDArray[np.uint8], model: Predictable) -> NDArray[np.uint8]:
    """One picture C×H×W in the model's size; channels are resized each by itself, as Pillow does."""
    size = (model.shape[1], model.shape[2])
    made = [resized(Image.fromarray(channel), size, model.resize, model.resampling) for channel in picture]
    return np.stack([np.asarray(channel) for channel in made])
