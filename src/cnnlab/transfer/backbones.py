"""Which backbone is meant, and how its network is built up to one of its layers."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import nn

from cnnlab.core.errors import SpecError, UsageError, close_words, either
from cnnlab.core.lookups import note_file
from cnnlab.core.messages import quietly
from cnnlab.core.registry import BoundCall, RegistryEntry
from cnnlab.core.seeds import scope
from cnnlab.core.spec import Call, read_one
from cnnlab.models import (
    Classifier,
    StartingWeights,
    architectures,
    build_network,
    load_into,
    moments_for,
    parts_of,
    starting_weights,
    stored_resampling,
    stored_shape,
    suitable_side,
)
from cnnlab.models.backbone import Backbone
from cnnlab.models.initialisers import starts_small
from cnnlab.models.predictable import Resampling
from cnnlab.models.shapes import Shape
from cnnlab.objectives import Classes, Objective
from cnnlab.transfer.extractor import POOLED, Extractor, FeatureLayer
from cnnlab.transfer.pixels import Pixels, read_pixels, without_weights

_LISTED = 12
"""Layers that are named where none is like the one that was asked for."""
_POOLED_HEAD = "global_pool"
_POOLED_LAYER = "head.global_pool1"


@dataclass(frozen=True)
class PretrainedBackbone:
    """A network with weights.

    :param bound: its spec, the weights among its arguments.
    :param weights: the file of these.
    :param named: as a person wrote it.
    """

    bound: BoundCall[Any]
    weights: StartingWeights
    named: str

    @property
    def label(self) -> str:
        """What tables call it: its name, and of two with one name what tells them apart."""
        return str(self.bound.arguments["name"]) if self.bound.name == "timm" else self.bound.name

    @property
    def side(self) -> int:
        """Of the pictures that it is given where nothing is said of their size: that on which it was trained."""
        if self.bound.arguments["size"] == "auto" and self.weights.named.startswith("run:"):
            _, height, width = stored_shape(self.weights.path)
            return max(height, width)
        return suitable_side(self.bound)

    @property
    def resampling(self) -> Resampling:
        """How they are brought to it: as for the run that the weights are of, else bicubic."""
        return stored_resampling(self.weights.path) if self.weights.named.startswith("run:") else "bicubic"

    def spec(self, **changed: Any) -> Call:
        """Its spec without weights, which a file of its own holds."""
        return Call(self.bound.name, (), {**self.bound.arguments, "weights": None, **changed})

    def up_to(self, layer: FeatureLayer, shape: Shape, objective: Objective, facts: Mapping[str, Any]) -> "Extractor":
        """The network up to a layer, for pictures of this shape.

        :param facts: further arguments of the :class:`~cnnlab.models.Classifier` that holds it: its classes, and how
            pictures are brought to the shape.
        :raises UsageError: when it has no such layer.
        """
        specs = [self.spec(head=_POOLED_HEAD), self.spec()]
        for spec in specs:
            network = self._built(spec, shape, objective.outputs)
            name = None if network is None else _layer_in(network, layer.name, has_pool=spec is specs[0])
            if network is None or name is None:
                continue
            if layer.name == name and name.partition(".")[0] == "head" and any(map(starts_small, network.modules())):
                raise UsageError(
                    f"the head of {self.label} is drawn anew for the classes of the data, so features at {name} would "
                    f"be those of chance. Take {POOLED}, or a layer before the head."
                )
            mean, std = moments_for(network, self.weights, shape[0])
            classifier = Classifier(
                network, shape, mean=mean, std=std, objective=objective.spec, model=str(spec), **facts
            ).eval()
            classifier.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            return Extractor(classifier, name, layer, self.weights.digest)
        assert network is not None
        part = next((part for part in parts_of(network, shape) if part.name == layer.name), None)
        if part is not None:
            raise UsageError(
                f"{layer.name} is a part of {self.label}, and features are taken at a layer. Take one of those in it, "
                f"as in layer={part.layers[-1]}: {', '.join(part.layers)}."
            )
        raise UsageError(f"{self.label} has no layer {layer.name!r}. {self._layers_like(layer.name, network)}")

    def _layers_like(self, wanted: str, network: nn.Module) -> str:
        """The layers that may be meant by one that there is not, and where all are listed."""
        names = [POOLED, *(name for name, _ in network.named_modules() if name)]
        close = close_words(wanted, names)
        rest = len(names) - _LISTED
        some = f"{', '.join(names[:_LISTED])}{f' and {rest:,} more' if rest > 0 else ''}"
        side = f"3x{self.side}x{self.side}"
        meant = f"Did you mean {either(close)}?" if close else f"It has {some}."
        return f"{meant} All are listed by cnnlab models show {shlex.quote(str(self._as_built))} --input {side}"

    @property
    def _as_built(self) -> Call:
        """The spec as a person would write it, without weights, which say nothing of layers."""
        return BoundCall(self.bound.entry, {**self.bound.arguments, "weights": None}).short

    def check(self, layers: Sequence[FeatureLayer]) -> None:
        """Refuses weights of another network, and layers that are not there, before any picture is read."""
        for layer in layers:
            self.up_to(layer, (3, self.side, self.side), Classes("label", ("one", "other")), {"classes": {}})

    def _built(self, spec: Call, shape: Shape, outputs: int) -> Backbone | None:
        """The network with its weights; None where its features are no map that could be averaged."""
        with scope(0, "init"):
            try:
                network = build_network(spec, shape, outputs)
            except SpecError:
                if spec.kwargs["head"] != _POOLED_HEAD:
                    raise
                return None
        assert isinstance(network, Backbone)
        # That its head was left out is what is asked for.
        with quietly():
            load_into(network, self.weights)
        return network


FeatureMaker: TypeAlias = PretrainedBackbone | Pixels
"""What makes the features of a column."""


def _layer_in(network: nn.Module, name: str, *, has_pool: bool) -> str | None:
    """The module that is meant; of a network that ends by pooling itself, ``pooled`` is all before its head."""
    named = dict(network.named_modules())
    if name == POOLED:
        return _POOLED_LAYER if has_pool else "body" if "body" in named else None
    # The pooled network has a head of its own, which is not what is meant by a layer of the head.
    is_own = name in named and name and not (has_pool and name.partition(".")[0] == "head")
    return name if is_own else None


def read_backbones(
    given: Sequence[Any], *, offline: bool = False, runs: Path | str | None = None
) -> list[FeatureMaker]:
    """Backbones by their specs; a bare name means its ImageNet weights, and ``pixels`` no network

    :raises UsageError: for what is no backbone, has no weights, or is named twice.
    """
    found = [_backbone(item, offline, runs) for item in given]
    if not found:
        raise UsageError(f"backbones= names none. Take one of {', '.join(_with_weights())}.")
    seen: dict[tuple[str, str | None], str] = {}
    for each in found:
        key = (str(each.spec()), each.weights.digest if each.weights else None)
        if key in seen:
            raise UsageError(f"backbones names {seen[key]} twice. Leave one of the two.")
        seen[key] = each.named
    return found


def _backbone(item: Any, offline: bool, runs: Path | str | None) -> FeatureMaker:
    call = read_one(item, "A backbone")
    without_network = read_pixels(call)
    if without_network is not None:
        return without_network
    if call.name.startswith("run:"):
        raise call.error(
            f"a backbone is a network, and {call.name} names weights for one. Name it too, as in "
            f"backbones='efficientnet-lite0(weights={call.name})'"
        )
    bound = architectures.bind(call)
    if not _is_backbone(bound.entry):
        is_several = "weights" in bound.arguments
        reason = "is several networks side by side" if is_several else "has no weights of its own"
        means = "each with features of its own" if is_several else "so its features would be those of chance"
        raise call.error(f"{bound.name} {reason}, {means}. Take one of {', '.join(_with_weights())}")
    if bound.arguments["weights"] is None and "weights" in call.kwargs:
        raise call.error(
            f"{bound.name} without weights makes features of chance. Leave weights out for ImageNet's, or name a file "
            "of safetensors or run:NAME",
            "weights",
        )
    if bound.arguments["head"] != bound.entry.arguments["head"].default:
        raise call.error("features are taken before the head, so head= says nothing here. Leave it out", "head")
    bound = BoundCall(bound.entry, {**bound.arguments, "weights": bound.arguments["weights"] or "imagenet"})
    weights = starting_weights(bound.call, offline=offline, runs=runs)
    assert weights is not None
    note_file(weights.path)
    return PretrainedBackbone(bound, weights, str(call))


def _with_weights() -> list[str]:
    return [*(entry.name for entry in without_weights), *(each.name for each in architectures if _is_backbone(each))]


def _is_backbone(entry: RegistryEntry[Any]) -> bool:
    """Whether it is one network that takes weights; those side by side have no head that could be left out."""
    return {"weights", "head"} <= set(entry.arguments)
