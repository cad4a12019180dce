"""Tables as CSV, with every digit, and as LaTeX, rounded as in the report."""

import csv
import io
import re
from typing import Any

from cnnlab.core.sinks import for_csv, for_latex
from cnnlab.reports.contents.tables import NOTHING, IntervalEnds, Table, TableColumn

_LONG = 36
_INTERVAL_ENDS = ("low", "high")


def csv_of(table: Table) -> str:
    """Comma-separated, the keys of the columns on top; numbers in full, shares from 0 to 1, an interval as two."""
    ranges = [any(isinstance(row[i], IntervalEnds) for row in table.rows) for i in range(len(table.columns))]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [name for column, is_range in zip(table.columns, ranges, strict=True) for name in _names(column, is_range)]
    )
    for row in table.rows:
        writer.writerow([cell for value, is_range in zip(row, ranges, strict=True) for cell in _cells(value, is_range)])
    return text.getvalue()


def latex_of(table: Table) -> str:
    """A floating table in the manner of the package booktabs."""
    texts = table.texts()
    kinds = "".join(_alignment(column, [row[i] for row in texts]) for i, column in enumerate(table.columns))
    lines = [" & ".join(_cell(text) for text in row) + r" \\" for row in texts]
    note = f"\n\\par\\smallskip\\footnotesize {for_latex(table.note)}" if table.note else ""
    heading = " & ".join(for_latex(column.heading) for column in table.columns)
    body = "\n".join(lines)
    return (
        "% Needs \\usepackage{booktabs} in the preamble.\n"
        "\\begin{table}[htbp]\n\\centering\n"
        f"\\caption{{{for_latex(table.title)}}}\n\\label{{tab:{slug(table.key)}}}\n"
        f"\\begin{{tabular}}{{{kinds}}}\n\\toprule\n{heading} \\\\\n\\midrule\n{body}\n\\bottomrule\n\\end{{tabular}}"
        f"{note}\n\\end{{table}}\n"
    )


def slug(text: str) -> str:
    """A name for a file and a label: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unnamed"


def _names(column: TableColumn, is_range: bool) -> list[str]:
    key = for_csv(column.key)
    return [f"{key} {end}" for end in _INTERVAL_ENDS] if is_range else [key]


def _cells(value: Any, is_range: bool) -> list[str]:
    if is_range:
        return [_plain(end) for end in value] if isinstance(value, IntervalEnds) else ["", ""]
    return [_plain(value)]


def _plain(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(float(value)) if isinstance(value, float) else for_csv(str(value))


def _alignment(column: TableColumn, texts: list[str]) -> str:
    if column.is_number:
        return "r"
    longest = max(map(len, texts), default=0)
    return "p{0.4\\linewidth}" if longest > _LONG else "l"


def _cell(text: str) -> str:
    return "--" if text == NOTHING else for_latex(text)
