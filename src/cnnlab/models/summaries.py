"""A network layer by layer: shapes, kernels, parameters, cost and receptive fields, as plain data and as text."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from cnnlab.core.errors import UsageError
from cnnlab.models.inference import evaluating
from cnnlab.models.receptive_field import ReceptiveFieldTracker
from cnnlab.models.shapes import HeightWidth, Shape, format_shape, pair


@dataclass(frozen=True)
class LayerRow:
    """One layer.

    :param kernel: height and width of its window, where it has one.
    :param output: without the batch axis; None for a layer that one picture did not reach.
    :param weights, biases: trained numbers; batch normalisation's scales count as weights, its offsets as biases.
    :param buffers: numbers kept but not trained, such as running means.
    :param multiply_adds: multiplications with a weight for one picture; only convolutions and dense layers count.
    :param receptive_field: height and width of the part of the picture that one of its outputs depends on,
        borders included; None where that cannot be known, after an operation that is no layer.
    """

    name: str
    kind: str
    output: Shape | None
    kernel: tuple[int, int] | None
    weights: int
    biases: int
    buffers: int
    multiply_adds: int
    receptive_field: HeightWidth | None


@dataclass(frozen=True)
class NetworkSummary:
    """The layers of a network in the order in which a picture meets them, and their totals."""

    shape: Shape
    rows: tuple[LayerRow, ...]

    @property
    def weights(self) -> int:
        """Trained numbers that are no biases."""
        return sum(row.weights for row in self.rows)

    @property
    def biases(self) -> int:
        """Trained offsets."""
        return sum(row.biases for row in self.rows)

    @property
    def parameters(self) -> int:
        """Trained numbers."""
        return self.weights + self.biases

    @property
    def buffers(self) -> int:
        """Numbers kept but not trained."""
        return sum(row.buffers for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiplications with a weight for one picture."""
        return sum(row.multiply_adds for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        totals = {key: getattr(self, key) for key in ("weights", "biases", "parameters", "buffers", "multiply_adds")}
        return {"shape": list(self.shape), "layers": [asdict(row) for row in self.rows], "totals": totals}

    def __str__(self) -> str:
        """A table for a terminal."""
        return _table(self)


def summary(network: nn.Module, shape: Shape) -> NetworkSummary:
    """What a network does to one picture of ``shape`` (channels, height, width); the network is left as it was.

    A layer is a module without modules inside, or one that holds parameters of its own. One used several times has
    its parameters counted once and its multiplications each time. A network on the device ``meta`` costs nothing.
    """
    tally = _Tally(network, shape)
    example = next(network.parameters(), torch.empty(0))
    image = torch.zeros(1, *shape, device=example.device, dtype=example.dtype)
    tally.fields.start(image)
    try:
        with evaluating(network), torch.no_grad():
            tally.watch()
            network(image)
    except RuntimeError as error:
        raise UsageError(f"the network does not take pictures of {format_shape(shape)}: {error}") from error
    return NetworkSummary(tuple(shape), tuple(tally.rows()))


def multiply_adds(network: nn.Module, shape: Shape, most: float = math.inf, seconds: float = math.inf) -> int:
    """Multiplications with a weight for one picture, as :attr:`NetworkSummary.multiply_adds`, counted in a pass.

    :param most: the count ends once it is above this, so that it takes no longer than so much arithmetic.
    :param seconds: it ends with the layer that is under way after so many.
    """
    total, end = 0, time.perf_counter() + seconds

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal total
        total += _multiply_adds(module, output) if isinstance(output, Tensor) else 0
        if total > most or time.perf_counter() > end:
            raise _EnoughError

    example = next(network.parameters(), torch.empty(0))
    with evaluating(network), torch.no_grad(), suppress(_EnoughError):
        for module in filter(_is_layer, network.modules()):
            module.register_forward_hook(note)
        network(torch.zeros(1, *shape, device=example.device, dtype=example.dtype))
    return total


class _EnoughError(Exception):
    """Leaves a forward pass that has shown enough."""


class _Tally:
    """What is seen of each layer while one picture passes."""

    def __init__(self, network: nn.Module, shape: Shape) -> None:
        self.layers = {module: name for name, module in network.named_modules() if _is_layer(module)}
        self.fields = ReceptiveFieldTracker(shape)
        self.seen: dict[nn.Module, tuple[Shape, HeightWidth | None]] = {}
        self.multiply_adds = dict.fromkeys(self.layers, 0)

    def watch(self) -> None:
        """From now on every layer reports what passes through it."""
        for module in self.layers:
            module.register_forward_hook(self.note)

    def note(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not isinstance(output, Tensor):
            return
        field = self.fields.passed(module, [value for value in inputs if isinstance(value, Tensor)], output)
        self.seen[module] = (tuple(output.shape[1:]), field)
        self.multiply_adds[module] += _multiply_adds(module, output)

    def rows(self) -> Iterator[LayerRow]:
        counted: set[int] = set()
        order = [*self.seen, *(module for module in self.layers if module not in self.seen)]
        for module in order:
            own = [(n, p) for n, p in module.named_parameters(recurse=False) if id(p) not in counted]
            counted.update(id(parameter) for _, parameter in own)
            biases = sum(parameter.numel() for name, parameter in own if "bias" in name)
            shape, field = self.seen.get(module, (None, None))
            yield LayerRow(
                name=self.layers[module] or "network",
                kind=type(module).__name__,
                output=shape,
                kernel=_kernel(module),
                weights=sum(parameter.numel() for _, parameter in own) - biases,
                biases=biases,
                buffers=sum(b.numel() for b in module.buffers(recurse=False) if b.is_floating_point()),
                multiply_adds=self.multiply_adds[module],
                receptive_field=field,
            )


def _is_layer(module: nn.Module) -> bool:
    has_parts = isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict) or any(
        True for _ in module.children()
    )
    return not has_parts or any(True for _ in module.parameters(recurse=False))


def _kernel(module: nn.Module) -> HeightWidth | None:
    size = getattr(module, "kernel_size", None)
    return pair(size) if isinstance(size, int) or (isinstance(size, tuple) and len(size) == 2) else None


def _multiply_adds(module: nn.Module, output: Tensor) -> int:
    """Every weight of a kernel is used once for each position of the output."""
    if isinstance(module, nn.Linear):
        return output.numel() // module.out_features * module.weight.numel()
    if isinstance(module, _ConvNd) and not isinstance(module, _ConvTransposeNd):
        return output[0, 0].numel() * module.weight.numel()
    return 0


_COLUMNS = ("layer", "kind", "output", "kernel", "weights", "biases", "multiply-adds", "sees")


def _table(summary: NetworkSummary) -> str:
    lines = [_COLUMNS, *(cells(row) for row in summary.rows)]
    totals = (f"{number:,}" for number in (summary.weights, summary.biases, summary.multiply_adds))
    lines.append(("total", "", "", "", *totals, ""))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(_aligned(line, widths)).rstrip() for line in lines]
    return "\n".join([text[0], "─" * max(map(len, text)), *text[1:-1], "─" * max(map(len, text)), text[-1]])


def cells(row: LayerRow) -> tuple[str, ...]:
    """A layer as the texts of a table: name, kind, output, kernel, weights, biases, multiply-adds, receptive field."""
    kernel, field = (format_shape(size) if size else "" for size in (row.kernel, row.receptive_field))
    numbers = (f"{number:,}" if number else "" for number in (row.weights, row.biases, row.multiply_adds))
    return row.name, row.kind, "" if row.output is None else format_shape(row.output), kernel, *numbers, field


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Words to the left, sizes and numbers to the right."""
    return [f"{c:<{w}}" if n < 2 else f"{c:>{w}}" for n, (c, w) in enumerate(zip(line, widths, strict=True))]
