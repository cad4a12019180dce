"""Tables as values: what a web page, LaTeX and CSV show, each in its own way."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from cnnlab.core.measurements import UnitName
from cnnlab.core.number_text import MINUS, deciding_digits, fixed, with_minus
from cnnlab.evaluation import Estimate, Interval

ColumnKind: TypeAlias = Literal[
    "text", "count", "share", "loss", "minutes", "seconds", "epochs", "images/s", "number", "p"
]
"""How the values of a column are written; shares as percent."""

_HEADINGS: dict[str, str] = {"share": "%", "minutes": "min", "seconds": "s"}
_CHANGES: dict[str, str] = {"share": "points", "minutes": "min", "seconds": "s"}
_DIGITS: dict[str, int] = {"share": 2, "loss": 4, "minutes": 2, "seconds": 1, "epochs": 1, "images/s": 0}
_HUGE = 1e5
"""From here on numbers are written with a power of ten."""
_LEVEL = 0.05
"""p-values are held against it."""
NOTHING = "–"


class IntervalEnds(NamedTuple):
    """Both ends of an interval."""

    low: float
    high: float


def ends_of(interval: Interval | None) -> IntervalEnds | None:
    """Those of an interval as a cell of a table, where there is one."""
    return None if interval is None else IntervalEnds(interval.low, interval.high)


@dataclass(frozen=True)
class TableColumn:
    """One column.

    :param key: its name in the CSV file.
    :param label: its heading, without the unit.
    :param is_change: whether the values are differences, which bear a sign, and are in points where shares differ.
    """

    key: str
    label: str
    kind: ColumnKind = "text"
    is_change: bool = False

    @property
    def unit(self) -> str:
        """What stands behind the label."""
        return (_CHANGES if self.is_change else _HEADINGS).get(self.kind, "")

    @property
    def heading(self) -> str:
        """Label and unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def is_number(self) -> bool:
        """Whether its values stand to the right, under one another."""
        return self.kind != "text"

    def text(self, value: Any) -> str:
        """A value for a person, without the unit."""
        if isinstance(value, IntervalEnds):
            return range_text(value, self.kind, sign=self.is_change)
        return text_of(value, self.kind, sign=self.is_change)


@dataclass(frozen=True)
class Table:
    """Rows of plain values: text, numbers, :class:`IntervalEnds`, or None where there is nothing.

    :param key: by which it is found, and its file named.
    :param keys: of the settings that the rows are about, where each row is about one.
    :param note: what a reader should know of it.
    """

    key: str
    title: str
    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[Any, ...], ...]
    keys: tuple[str, ...] = ()
    note: str = ""

    def texts(self) -> list[list[str]]:
        """Every cell for a person."""
        return [[column.text(value) for column, value in zip(self.columns, row, strict=True)] for row in self.rows]

    def without_empty(self) -> "Table":
        """The same without the columns that hold nothing at all."""
        kept = [place for place in range(len(self.columns)) if any(row[place] is not None for row in self.rows)]
        columns = tuple(self.columns[place] for place in kept)
        rows = tuple(tuple(row[place] for place in kept) for row in self.rows)
        return Table(self.key, self.title, columns, rows, self.keys, self.note)


def text_of(value: Any, kind: str, *, sign: bool = False, digits: int | None = None) -> str:
    """One value for a person, without its unit: shares in percent, a true minus, a dash for nothing.

    :param sign: whether it is a difference: then it has as many digits as show on which side of zero it lies.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind == "p":
        return "< 0.001" if value < 0.001 else fixed(value, deciding_digits([value], [_LEVEL], 3))
    if kind == "number" and isinstance(value, int):
        return _number(float(value), "count", sign, digits)
    return _number(float(value), kind, sign, digits)


def range_text(ends: IntervalEnds, kind: str, *, sign: bool = False) -> str:
    """Both ends of an interval, with equally many digits; of a difference, as many as show their sides of zero."""
    if kind not in _DIGITS or not all(map(math.isfinite, ends)):
        return " to ".join(text_of(end, kind, sign=sign) for end in ends)
    scaled = [_scaled(end, kind) for end in ends]
    least = max(_usual_digits(end, kind) for end in scaled)
    digits = deciding_digits(scaled, [0.0] if sign else [], least)
    return " to ".join(text_of(end, kind, sign=sign, digits=digits) for end in ends)


def with_unit(value: float | None, kind: str, *, sign: bool = False) -> str:
    """The same with its unit: ``93.48%``, ``+1.20 points``, ``12.0 s``."""
    unit = (_CHANGES if sign else _HEADINGS).get(kind, "")
    if value is None or not unit:
        return text_of(value, kind, sign=sign)
    return f"{text_of(value, kind, sign=sign)}{'' if unit == '%' else ' '}{unit}"


def estimate_text(found: Estimate, kind: str, over: str) -> str:
    """A number with its interval, and what that is over: ``2.13% (95% interval 1.10% to 3.05% over test pictures)``."""
    text = with_unit(found.value, kind)
    if found.interval is None:
        return text
    low, high = (with_unit(end, kind) for end in ends_of(found.interval) or ())
    return f"{text} ({found.interval.level:.0%} interval {low} to {high} over {over})"


def metric_column(key: str, label: str, unit: UnitName, *, is_change: bool = False) -> TableColumn:
    """The column of a metric."""
    return TableColumn(key, label, unit, is_change)


def interval_columns(key: str, unit: ColumnKind, *, is_change: bool = False) -> tuple[TableColumn, TableColumn]:
    """Two columns for 95% intervals: over repeats, and of one classifier over pictures, which is another thing."""
    return (
        TableColumn(key, "95% interval over repeats", unit, is_change),
        TableColumn(f"{key} of one training", "95% interval of one classifier, over pictures", unit, is_change),
    )


def new_images_column(key: str, unit: ColumnKind, *, is_change: bool = False) -> TableColumn:
    """The column for 95% intervals by both sources of chance, trainings and pictures."""
    return TableColumn(key, "95% interval on new pictures", unit, is_change)


def interval_cells(ends: IntervalEnds | None, *, is_of_one: bool) -> tuple[IntervalEnds | None, IntervalEnds | None]:
    """The cells of these columns."""
    return (None, ends) if is_of_one else (ends, None)


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as a sentence lists them; those that hold commas themselves are set apart by semicolons."""
    if len(words) < 2:
        return "".join(words)
    mark = ";" if any(", " in word for word in words) else ","
    end = f"{mark} {last}" if mark == ";" else f" {last}"
    return f"{f'{mark} '.join(words[:-1])}{end} {words[-1]}"


def cut(text: str, longest: int) -> str:
    """Text of at most so many letters; of a longer one the beginning."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip(' ,·…')}…"


def capital(text: str) -> str:
    """With a capital letter first, as a title begins."""
    return text[:1].upper() + text[1:]


def _number(value: float, kind: str, sign: bool, digits: int | None) -> str:
    if not math.isfinite(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    scaled = _scaled(value, kind)
    if kind == "count":
        return fixed(scaled, 0, sign=sign, grouped=True)
    # A loss that ran away would push everything else off its figure.
    if digits is None and (kind not in _DIGITS or (kind == "loss" and abs(scaled) >= _HUGE)):
        return with_minus(_four_digits(scaled, "+" if sign else ""))
    if digits is None:
        digits = deciding_digits([scaled], [0.0] if sign else [], _usual_digits(scaled, kind))
    return fixed(scaled, digits, sign=sign, grouped=True)


def _scaled(value: float, kind: str) -> float:
    """As it is written: shares in percent."""
    return value * 100 if kind == "share" else value


def _usual_digits(scaled: float, kind: str) -> int:
    """Digits after the point: none of a whole number of epochs, two of less than a second."""
    if kind == "epochs" and scaled == int(scaled):
        return 0
    return 2 if kind == "seconds" and abs(scaled) < 1 else _DIGITS.get(kind, 4)


def _four_digits(value: float, plus: str) -> str:
    """Four digits that count, noughts at the end among them, so that numbers under one another can be compared."""
    if 1000 <= abs(value) < 1e6:
        return f"{value:{plus},.0f}"
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:{plus}.4g}"
    return f"{value:{plus}#.4g}".rstrip(".")
