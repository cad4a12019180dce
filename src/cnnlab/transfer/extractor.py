"""A network up to one of its layers, which makes features of pictures."""

import copy
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from cnnlab.core.digests import digest
from cnnlab.models import Classifier, features_of, fold_batch_norms

POOLED = "pooled"
"""The last feature map before the head, averaged over its places."""
SEMANTICS = 1
"""Raised when the same weights and layer would give other features of the same pictures."""
_AT_ONCE = 64
_FLAT = re.compile(r"flat\(\s*(.+?)\s*\)")


@dataclass(frozen=True)
class FeatureLayer:
    """Where features are taken from.

    :param name: of the layer, or ``pooled``; nothing for pixels, which pass no layer.
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


class Extractor:
    """A network up to one of its layers: pictures to features, N×K float32.

    :param classifier: the whole network with its normalisation; what is behind the layer is not computed.
    :param module: name of the layer's module in it.
    :param weights: digest of the file that they come from; None where there are none before the layer, so that nothing
        is computed.
    """

    def __init__(self, classifier: Classifier, module: str, layer: FeatureLayer, weights: str | None) -> None:
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
