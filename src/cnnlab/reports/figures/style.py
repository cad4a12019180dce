"""What all figures share: one width that is readable on a phone, one size of text, few colours; and the way to disk."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.core.errors import UsageError
from cnnlab.core.files import replacing
from cnnlab.core.number_text import with_minus
from cnnlab.core.sinks import for_markup
from cnnlab.reports.colours import FAINT, INK, PAPER, SOFT
from cnnlab.reports.contents.tables import TableColumn, cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

WIDTH = 4.7
"""Inches. A phone shows a figure at about this width in points, so that text keeps its size there."""
WIDE = 10.8
"""Inches of a figure that has the width of a page to itself, where text is as large as in the others."""
SIZE = 10.8
"""Points, of all text."""
HALO = "halo"
LONGEST = 26
"""Letters of a label beside an axis; what is longer is cut, and stands in full in the table."""
_DPI = 150
_SCREEN_DPI = 110
_NO_DATE: dict[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None, "ModDate": None}}

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": SIZE,
    "axes.labelsize": SIZE,
    "axes.titlesize": SIZE,
    "xtick.labelsize": SIZE,
    "ytick.labelsize": SIZE,
    "legend.fontsize": SIZE,
    "svg.fonttype": "none",
    "svg.hashsalt": "cnnlab",
    "pdf.fonttype": 42,
    # A dollar in a label is a dollar.
    "text.parse_math": False,
    "path.simplify": True,
}


_width: ContextVar[float] = ContextVar("width", default=WIDTH)


@contextmanager
def wide() -> Iterator[None]:
    """A block in which figures are drawn :data:`WIDE`."""
    token = _width.set(WIDE)
    try:
        yield
    finally:
        _width.reset(token)


@contextmanager
def style() -> Iterator[None]:
    """A block in which figures are drawn and saved in this look, whatever the user has set for matplotlib."""
    from matplotlib import rc_context, rcParamsDefault

    wanted: Any = {key: value for key, value in rcParamsDefault.items() if not key.startswith("backend")}
    wanted.update(_STYLE)
    with rc_context(wanted), warnings.catch_warnings():
        # SVG leaves letters to the fonts of whoever reads it; elsewhere a box stands for one that no font here has.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
        yield


def save_figure(figure: "Figure", path: Path | str) -> Path:
    """Writes the figure, whole or not at all; the suffix names the format.

    :raises UsageError: for a format that cannot be written.
    """
    path = Path(path)
    kinds: dict[str, Any] = figure.canvas.get_supported_filetypes()
    kind = path.suffix.lower().lstrip(".")
    if kind not in kinds:
        raise UsageError(
            f"{path} cannot be written: figures are {', '.join(sorted(kinds))}. Name it with one of these."
        )
    with replacing(path) as temporary, style():
        # The date in a file would make the same figure another file each time.
        figure.savefig(temporary, dpi=_DPI, format=kind, metadata=_NO_DATE.get(kind))
        if kind == "svg":
            temporary.write_text(for_markup(temporary.read_text(encoding="utf-8")), encoding="utf-8")
    return path


def png_of(figure: "Figure") -> bytes:
    """The figure as PNG, for a notebook."""
    content = BytesIO()
    with style():
        figure.savefig(content, dpi=_SCREEN_DPI, format="png")
    return content.getvalue()


def sheet(
    height: float, rows: int = 1, ratios: Sequence[float] | None = None, columns: int = 1
) -> "tuple[Figure, list[Axes]]":
    """A figure of panels; those under one another share their x axis.

    :param height: in inches; each column is as wide as a figure of one panel.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_width.get() * columns, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.05)  # type: ignore[union-attr, call-arg]
    panels = list(figure.subplots(rows, columns, squeeze=False, sharex="col", height_ratios=ratios).flat)
    for axes in panels:
        frame(axes)
    return figure, panels


def frame(axes: "Axes") -> None:
    """No box, light lines to read values by."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(color=SOFT, labelcolor=INK, length=3)
    axes.tick_params(axis="y", length=0)
    axes.grid(color=FAINT, linewidth=0.7)
    axes.set_axisbelow(True)


def in_unit(axis: Any, column: TableColumn) -> None:
    """Writes the numbers along an axis as tables write them, with no more digits than tell them apart."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))

    def written(value: float, _: Any = None) -> str:
        text = f"{value * 100 if column.kind == 'share' else value:.6g}"
        return with_minus(text)

    axis.set_major_formatter(FuncFormatter(written))


def logarithmic(axes: "Axes") -> None:
    """A logarithmic x axis with its numbers written in full; matplotlib would set them as formulas."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def short_label(label: str, longest: int = LONGEST) -> str:
    """A label for a figure, cut where it is too long."""
    return cut(label, longest)


DOT: dict[str, Any] = {"marker": "o", "markersize": 8.5, "markeredgecolor": PAPER, "markeredgewidth": 1.2, "zorder": 4}
"""A mean, with a rim that sets it off from what lies under it."""


def haloed(text: "Text") -> None:
    """Marks text to be given a rim in the colour of the paper when it is written, to be readable over lines."""
    # matplotlib's own rim turns text into outlines.
    text.set_gid(HALO)


def spread_labels(places: Sequence[float], least: float, low: float, high: float) -> list[float]:
    """Places for labels as near as can be to those wanted, at least so far from one another, between two ends."""
    if not places:
        return []
    order = sorted(range(len(places)), key=lambda i: places[i])
    least = min(least, (high - low) / max(1, len(places) - 1)) if len(places) > 1 else least
    result = [min(max(places[i], low), high) for i in order]
    for i in range(1, len(result)):
        result[i] = max(result[i], result[i - 1] + least)
    over = result[-1] - high
    if over > 0:
        result[-1] -= over
        for i in range(len(result) - 2, -1, -1):
            result[i] = min(result[i], result[i + 1] - least)
    spread = [0.0] * len(places)
    for i, place in zip(order, result, strict=True):
        spread[i] = place
    return spread
