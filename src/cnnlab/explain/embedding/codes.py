"""Codes: what a layer makes of each picture, as rows of numbers; or the pixels, or the raw outputs."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import Predictor
from cnnlab.models import autocast, evaluating, features_of, find_layer, native_kernels, to_float
from cnnlab.models.features import layer_call

PIXELS, OUTPUTS = "pixels", "outputs"


@dataclass(frozen=True, eq=False)
class Codes:
    """Rows of numbers, one a picture.

    :param values: float32 N×D.
    :param space: what they are, in words, such as ``the 128 numbers that head sees``.
    """

    values: NDArray[np.float32]
    space: str


class _ReachedError(Exception):
    """Leaves a forward pass once the head was given what is wanted."""


def codes_of(predictor: Predictor | None, batches: Iterable[Tensor], layer: str | None = None) -> Codes:
    """What becomes of pictures at a layer; the classifier is left as it was found.

    :param predictor: None for pixels.
    :param batches: N×C×H×W, uint8 or float in [0, 1].
    :param layer: its name in the summary; ``pixels``; ``outputs``, before any softmax; by default what the last dense
        layer is given, which is all that the decision between classes is made from. In an ensemble it is that layer of
        each member, side by side and each counting alike; that of one member by its name in the whole, such as
        ``members.0.network.conv4``.
    :raises UsageError: when there is no such layer, the model has none, or what it puts out says nothing.
    """
    if layer == PIXELS:
        return _rows([to_float(batch).flatten(1) for batch in batches], "pixels")
    if predictor is None:
        raise UsageError(
            f"the layer {layer or 'before the head'} is of a model, and none is named. Name a run, or take "
            "layer=pixels."
        )
    if layer == OUTPUTS:
        return _rows([predictor.outputs(batches)], "raw outputs")
    with _placed(predictor) as classifier, native_kernels(predictor.kernels == "native"):
        networks = _networks(classifier, predictor.label)
        if layer is not None and layer_call(layer)[0] in dict(classifier.named_modules()):
            # Of one member alone, by its name in the whole.
            networks = [classifier]
        takes, words = zip(*(_way_to(predictor, network, layer) for network in networks), strict=True)
        parts = [[take(batch) for take in takes] for batch in batches]
    each = [torch.cat(column).float() for column in zip(*parts, strict=True)]
    if len(each) == 1:
        return _rows(each, words[0])
    return _rows([torch.cat([_in_one_scale(codes) for codes in each], dim=1)], f"{words[0]} of {len(each)} members")


def _networks(classifier: nn.Module, label: str) -> list[Any]:
    """The network whose codes are meant, or those of an ensemble's members.

    :raises UsageError: for what is made of no networks alone.
    """
    members = getattr(classifier, "members", None)
    if isinstance(members, nn.ModuleList) and len(members):
        return [network for member in members for network in _networks(member, label)]
    if isinstance(getattr(classifier, "network", None), nn.Module):
        return [classifier]
    raise UsageError(
        f"{label} is no network and no ensemble of networks alone, so that no layer has its codes. Take layer=outputs "
        "or layer=pixels."
    )


def _way_to(predictor: Predictor, network: Any, layer: str | None) -> tuple[Callable[[Tensor], Tensor], str]:
    """What makes codes n×D, float32 on the host, of a batch, and what they are called."""
    if layer is None:
        name = last_dense(network)
        return partial(_inputs_of, predictor, network, name), f"inputs of {name}"
    find_layer(network, layer)

    def take(batch: Tensor) -> Tensor:
        given: dict[str, Any] = {"device": predictor.device, "precision": predictor.precision}
        return features_of(network, layer, [batch], **given).flatten(1)

    return take, f"outputs of {layer}"


def _in_one_scale(codes: Tensor) -> Tensor:
    """Codes N×D of one member, so that those of each count alike: their mean square distance from the middle is 1."""
    centred = codes - codes.mean(0)
    spread = centred.square().sum(1).mean().sqrt()
    return centred / spread if spread > 0 else centred


def last_dense(classifier: nn.Module) -> str:
    """The name of the dense layer that a picture passes last.

    :raises UsageError: when it passes none.
    """
    held: Any = classifier
    names = {module: name for name, module in held.network.named_modules() if isinstance(module, nn.Linear)}
    passed: list[nn.Module] = []
    home = next(classifier.parameters(), torch.empty(0)).device
    with evaluating(classifier), torch.no_grad():
        for module in names:
            module.register_forward_hook(lambda module, *_: passed.append(module))
        classifier(torch.zeros(1, *held.shape, device=home))
    if not passed:
        raise UsageError(
            "the network ends in no dense layer, so say of which layer the codes are meant: layer=NAME, by its name in "
            "cnnlab models show."
        )
    return str(next(name for module, name in names.items() if module is passed[-1]))


def _inputs_of(predictor: Predictor, classifier: Any, name: str, batch: Tensor) -> Tensor:
    """What a layer is given, n×D float32 on the host."""
    caught: list[Tensor] = []

    def catch(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        caught.append(inputs[0])
        raise _ReachedError

    with evaluating(classifier), torch.no_grad(), suppress(_ReachedError):
        classifier.network.get_submodule(name).register_forward_pre_hook(catch)
        placed = batch.to(predictor.device).contiguous(memory_format=torch.channels_last)
        with autocast(predictor.device, predictor.precision):
            classifier(placed)
    return caught[-1].float().cpu().flatten(1)


@contextmanager
def _placed(predictor: Predictor) -> Iterator[nn.Module]:
    """A block in which the classifier is on its device; it goes back afterwards."""
    home = next(predictor.classifier.parameters(), torch.empty(0)).device
    try:
        yield predictor.classifier.to(predictor.device)
    finally:
        predictor.classifier.to(home)


def _rows(parts: list[Tensor], what: str) -> Codes:
    values: NDArray[np.float32] = torch.cat(parts).float().numpy()
    if not np.isfinite(values).all():
        raise UsageError(f"some of the {what} are not finite, so no map can be made of them.")
    if len(values) and not np.ptp(values, axis=0).any():
        raise UsageError(f"the {what} are the same for every picture, so there is nothing to tell them apart by.")
    return Codes(values, f"{what} ({values.shape[1]:,} numbers)")
