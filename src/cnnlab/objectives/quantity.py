"""One number made of target columns, such as the minutes of a time that is given as hour and minute."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from cnnlab.core.devices import widest_float
from cnnlab.core.errors import UsageError
from cnnlab.objectives.columns import Columns, Targets, column_list, number_columns, number_table

Wanted: TypeAlias = str | tuple[str, ...] | None
"""The column or columns that a spec names; None for the only one that holds numbers."""

_MINUTES = {"hour": 60.0, "minute": 1.0, "second": 1 / 60}


@dataclass(frozen=True)
class Quantity:
    """A number made of columns: the sum of each times its unit.

    :param columns: from the largest unit to the smallest.
    :param units: what one of each column is worth, such as 60 and 1 for hour and minute.
    :param tables: for each column that holds classes, the number that each class stands for.
    """

    columns: tuple[str, ...]
    units: tuple[float, ...]
    tables: tuple[tuple[float, ...] | None, ...]

    @classmethod
    def read(cls, columns: Columns, wanted: Wanted, units: Sequence[float] | None, objective: str) -> "Quantity":
        """The number that a spec means.

        :param units: None for 1 of a single column, and for minutes of hour and minute.
        :raises UsageError: when the columns do not hold it.
        """
        names = _names(columns, wanted, objective)
        worth = tuple(units) if units is not None else _usual_units(names, objective)
        if len(worth) != len(names):
            raise UsageError(
                f"units of objective={objective} takes one number for each of {column_list(names)}; got {list(worth)}."
            )
        tables = tuple(number_table(columns, name, objective) for name in names)
        order = sorted(range(len(names)), key=lambda place: -worth[place])
        sorted_parts = zip(*((names[place], worth[place], tables[place]) for place in order), strict=True)
        return cls(*map(tuple, sorted_parts))  # type: ignore[arg-type]

    @property
    def name(self) -> str:
        """What its head is called."""
        return "-".join(self.columns)

    @property
    def column(self) -> str | tuple[str, ...]:
        """The columns as a spec names them."""
        return self.columns[0] if len(self.columns) == 1 else self.columns

    @property
    def span(self) -> tuple[float, float] | None:
        """The least and the largest value, where every column holds classes."""
        parts = []
        for table, unit in zip(self.tables, self.units, strict=True):
            if table is None:
                return None
            parts.append((min(table) * unit, max(table) * unit))
        return sum(low for low, _ in parts), sum(high for _, high in parts)

    def of(self, targets: Targets) -> Tensor:
        """The number of each sample, N, in float64 where the device has it."""
        total: Tensor | float = 0.0
        for name, unit, table in zip(self.columns, self.units, self.tables, strict=True):
            total = total + unit * _looked_up(targets[name], table)
        assert isinstance(total, Tensor)
        return total

    def apart(self, values: Tensor, period: float | None = None) -> dict[str, Tensor]:
        """What the number amounts to in each column, not rounded: all but the smallest unit whole, float64.

        :param period: of a number that goes round a circle.
        """
        rest = values.double() if period is None else values.double().remainder(period)
        parts = {}
        for name, unit in zip(self.columns[:-1], self.units[:-1], strict=True):
            # A quotient may fall short of a whole number by its rounding alone.
            parts[name] = torch.floor(rest / unit + 1e-9)
            rest = rest - parts[name] * unit
        return parts | {self.columns[-1]: rest / self.units[-1]}

    def decode(self, values: Tensor, period: float | None = None) -> dict[str, Tensor]:
        """The value of each column: the nearest class (int64) where it holds classes, else a float32 number."""
        whole, unit = values.double(), self.units[-1]
        if self.tables[-1] is not None and len(self.columns) > 1:
            # 59.7 minutes past two is three o'clock, not two and a sixtieth minute.
            whole = (whole / unit).round() * unit
        parts = self.apart(whole, period)
        return {
            name: parts[name].float() if table is None else _nearest(parts[name], table, self._around(name, period))
            for name, table in zip(self.columns, self.tables, strict=True)
        }

    def _around(self, name: str, period: float | None) -> float | None:
        """The circle of one column's own numbers: that of the whole, where the column is all there is or leads."""
        return None if period is None or name != self.columns[0] else period / self.units[0]


class NumberHead(Protocol):
    """A head that predicts a number.

    :param period: of a number that goes round a circle.
    """

    quantity: Quantity
    period: float | None

    def value(self, outputs: Tensor) -> Tensor:
        """The predicted number, N, from the head's outputs."""


def _names(columns: Columns, wanted: Wanted, objective: str) -> tuple[str, ...]:
    if wanted is not None:
        names = (wanted,) if isinstance(wanted, str) else wanted
        if not names or len(set(names)) != len(names):
            raise UsageError(f"column of objective={objective} takes one column, or a list of different ones.")
        return names
    numeric = number_columns(columns)
    if len(numeric) == 1:
        return (numeric[0],)
    example = ", ".join(numeric[:2]) if numeric else "hour, minute"
    raise UsageError(
        f"objective={objective} needs one target column that holds numbers; the data's columns are: "
        f"{column_list(columns)}. Name one, as in column={numeric[0] if numeric else 'age'}, or several that make up "
        f"one number, as in column=[{example}]."
    )


def _usual_units(names: tuple[str, ...], objective: str) -> tuple[float, ...]:
    if len(names) == 1:
        return (1.0,)
    if set(names) <= set(_MINUTES):
        return tuple(_MINUTES[name] for name in names)
    raise UsageError(
        f"objective={objective} makes one number of {column_list(names)} and needs to know what one of each is worth: "
        f"give units, as in units={[60, *[1] * (len(names) - 1)]}."
    )


def _looked_up(column: Tensor, table: tuple[float, ...] | None) -> Tensor:
    dtype = widest_float(column.device)
    return column.to(dtype) if table is None else torch.tensor(table, dtype=dtype, device=column.device)[column]


def _nearest(numbers: Tensor, table: tuple[float, ...], period: float | None) -> Tensor:
    known = torch.tensor(table, dtype=torch.float64, device=numbers.device)
    apart = (numbers[:, None] - known).abs()
    if period is not None:
        apart = torch.minimum(apart.remainder(period), period - apart.remainder(period))
    return apart.argmin(1)
