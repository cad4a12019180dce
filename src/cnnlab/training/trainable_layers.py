"""Training part of a network: which layers a phase trains, each at its own learning rate, and which stay frozen.

Written ``head``, ``block4(0.1)|head`` (a tenth of the rate for ``block4``), or ``rest|conv1(0)`` (all but ``conv1``). A
layer's name, as in the summary of the network, stands for it and all inside; the longest name that fits counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parameter import Parameter

from cnnlab.core.arguments import NonNegative, convert, describe_type
from cnnlab.core.errors import UsageError
from cnnlab.core.spec import Call, ParsedSpec, read
from cnnlab.models import find_layer

REST = "rest"
"""Stands for all layers that are not named."""


@dataclass(frozen=True)
class TrainableLayer:
    """A layer that is trained.

    :param rate: its learning rate as a factor of the optimiser's; 0 freezes it.
    """

    name: str
    rate: float = 1.0

    @classmethod
    def read(cls, call: Call) -> "TrainableLayer":
        """The layer that a call means.

        :raises SpecError: for anything but a rate in the parentheses.
        """
        given = {**dict(zip(("rate",), call.args, strict=False)), **call.kwargs}
        if len(call.args) > 1 or set(given) - {"rate"}:
            raise call.error(f"a layer takes its rate alone, as in {call.name}(0.1)")
        try:
            return cls(call.name, convert(given.get("rate", 1.0), NonNegative))
        except ValueError:
            raise call.error(f"the rate of a layer takes {describe_type(NonNegative)}; got {given['rate']!r}") from None

    def __str__(self) -> str:
        return self.name if self.rate == 1.0 else f"{self.name}(rate={self.rate!r})"


TrainableLayers = ParsedSpec[tuple[TrainableLayer, ...]]


def parse_trainable(spec: object) -> TrainableLayers | None:
    """The layers that a spec names; None where the whole network is trained.

    :raises SpecError: when it names none, or one of them twice.
    """
    if isinstance(spec, ParsedSpec):
        return spec
    calls = read(spec)
    layers = tuple(map(TrainableLayer.read, calls))
    for place, call in enumerate(calls):
        if call.name in [earlier.name for earlier in calls[:place]]:
            raise call.error(f"the layer {call.name} is given twice")
    return ParsedSpec("|".join(map(str, layers)), layers) if layers else None


@dataclass(frozen=True)
class TrainedPart:
    """Parameters that are trained at one rate, a factor of the optimiser's."""

    parameters: Sequence[Parameter]
    rate: float = 1.0


class PartialTraining:
    """What of a classifier is trained during one phase, and what stays as it is.

    :param layers: that are trained; None for all that was not frozen by whoever made the network.
    :raises UsageError: for a layer that there is not or that holds nothing to train.
    """

    def __init__(self, classifier: nn.Module, layers: Sequence[TrainableLayer] | None) -> None:
        self.classifier = classifier
        network = getattr(classifier, "network", classifier)
        rates = {layer.name: layer.rate for layer in layers or (TrainableLayer(REST),)}
        by_rate: dict[float, list[Parameter]] = {}
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                by_rate.setdefault(_rate_of(name, rates), []).append(parameter)
        _check(network, rates)
        self.frozen = by_rate.pop(0.0, [])
        self.parts = tuple(TrainedPart(parameters, rate) for rate, parameters in by_rate.items())
        if not self.parts:
            raise UsageError("trainable leaves nothing to train. Name a layer with a rate above 0.")
        self.frozen_norms = [
            module
            for name, module in network.named_modules()
            if isinstance(module, _BatchNorm) and (_rate_of(name, rates) == 0 or _is_frozen(module))
        ]

    def begin(self) -> None:
        """Freezes what is not trained."""
        for parameter in self.frozen:
            parameter.requires_grad_(False)

    def end(self) -> None:
        """Lets go of what was frozen."""
        for parameter in self.frozen:
            parameter.requires_grad_(True)

    def train(self) -> None:
        """Puts the classifier into training mode, except batch normalisation that is frozen.

        That goes on normalising by its running statistics, and leaves them as they are.
        """
        self.classifier.train()
        for norm in self.frozen_norms:
            norm.eval()


def _rate_of(name: str, rates: Mapping[str, float]) -> float:
    """The rate of what has this name: that of the innermost layer around it that is named."""
    around = [layer for layer in rates if name == layer or name.startswith(f"{layer}.")]
    return rates[max(around, key=len)] if around else rates.get(REST, 0.0)


def _is_frozen(module: nn.Module) -> bool:
    """Whether it has weights, and whoever made the network has frozen all of them."""
    weights = list(module.parameters())
    return bool(weights) and not any(weight.requires_grad for weight in weights)


def _check(network: nn.Module, rates: Mapping[str, float]) -> None:
    for name in rates:
        if name != REST and not any(weight.requires_grad for weight in find_layer(network, name).parameters()):
            raise UsageError(f"trainable names {name}, which holds no weights that could be trained.")
