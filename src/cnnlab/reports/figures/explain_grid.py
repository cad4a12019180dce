"""Small pictures of one size side by side, each with a few letters under it, a scale for all and words below."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.number_text import with_minus
from cnnlab.explain import Activations
from cnnlab.reports.colours import INK, SOFT
from cnnlab.reports.contents.explain_captions import PERCENTILE
from cnnlab.reports.figures.style import short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHEET = 7.0
"""Inches: what a page has between its margins."""
SIGNED, POSITIVE = "RdBu_r", "viridis"
_SIZE, _SMALL = 9.0, 7.5
_LINE, _LABEL = 0.165, 0.15
"""Inches of a line of the caption, and of the letters under a picture."""
_LETTERS = 14.6
"""Of a caption in an inch, and of a label below it in the small size a little more."""
_GAP, _EDGE = 0.05, 0.08
_BAR = 0.42
_LEAST_PIXELS = 48
_BESIDE = 1.35


@dataclass(frozen=True, eq=False)
class Scale:
    """What colours stand for.

    :param name: of the quantity, with its unit.
    :param is_cut: whether values lie beyond its ends, in the colours of these.
    """

    low: float
    high: float
    name: str
    is_cut: bool = False

    @property
    def colours(self) -> str:
        """Two-sided where it is symmetric about 0, so that 0 is white."""
        return SIGNED if self.low < 0 else POSITIVE


def draw_grid(
    tiles: NDArray[Any],
    labels: Sequence[str],
    caption: str,
    *,
    scale: Scale | None = None,
    columns: int | None = None,
    beside: tuple[NDArray[Any], str] | None = None,
) -> "Figure":
    """The grid as a figure.

    :param tiles: N×h×w of numbers on the scale, or N×h×w×3 of colours in [0, 1].
    :param columns: as many as suit the count unless given.
    :param beside: a picture, h×w×3, that stands to the left, and the words under it.
    """
    from matplotlib.figure import Figure

    columns = columns or _columns(len(tiles), is_beside=beside is not None)
    rows = math.ceil(len(tiles) / columns)
    left = _EDGE + (_BESIDE + 0.25 if beside is not None else 0)
    side = (SHEET - left - _EDGE - (columns - 1) * _GAP) / columns
    tall = side * tiles.shape[1] / tiles.shape[2]
    words = caption_lines(caption)
    below = len(words) * _LINE + 2 * _EDGE + (_BAR if scale else 0)
    grid = rows * (tall + _LABEL) + (rows - 1) * _GAP
    height = max(grid, _BESIDE + _LABEL * 2 if beside is not None else 0) + below + _EDGE
    figure = Figure(figsize=(SHEET, height))
    axes = figure.add_axes(
        (left / SHEET, (height - _EDGE - grid) / height, (SHEET - left - _EDGE) / SHEET, grid / height)
    )
    _draw_tiles(axes, tiles, labels, columns, side, scale)
    if beside is not None:
        _draw_beside(figure, height, *beside)
    if scale is not None:
        _draw_bar(figure, axes, scale, height, len(words))
    write_caption(figure, words, height)
    return figure


def draw_maps(
    shown: Activations, picture: int, places: Sequence[int], name: str, caption: str, *, own_scales: bool
) -> "Figure":
    """Maps of a layer for a picture, this beside them.

    :param places: of the channels, in the order in which they are shown.
    :param own_scales: whether each map is divided by its own largest magnitude, which is written under it.
    """
    tiles: NDArray[Any] = np.nan_to_num(shown.values[picture, places])
    labels = [str(number) for number in shown.channels[places]]
    if own_scales:
        largest = np.abs(tiles).max((1, 2))
        tiles = tiles / np.where(largest > 0, largest, 1)[:, None, None]
        labels = [f"{label}: {value:.3g}" for label, value in zip(labels, largest, strict=True)]
        scale = Scale(-1.0 if tiles.min(initial=0) < 0 else 0.0, 1.0, f"{name} / largest")
    else:
        low, high = shown.limits(picture, PERCENTILE, places)
        scale = Scale(low, high, name, is_cut=bool(np.abs(tiles).max(initial=0) > high))
    return draw_grid(tiles, labels, caption, scale=scale, beside=(shown_pixels(shown.images[picture]), "the picture"))


def shown_pixels(image: NDArray[Any]) -> NDArray[np.float32]:
    """A picture C×H×W in [0, 1] as H×W×3: grey in all three, of other numbers of channels the first."""
    channels = image.transpose(1, 2, 0)
    coloured = channels[..., :3] if channels.shape[2] >= 3 else np.repeat(channels[..., :1], 3, axis=2)
    return np.asarray(coloured.clip(0, 1), dtype=np.float32)


def caption_lines(caption: str, width: float = SHEET) -> list[str]:
    """The caption cut into lines of a figure so wide, in inches."""
    most = int((width - 2 * _EDGE) * _LETTERS)
    # Names of methods and runs hold hyphens.
    return textwrap.wrap(caption, most, break_on_hyphens=False) if caption else []


def caption_height(lines: Sequence[str]) -> float:
    """Inches that lines take."""
    return len(lines) * _LINE + (2 * _EDGE if lines else 0)


def write_caption(figure: "Figure", lines: Sequence[str], height: float) -> None:
    """Writes lines at the foot of a figure that is so high."""
    width = figure.get_figwidth()
    for place, line in enumerate(reversed(lines)):
        where = (_EDGE + place * _LINE + 0.02) / height
        figure.text(_EDGE / width, where, line, fontsize=_SIZE, color=INK, ha="left", va="bottom")


def _columns(count: int, *, is_beside: bool) -> int:
    most = 8 if is_beside else 10
    return max(1, min(most, count, max(4, math.ceil(math.sqrt(1.6 * count)))))


def _draw_tiles(
    axes: "Axes", tiles: NDArray[Any], labels: Sequence[str], columns: int, side: float, scale: Scale | None
) -> None:
    """All tiles as one image, so that hundreds take no longer than one."""
    factor = max(1, math.ceil(_LEAST_PIXELS / max(tiles.shape[1:3])))
    large = tiles.repeat(factor, axis=1).repeat(factor, axis=2)
    high, wide = large.shape[1:3]
    pixel = side / wide
    gap, under = max(1, round(_GAP / pixel)), max(1, round(_LABEL / pixel))
    rows = math.ceil(len(tiles) / columns)
    shape = (rows * (high + under) + (rows - 1) * gap, columns * wide + (columns - 1) * gap, *large.shape[3:])
    sheet = np.full(shape, 1.0 if large.ndim == 4 else np.nan, dtype=np.float32)
    for place, tile in enumerate(large):
        row, column = divmod(place, columns)
        top, left = row * (high + under + gap), column * (wide + gap)
        sheet[top : top + high, left : left + wide] = tile
        letters = max(3, int(side * _LETTERS * 1.12))
        axes.text(
            left + wide / 2 - 0.5,
            top + high + under * 0.1,
            short_label(labels[place], letters),
            fontsize=_SMALL,
            color=SOFT,
            ha="center",
            va="top",
        )
    colours: dict[str, Any] = {} if scale is None else {"cmap": scale.colours, "vmin": scale.low, "vmax": scale.high}
    axes.imshow(sheet, interpolation="nearest", aspect="auto", **colours)
    axes.set_axis_off()


def _draw_beside(figure: "Figure", height: float, image: NDArray[Any], words: str) -> None:
    tall = min(_BESIDE * image.shape[0] / image.shape[1], height - 2 * _EDGE)
    axes = figure.add_axes((_EDGE / SHEET, (height - _EDGE - tall) / height, _BESIDE / SHEET, tall / height))
    axes.imshow(image, interpolation="nearest")
    axes.set_axis_off()
    lines = textwrap.fill(words, int(_BESIDE * _LETTERS))
    where: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "top"}
    axes.text(0.5, -0.03, lines, fontsize=_SMALL, color=INK, **where)


def _draw_bar(figure: "Figure", axes: "Axes", scale: Scale, height: float, lines: int) -> None:
    from matplotlib.ticker import FuncFormatter

    bottom = (lines * _LINE + 2 * _EDGE + 0.2) / height
    bar = figure.add_axes((0.5 - 1.3 / SHEET, bottom, 2.6 / SHEET, 0.09 / height))
    extend = "neither" if not scale.is_cut else "both" if scale.low < 0 else "max"
    shown = figure.colorbar(axes.images[0], cax=bar, orientation="horizontal", extend=extend)
    ends = [scale.low, 0.0, scale.high] if scale.low < 0 < scale.high else [scale.low, scale.high]
    shown.set_ticks(ends)
    shown.ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: with_minus(f"{value:.3g}")))
    shown.ax.tick_params(labelsize=_SMALL, length=2, color=SOFT, labelcolor=INK, pad=1.5)
    shown.outline.set_linewidth(0.4)  # type: ignore[operator]
    figure.text(0.5 - 1.4 / SHEET, bottom, scale.name, fontsize=_SMALL, color=INK, ha="right", va="bottom")
