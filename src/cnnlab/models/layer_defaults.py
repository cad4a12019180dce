"""What the weighted layers of a network or a block have in common, and plans of layers made from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from cnnlab.core.spec import Call
from cnnlab.models.initialisers import Initialiser

Activation: TypeAlias = (
    Literal["relu", "leaky", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "softplus", "exponential"] | None
)
"""The activation after each weighted layer; ``none`` leaves it linear."""

Penalized: TypeAlias = tuple[Literal["kernel", "bias", "activity"], ...]
"""What the penalties ``l1`` and ``l2`` of an architecture act on; the activity of the hidden layers."""


def layer(name: str, **arguments: Any) -> Call:
    """One layer of a plan; as in a layer string."""
    return Call(name, (), arguments)


def widened(count: int, width: float) -> int:
    """A number of filters or units, scaled; at least one."""
    return max(1, round(count * width))


@dataclass(frozen=True)
class LayerDefaults:
    """The activation, the place of batch normalisation around it, the initialisers, penalties, and kind of dropout."""

    activation: Activation = "relu"
    norm_at: Literal["before", "after"] = "before"
    init: Initialiser = "default"
    bias_init: Initialiser = "default"
    l1: float = 0.0
    l2: float = 0.0
    penalize: tuple[str, ...] = ("kernel",)
    alpha_dropout: bool = False

    @property
    def activations(self) -> list[Call]:
        """The activation as a plan: empty where there is none."""
        return [layer(self.activation)] if self.activation else []

    def weighted(self, name: str, *, bias: bool = True, **arguments: Any) -> Call:
        """A convolution or a dense layer with this style's initialisers and penalties."""
        return layer(name, **arguments, bias=bias, **self._common())

    def group(self, name: str, *, norm: bool, **arguments: Any) -> Iterator[Call]:
        """A weighted layer with its activation, and batch normalisation before or after that."""
        # A bias right before batch normalisation would be subtracted again.
        is_subtracted = norm and (self.norm_at == "before" or self.activation is None)
        yield self.weighted(name, bias=not is_subtracted, **arguments)
        norms = [layer("bn")] if norm else []
        active = [*self.activations, *self._watched()]
        yield from [*norms, *active] if self.norm_at == "before" else [*active, *norms]

    def dropped(self, p: float) -> list[Call]:
        """Dropout as a plan: empty at a probability of 0."""
        return [layer("alpha_dropout" if self.alpha_dropout else "dropout", p=p)] if p else []

    def head(self) -> Call:
        """The last dense layer."""
        return layer("head", **self._common())

    def _common(self) -> dict[str, Any]:
        targets = tuple(name for name in self.penalize if name != "activity")
        return {"init": self.init, "bias_init": self.bias_init, "l1": self.l1, "l2": self.l2, "penalize": targets}

    def _watched(self) -> list[Call]:
        is_asked = "activity" in self.penalize and (self.l1 or self.l2)
        return [layer("activity", l1=self.l1, l2=self.l2)] if is_asked else []
