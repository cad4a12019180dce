"""What the units of a network do on training pictures: nothing, always the same, or as much as they can."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from cnnlab.models import Classifier, autocast, evaluating, to_float
from cnnlab.models.inference import laid_out
from cnnlab.training.execution import Execution

_BATCH = 64
_SILENT = 1e-7
_ALIKE = 1e-3
"""Of the largest weight: by which the weights of two units may differ and still be the same."""
_VARIES = 1e-3
"""Of the size of what a unit puts out: what it has to vary by from picture to picture to say anything."""
_MOST = 0.9
_END = 0.01
"""Of the range of a saturating activation: what is this near to an end."""
_RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Softplus, nn.Threshold)
_ACTIVATIONS = (*_RECTIFIERS, nn.Sigmoid, nn.Hardsigmoid, nn.Tanh, nn.Hardtanh, nn.Softsign, nn.ELU, nn.SELU, nn.CELU)
_SELU_END = -1.7580993408473766


@dataclass
class LayerUnits:
    """The units of one layer over some pictures, channel by channel of a feature map, or number by number.

    :param name: of the layer with weights whose outputs they are, or of the activation where there is none before.
    :param kind: of the activation, empty where what goes into the next layer was looked at.
    :param at_ends: how many values were within 1% of an end of the activation's range, of ``values``.
    """

    name: str
    kind: str
    low: Tensor = field(default_factory=lambda: torch.tensor(torch.inf))
    high: Tensor = field(default_factory=lambda: torch.tensor(-torch.inf))
    sums: Tensor = field(default_factory=lambda: torch.tensor(0.0, dtype=torch.float64))
    squares: Tensor = field(default_factory=lambda: torch.tensor(0.0, dtype=torch.float64))
    at_ends: float = 0.0
    values: int = 0
    ends: tuple[float, float] | None = None

    def add(self, output: Tensor) -> None:
        """Takes in what the layer made of a batch."""
        rows = output.detach().float()
        axes = [axis for axis in range(rows.dim()) if axis != 1]
        self.low, self.high = torch.minimum(self.low, rows.amin(axes)), torch.maximum(self.high, rows.amax(axes))
        self.sums = self.sums + rows.double().sum(axes)
        self.squares = self.squares + rows.double().square().sum(axes)
        self.values += rows.numel()
        if self.ends is not None:
            least, most = self.ends
            # Of ELU and its kin only the lower end is one.
            margin = _END * (most - least if most < torch.inf else -least)
            self.at_ends += float(((rows < least + margin) | (rows > most - margin)).sum())

    @property
    def count(self) -> int:
        """How many units."""
        return self.low.numel()

    @property
    def dead(self) -> int:
        """How many are zero on every picture, at every place."""
        return int(((self.low.abs() <= _SILENT) & (self.high.abs() <= _SILENT)).sum())

    @property
    def saturated(self) -> float:
        """The share of values that are at an end of the activation's range."""
        return self.at_ends / self.values if self.values and self.ends else 0.0

    @property
    def variation(self) -> float:
        """How much its units vary over pictures and places, as a share of their size: nine tenths of them by less."""
        per_unit = self.values / max(self.count, 1)
        mean, square = self.sums / per_unit, self.squares / per_unit
        spread = (square - mean.square()).clamp_min(0).sqrt() / square.clamp_min(1e-300).sqrt()
        return float(spread.quantile(_MOST))

    @property
    def is_constant(self) -> bool:
        """Whether what it puts out is all but the same whatever the picture."""
        return self.variation < _VARIES


def units_on(classifier: Classifier, images: Tensor, execution: Execution) -> list[LayerUnits]:
    """What every layer does on pictures, in the order in which these pass; the classifier is left as it was found.

    Looked at are activations that are modules, and what goes into layers with weights where none was between.

    :param images: uint8 N×C×H×W.
    """
    found: dict[tuple[str, str], LayerUnits] = {}
    with evaluating(classifier), torch.no_grad():
        watch = _Watch(found)
        for name, module in classifier.network.named_modules():
            if isinstance(module, _ACTIVATIONS):
                module.register_forward_hook(watch.activation(name))
            elif is_weighted(module):
                module.register_forward_pre_hook(watch.entered)
                module.register_forward_hook(watch.left(name))
        for batch in torch.split(images, _BATCH):
            watch.last = ""
            pixels = laid_out(to_float(batch.to(execution.torch_device)), execution.memory_format)
            with autocast(execution.device, execution.precision):
                classifier(pixels)
    return list(found.values())


class _Watch:
    """Notes what layers put out as pictures pass; ``last`` is the layer with weights that was passed last."""

    def __init__(self, found: dict[tuple[str, str], LayerUnits]) -> None:
        self.found, self.last, self.is_noted = found, "", True

    def activation(self, name: str) -> Any:
        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            self.is_noted = True
            self._note(self.last or name, type(module).__name__.lower(), output, _ends(module))

        return note

    def left(self, name: str) -> Any:
        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            self.last, self.is_noted = name, False

        return note

    def entered(self, module: nn.Module, inputs: Any) -> None:
        """An activation that is a function shows in what goes into the next layer."""
        if self.last and not self.is_noted and inputs:
            self._note(self.last, "", inputs[0], None)

    def _note(self, name: str, kind: str, output: Any, ends: tuple[float, float] | None) -> None:
        if isinstance(output, Tensor) and output.dim() > 1 and output.is_floating_point():
            units = self.found.setdefault((name, kind), LayerUnits(name, kind, ends=ends))
            if not units.values or units.count == output.shape[1]:
                units.add(output.cpu())


def same_weights(network: nn.Module, before: nn.Module | None) -> list[tuple[str, int]]:
    """The hidden layers whose units all have the same weights, now and at the start: names and numbers of units.

    Of the last layer that is no fault: the labels tell its units apart.

    :param before: the network as the training began; None to look at this one alone.
    """
    earlier = {} if before is None else dict(before.named_modules())
    layers = [(name, module) for name, module in network.named_modules() if is_weighted(module)]
    return [
        (name, module.weight.shape[0])
        for name, module in layers[:-1]
        if _are_same(module.weight) and (before is None or _are_same(earlier[name].weight))
    ]


def count_hidden(network: nn.Module) -> int:
    """How many layers with weights there are before the last."""
    return max(sum(map(is_weighted, network.modules())) - 1, 0)


def is_weighted(module: nn.Module) -> bool:
    """Whether it is a convolution or a dense layer, whose units are the rows of its weight."""
    return isinstance(module, _ConvNd | nn.Linear) and not getattr(module, "transposed", False)


def _are_same(weight: Any) -> bool:
    rows = weight.detach().flatten(1)
    apart = (rows - rows[:1]).abs().max()
    return len(rows) > 1 and bool(apart <= _ALIKE * rows.abs().max())


def _ends(module: nn.Module) -> tuple[float, float] | None:
    """The range of a saturating activation."""
    if isinstance(module, nn.Sigmoid | nn.Hardsigmoid):
        return 0.0, 1.0
    if isinstance(module, nn.Tanh | nn.Softsign):
        return -1.0, 1.0
    if isinstance(module, nn.Hardtanh) and not isinstance(module, nn.ReLU6):
        return float(module.min_val), float(module.max_val)
    if isinstance(module, nn.SELU):
        return _SELU_END, torch.inf
    if isinstance(module, nn.ELU | nn.CELU):
        return -float(module.alpha), torch.inf
    return None
