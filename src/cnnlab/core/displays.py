"""What notebooks show of our objects: small tables of text, all of it escaped."""

from collections.abc import Iterable, Sequence

from cnnlab.core.sinks import for_html

_LEFT, _RIGHT = 'style="text-align: left"', 'style="text-align: right"'


def html_facts(rows: Iterable[tuple[str, object]]) -> str:
    """Labels and values under one another; rows without a value are left out."""
    cells = [(for_html(label), for_html(str(value))) for label, value in rows if value not in (None, "")]
    return f"<table>{''.join(f'<tr><th {_LEFT}>{a}</th><td {_LEFT}>{b}</td></tr>' for a, b in cells)}</table>"


def html_table(columns: Sequence[str], rows: Sequence[Sequence[object]], most: int = 20) -> str:
    """A table with headings; numbers to the right, and beyond ``most`` rows how many more there are."""
    sides = [_RIGHT if isinstance(cell, int | float) else _LEFT for cell in (rows[0] if rows else columns)]
    heads = "".join(f"<th {side}>{for_html(column)}</th>" for side, column in zip(sides, columns, strict=True))
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows[:most])
    more = f"<p>… and {len(rows) - most:,} more</p>" if len(rows) > most else ""
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"<td {_RIGHT}>{'' if value != value else f'{value:.4g}'}</td>"
    text = "" if value is None else for_html(str(value))
    return f"<td {_RIGHT if isinstance(value, int) else _LEFT}>{text}</td>"
