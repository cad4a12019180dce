"""What goes to standard output: one JSON document, or text and tables for a person."""

import json
import math
import re
import sys
from collections.abc import Sequence
from typing import Any

from cnnlab.core.messages import is_quiet
from cnnlab.core.number_text import MINUS, fixed, plain_number, with_minus
from cnnlab.core.sinks import for_terminal

Row = Sequence[object]
_UNESCAPED = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_GAP = 3
_MOST_RULED = 500
_LEAST = 8
"""Characters that a column gets on a narrow terminal, the space between columns included."""


def write_json(value: Any) -> None:
    """One document; a number that is not finite becomes null."""
    from cnnlab.runs.record import json_value

    # Where standard output is no Unicode, as of a pipe on Windows, a sign that it has not would be lost.
    is_unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(json_value(value), indent=2, ensure_ascii=not is_unicode, allow_nan=False)
    # JSON itself escapes only some of what a terminal obeys.
    print(_UNESCAPED.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text))


def write(text: str = "") -> None:
    """A line of text."""
    print(for_terminal(text))


def heading(text: str) -> None:
    """The title of what follows, set off from what came before."""
    if not sys.stdout.isatty():
        print(f"\n{for_terminal(text)}")
        return
    from rich.console import Console

    Console().print(f"\n{for_terminal(text)}", style="bold", markup=False, highlight=False)


def advise(label: str, commands: Sequence[str]) -> None:
    """What can be done next, set off from what came before; nothing where only results are wanted."""
    if not is_quiet():
        print()
        facts([(label, "\n".join(commands))])


def facts(rows: Sequence[tuple[str, object]], indent: int = 0) -> None:
    """Labels and values under one another; rows without a value are left out."""
    shown = [(for_terminal(label), for_terminal(str(value))) for label, value in rows if value not in (None, "")]
    width = max((len(label) for label, _ in shown), default=0)
    for label, value in shown:
        first, *more = value.splitlines() or [""]
        print(f"{' ' * indent}{label:<{width}}  {first}")
        for line in more:
            print(f"{' ' * (indent + width + 2)}{line}")


def table(columns: Sequence[str], rows: Sequence[Row], *, names: int = 1, keep: int | None = None) -> None:
    """A table: ruled on a terminal, plain columns elsewhere; numbers to the right.

    :param names: how many columns, from the left, hold names: these stand to the left, and are never cut or wrapped.
    :param keep: how many columns stay on a terminal that is too narrow for all; the others go, from the right.
    """
    cells, columns = [[_text(value) for value in row] for row in rows], list(map(for_terminal, columns))
    to_right = [place >= names and _is_numeric([row[place] for row in rows]) for place in range(len(columns))]
    # Rules for thousands of lines take seconds to draw.
    if sys.stdout.isatty() and len(cells) <= _MOST_RULED:
        shown = _fitting(columns, cells, len(columns) if keep is None else keep)
        _ruled(columns[:shown], [line[:shown] for line in cells], to_right[:shown], names)
    else:
        _plain(columns, cells, to_right)


def score(value: object) -> str:
    """A metric to four digits; nothing where there is none."""
    if not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value):
        return ""
    return fixed(value, 4) if abs(value) < 1000 else plain_number(value)


def sure_score(value: object, interval: object = None) -> str:
    """A metric with its interval, where it has one: ``0.9396 (0.9348 to 0.9441)``."""
    text = score(value)
    return f"{text} ({interval})" if text and interval is not None else text


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, float):
        return for_terminal(str(value))
    return plain_number(value) if 1000 <= abs(value) < math.inf else with_minus(f"{value:.4g}")


def _is_numeric(values: Sequence[object]) -> bool:
    known = [value for value in values if value not in (None, "")]
    return bool(known) and all(isinstance(value, int | float) or _is_number(str(value)) for value in known)


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "", 1).lstrip(f"+{MINUS}-").isdigit()


def _plain(columns: Sequence[str], cells: Sequence[Sequence[str]], to_right: Sequence[bool]) -> None:
    widths = [max(len(line[place]) for line in (columns, *cells)) for place in range(len(columns))]
    for line in (columns, *cells):
        parts = [
            f"{text:>{width}}" if right else f"{text:<{width}}"
            for text, width, right in zip(line, widths, to_right, strict=True)
        ]
        print("  ".join(parts).rstrip())


def _fitting(columns: Sequence[str], cells: Sequence[Sequence[str]], keep: int) -> int:
    """How many columns fit beside one another on the terminal, but at least ``keep``."""
    from rich.console import Console

    widths = [max(len(line[place]) for line in (columns, *cells)) for place in range(len(columns))]
    room = Console().width
    count = len(columns)
    while count > keep and sum(widths[:count]) + _GAP * count > room:
        count -= 1
    return count


def _ruled(columns: Sequence[str], cells: Sequence[Sequence[str]], to_right: Sequence[bool], names: int) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    ruled = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, (title, right) in enumerate(zip(columns, to_right, strict=True)):
        longest = max((len(line[place]) for line in cells), default=0)
        ruled.add_column(
            Text(title),
            justify="right" if right else "left",
            overflow="fold",
            min_width=longest if place < names else None,
        )
    for line in cells:
        ruled.add_row(*map(Text, line))
    named = sum(max((len(line[place]) for line in cells), default=0) for place in range(names))
    Console(width=max(Console().width, named + _LEAST * len(columns))).print(ruled)
