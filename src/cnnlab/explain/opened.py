"""A model opened to be looked into: on its device, in evaluation mode, and left as it was found."""

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from cnnlab.core.sinks import in_short
from cnnlab.evaluation import Predictor, looking, predictor_of
from cnnlab.models import Predictable, find_layer
from cnnlab.models.features import layer_call, not_passed
from cnnlab.runs import Run

Model: TypeAlias = Run | Predictable | str | Path
"""A run, a model by itself, or the name of either, as :func:`cnnlab.open_model` takes it."""


@dataclass(frozen=True)
class Opened:
    """A model and what it is called.

    :param name: for captions and messages.
    """

    predictor: Predictor
    name: str

    @property
    def model(self) -> Predictable:
        """The model itself."""
        return self.predictor.classifier

    def looking(self) -> AbstractContextManager[Predictable]:
        """A block in which no weight asks for a gradient, and all is computed in float32; it gives the model."""
        return looking(self.predictor)


def opened(model: Model, *, device: str | None = None) -> Opened:
    """The model that is meant.

    :param device: another device than the one that a run was trained on, or than the processor.
    :raises RunNotFoundError: when there is neither a run nor a file of that name.
    """
    predictor = predictor_of(model, device=device)
    is_named = isinstance(model, str | Path) and not predictor.recipe
    return Opened(predictor, _short(str(model)) if is_named else predictor.label)


def _short(name: str) -> str:
    """``pretrained:squeezenet1_1`` of that with arguments, and the name of a file without its folders."""
    kind, colon, rest = name.partition("(")[0].partition(":")
    return in_short(f"{kind}:{rest}" if colon and os.sep not in rest else Path(name).name)


@dataclass(frozen=True)
class Survey:
    """What is seen of a layer while one picture passes the model.

    :param passes: how often it is passed.
    :param numbers: how many numbers all layers up to the pass that is meant put out, or all there are where none is
        named.
    """

    passes: int
    numbers: int


def grey_picture(model: Predictable) -> Tensor:
    """One picture of a middle grey, 1×C×H×W, where the model is and in its number format."""
    return torch.full((1, *model.shape), 0.5).to(of_weights(model))


def of_weights(model: nn.Module) -> Tensor:
    """A weight of the model, for its device and number format; an empty one in float32 where it has none."""
    return next((each for each in model.parameters() if each.is_floating_point()), torch.empty(0))


def survey(model: Predictable, layer: str | None) -> Survey:
    """A pass of one grey picture, in which the layer is watched.

    :raises UsageError: when there is no such layer, or pictures do not pass it, or not so often.
    """
    wanted, call = (None, 1) if layer is None else (find_layer(model, layer), layer_call(layer)[1] or 1)
    passes = numbers = 0

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        nonlocal passes, numbers
        is_whole = any(True for _ in module.children())
        if passes < call and isinstance(output, Tensor) and not is_whole:
            numbers += output.numel()
        passes += module is wanted

    handles = [module.register_forward_hook(note) for module in model.modules()]
    try:
        with torch.no_grad():
            model(grey_picture(model))
    finally:
        for handle in handles:
            handle.remove()
    if layer is not None and passes < call:
        raise not_passed(layer, passes)
    return Survey(passes, numbers)


def floats(tensor: Tensor) -> Tensor:
    """Float32 on the host."""
    return tensor.detach().float().cpu()
