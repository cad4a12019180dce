"""Which backbone is meant, and the network up to one of its layers that makes features of pictures."""

import copy
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.core.digests import digest
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
    features_of,
    fold_batch_norms,
    load_into,
    moments_for,
    parts_of,
    starting_weights,
    stored_shape,
    suitable_side,
)
from cnnlab.models.backbone import Backbone
from cnnlab.models.initialisers import starts_small
from cnnlab.models.shapes import Shape
from cnnlab.objectives import Classes, Objective

POOLED = "pooled"
"""The last feature map before the head, averaged over its places."""
SEMANTICS = 1
"""Raised when the same weights and layer would give other features of the same pictures."""
_AT_ONCE = 64
_LISTED = 12
"""Layers that are named where none is like the one that was asked for."""
_POOLED_HEAD = "global_pool"
_POOLED_LAYER = "head.global_pool1"
_FLAT = re.compile(r"flat\(\s*(.+?)\s*\)")


@dataclass(frozen=True)
class FeatureLayer:
    """Where features are taken from.

    :param name: of the layer, or ``pooled``.
    :param is_flat: whether all places of a feature map count, and not their mean.
    """

    name: str
    is_flat: bool = False

    @classmethod
    def read(cls, text: str) -> "FeatureLayer":
        """``pooled``, ``fire5`` or ``flat(fire5)``."""
        inside = _FLAT.fullmatch(text.strip())
        return cls(inside[1], True) if inside else cls(text.strip())

    def __str__(self) -> str:
        return f"flat({self.name})" if self.is_flat else self.name

    def of_maps(self, found: Tensor) -> Tensor:
        """N×C×H×W, N×T×C or N×K to N×K: channels averaged over places, or each place by itself."""
        if self.is_flat or found.dim() < 3:
            return found.flatten(1)
        # What attends puts out a row for each part of the picture.
        return found.mean(1) if found.dim() == 3 else found.flatten(2).mean(2)


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


def _layer_in(network: nn.Module, name: str, *, has_pool: bool) -> str | None:
    """The module that is meant; of a network that ends by pooling itself, ``pooled`` is all before its head."""
    named = dict(network.named_modules())
    if name == POOLED:
        return _POOLED_LAYER if has_pool else "body" if "body" in named else None
    # The pooled network has a head of its own, which is not what is meant by a layer of the head.
    is_own = name in named and name and not (has_pool and name.partition(".")[0] == "head")
    return name if is_own else None


class Extractor:
    """A network up to one of its layers: pictures to features, N×K float32.

    :param classifier: the whole network with its normalisation; what is behind the layer is not computed.
    :param module: name of the layer's module in it.
    :param weights: digest of the file that they come from.
    """

    def __init__(self, classifier: Classifier, module: str, layer: FeatureLayer, weights: str) -> None:
        self.classifier, self.module, self.layer, self.weights = classifier, module, layer, weights

    @cached_property
    def folded(self) -> "Extractor":
        """The same, computed faster: batch normalisation is worked into the convolutions."""
        copied = copy.deepcopy(self.classifier)
        fold_batch_norms(copied.network, copied.shape, spare=self.module)
        return Extractor(copied, self.module, self.layer, self.weights)

    def __call__(self, pixels: Tensor) -> Tensor:
        """N×C×H×W, uint8 or float in [0, 1], to N×K float32 on the host."""
        # Maps of many pictures would take up much more memory than what is made of them.
        parts = (
            self.layer.of_maps(features_of(self.classifier, self.module, [part], device=pixels.device))
            for part in torch.split(pixels, _AT_ONCE)
        )
        return torch.cat(list(parts))

    @cached_property
    def width(self) -> int:
        """How many numbers a picture becomes."""
        return self(torch.zeros(1, *self.classifier.shape, dtype=torch.uint8)).shape[1]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """All that features depend on but the pictures and the number format, as plain JSON."""
        own = self.classifier
        return {
            "semantics": SEMANTICS,
            "model": own.model,
            "weights": self.weights,
            "layer": str(self.layer),
            "shape": list(own.shape),
            "mean": list(own.mean),
            "std": list(own.std),
        }

    @property
    def digest(self) -> str:
        """Of all that features depend on but the pictures and the number format."""
        return digest(self.facts)


def read_backbones(
    given: Sequence[Any], *, offline: bool = False, runs: Path | str | None = None
) -> list[PretrainedBackbone]:
    """Backbones by their specs; a bare name means its ImageNet weights.

    :raises UsageError: for what is no backbone, has no weights, or is named twice.
    """
    found = [_backbone(item, offline, runs) for item in given]
    if not found:
        raise UsageError(f"backbones= names none. Take one of {', '.join(_with_weights())}.")
    seen: dict[tuple[str, str], str] = {}
    for each in found:
        key = (str(each.spec()), each.weights.digest)
        if key in seen:
            raise UsageError(f"backbones names {seen[key]} twice. Leave one of the two.")
        seen[key] = each.named
    return found


def _backbone(item: Any, offline: bool, runs: Path | str | None) -> PretrainedBackbone:
    call = read_one(item, "A backbone")
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
    return [entry.name for entry in architectures if _is_backbone(entry)]


def _is_backbone(entry: RegistryEntry[Any]) -> bool:
    """Whether it is one network that takes weights; those side by side have no head that could be left out."""
    return {"weights", "head"} <= set(entry.arguments)
