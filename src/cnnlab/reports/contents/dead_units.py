"""Dead units and zeros of every ReLU, as a table and as arrays by layer and epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnlab.explain import DeadUnits
from cnnlab.reports.contents.tables import Table, TableColumn

_COLUMNS = (
    TableColumn("model", "model"),
    TableColumn("epoch", "epoch", "count"),
    TableColumn("layer", "ReLU"),
    TableColumn("units", "units", "count"),
    TableColumn("dead", "dead", "count"),
    TableColumn("dead_share", "dead", "share"),
    TableColumn("zeros", "zeros", "share"),
)


@dataclass(frozen=True, eq=False)
class DeadOverEpochs:
    """Dead units and zeros of a model, layers×epochs.

    :param label: what the model is called.
    :param layers: ReLUs in the order in which pictures pass them; ``epochs`` are told by number, or as ``selected``.
    :param dead: shares of units; ``zeros`` of all that is put out.
    """

    label: str
    layers: tuple[str, ...]
    epochs: tuple[str, ...]
    dead: NDArray[np.float64]
    zeros: NDArray[np.float64]


def dead_over_epochs(label: str, found: Sequence[DeadUnits]) -> DeadOverEpochs:
    """What was counted of one model after several epochs, as arrays."""
    layers = dict.fromkeys(layer.layer for each in found for layer in each.layers)
    dead, zeros = (np.full((len(layers), len(found)), np.nan) for _ in range(2))
    for column, each in enumerate(found):
        for layer in each.layers:
            row = list(layers).index(layer.layer)
            dead[row, column], zeros[row, column] = layer.dead / max(1, len(layer)), layer.sparsity
    epochs = tuple("selected" if each.epoch is None else str(each.epoch) for each in found)
    return DeadOverEpochs(label, tuple(layers), epochs, dead, zeros)


def dead_units_table(found: Mapping[str, Sequence[DeadUnits]]) -> Table:
    """A row for each ReLU, of each model and epoch.

    :param found: by what the models are called.
    """
    rows = tuple(
        (label, each.epoch, layer.layer, len(layer), layer.dead, layer.dead / max(1, len(layer)), layer.sparsity)
        for label, all_epochs in found.items()
        for each in all_epochs
        for layer in each.layers
    )
    return Table("dead-units", "Dead units and zeros", _COLUMNS, rows).without_empty()
