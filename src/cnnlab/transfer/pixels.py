"""Pictures without any network: their pixels are the features, so that classifiers show what networks add."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnlab.core.errors import UsageError
from cnnlab.core.registry import BoundCall, Registry
from cnnlab.core.seeds import scope
from cnnlab.core.spec import Call
from cnnlab.data.options import Side
from cnnlab.models import Classifier, build_network
from cnnlab.models.predictable import Resampling
from cnnlab.models.shapes import Shape, format_shape
from cnnlab.objectives import Objective
from cnnlab.transfer.extractor import POOLED, Extractor, FeatureLayer

_NETWORK, _LAYER = "flatten", "flatten1"


@dataclass(frozen=True)
class Pixels:
    """Pixels as features: all of a picture in one row, in [0, 1], grey ones as one number each.

    They stand where a :class:`~cnnlab.transfer.backbones.PretrainedBackbone` may, and have what that has; weights they
    have none.

    :param side: to which pictures are brought; None for that which they have.
    """

    side: int | None = None
    weights: None = None
    label: str = "pixels"
    resampling: Resampling = "bicubic"

    @property
    def named(self) -> str:
        """As a person writes it."""
        return str(self.spec())

    def spec(self) -> Call:
        """In short."""
        return Call(self.label, (), {} if self.side is None else {"size": self.side})

    def up_to(self, layer: FeatureLayer, shape: Shape, objective: Objective, facts: Mapping[str, Any]) -> Extractor:
        """What flattens pictures of this shape, and computes nothing.

        :raises UsageError: for pictures that have another size, said with the data or given as arrays.
        """
        if self.side is not None and tuple(shape[1:]) != (self.side, self.side):
            raise UsageError(
                f"{self.named} takes pictures of {self.side}×{self.side}, and those of the data are "
                f"{format_shape(tuple(shape[1:]))}. Leave one of the two sizes out."
            )
        with scope(0, "init"):
            network = build_network(_NETWORK, shape, objective.outputs)
        moments = (0.0,) * shape[0], (1.0,) * shape[0]
        classifier = Classifier(network, shape, *moments, objective=objective.spec, model=_NETWORK, **facts).eval()
        return Extractor(classifier, _LAYER, FeatureLayer(""), None)

    def check(self, layers: Sequence[FeatureLayer]) -> None:
        """Refuses layers, which pixels have none of.

        :raises UsageError: naming one.
        """
        if list(map(str, layers)) != [POOLED]:
            raise UsageError(
                f"pixels pass no network and have no layers, and layer= names {', '.join(map(str, layers))}. Leave "
                "layer out, or compare layers of networks in a transfer of their own."
            )


without_weights: Registry[Pixels] = Registry("backbone")
"""What may stand among backbones and is no network."""


@without_weights.register("pixels")
def pixels(size: Side | None = None) -> Pixels:
    """The pixels themselves, flattened; no network."""
    return Pixels(size)


def read_pixels(call: Call) -> Pixels | None:
    """What a spec means; None where it names a network."""
    bound: BoundCall[Pixels] | None = without_weights.bind(call) if call.name in without_weights else None
    return None if bound is None else bound.build()
