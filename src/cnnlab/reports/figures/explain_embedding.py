"""Maps of pictures, drawn: points by class, with thumbnails at some of them."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnnlab.explain import DataSetComparison, Embedding, EmbeddingOverEpochs
from cnnlab.reports.colours import FAINT, INK, PAPER, SOFT, class_colours
from cnnlab.reports.contents.explain_embedding import class_places, spread_places
from cnnlab.reports.figures.style import SIZE, WIDTH, sheet, short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NAMED = 20
"""Classes of a legend, and names written on a map."""
_THUMBNAILS, _SIDE = 26, 0.065
"""Pictures shown, and their side as a share of the map's."""
_SMALL = 8.5
_NAME = 12
"""Letters of a class on the map."""


def draw_embedding(embedding: Embedding, thumbnails: int = _THUMBNAILS) -> "Figure":
    """One map: a point a picture in the colour of its class, names at the middle of classes, and a legend.

    :param thumbnails: at most so many pictures, at points spread over the map.
    """
    rows = _legend_rows(embedding)
    figure, (axes,) = sheet(WIDTH + 0.22 * rows)
    _draw_map(axes, embedding, thumbnails, _SIDE)
    _name_classes(axes, embedding)
    _add_legend(figure, embedding)
    return figure


def draw_embedding_epochs(over: EmbeddingOverEpochs) -> "Figure":
    """A map for each epoch, two in a row, each with how many neighbours are right on it."""
    columns = 2
    rows = math.ceil(len(over.maps) / columns)
    first = over.maps[0]
    height = rows * (WIDTH / columns + 0.42) + 0.22 * _legend_rows(first)
    figure, panels = _panels(height, rows, columns)
    for axes, one in zip(panels, over.maps, strict=False):
        plane = one.quality.plane
        right = "" if plane is None else f": {plane.accuracy:.1%} right"
        axes.set_title(f"epoch {one.epoch}{right}", color=INK, fontsize=SIZE)
        _draw_map(axes, one, 0, 0, WIDTH / columns)
    for axes in panels[len(over.maps) :]:
        axes.set_visible(False)
    _add_legend(figure, first)
    return figure


def draw_data_sets(comparison: DataSetComparison, thumbnails: int = 16) -> "Figure":
    """Two maps beside each other, each under the numbers that decide."""
    first, second = comparison.maps
    is_shared = first.names == second.names
    rows = _legend_rows(first) if is_shared else 0
    figure, panels = sheet(WIDTH + 0.75 + 0.22 * rows, columns=2)
    for axes, name, one in zip(panels, comparison.names, comparison.maps, strict=True):
        codes = one.quality.codes
        among = one.space.partition(" (")[0]
        told = "" if codes is None else f"\n{codes.accuracy:.1%} told by neighbours among the {among}"
        axes.set_title(f"{short_label(name)}{told}", color=INK, fontsize=SIZE)
        _draw_map(axes, one, thumbnails, _SIDE)
        _name_classes(axes, one)
    if is_shared:
        _add_legend(figure, first)
    return figure


def _panels(height: float, rows: int, columns: int) -> "tuple[Figure, list[Axes]]":
    """Panels that share the width of one figure, each with a scale of its own."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def _draw_map(axes: "Axes", embedding: Embedding, thumbnails: int, side: float, inches: float = WIDTH) -> None:
    points = embedding.positions
    middle, reach = (points.max(0) + points.min(0)) / 2, np.ptp(points, axis=0).max() / 2 * (1.03 + side)
    colours = np.array(class_colours(max(1, len(embedding.names))))
    shown = SOFT if embedding.labels is None else colours[embedding.labels]
    # In square points, by the room there is for each.
    size = min(16.0, max(2.2, 2600 * inches / len(points)))
    # As one picture in a file of lines: ten thousand marks would be a megabyte.
    axes.scatter(
        points[:, 0], points[:, 1], s=size, c=shown, linewidths=0, alpha=0.75, rasterized=len(points) > 1000, zorder=2
    )
    for place in spread_places(points, thumbnails, 2.2 * reach * side).tolist() if thumbnails else ():
        _draw_thumbnail(axes, embedding, place, reach * side, colours)
    axes.set(xlim=(middle[0] - reach, middle[0] + reach), ylim=(middle[1] - reach, middle[1] + reach))
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set(visible=True, color=FAINT)
    axes.grid(visible=False)


def _draw_thumbnail(axes: "Axes", embedding: Embedding, place: int, half: float, colours: "NDArray[np.str_]") -> None:
    from matplotlib.patches import Rectangle

    x, y = embedding.positions[place]
    pixels = embedding.thumbnails[place].transpose(1, 2, 0)
    height, width = pixels.shape[:2]
    across, up = half * width / max(height, width), half * height / max(height, width)
    shown = pixels[..., :3] if pixels.shape[2] > 2 else pixels[..., 0]
    extent = (x - across, x + across, y - up, y + up)
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="none", zorder=3)
    edge = INK if embedding.labels is None else colours[embedding.labels[place]]
    axes.add_patch(
        Rectangle((x - across, y - up), 2 * across, 2 * up, fill=False, edgecolor=edge, linewidth=1.4, zorder=3.1)
    )


def _name_classes(axes: "Axes", embedding: Embedding) -> None:
    if len(embedding.names) > _MOST_NAMED:
        return
    for label, (x, y) in class_places(embedding).items():
        name = short_label(embedding.names[label], _NAME)
        # Paper behind it: a name is to be read over points and pictures, in a file of pixels too.
        behind = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "boxstyle": "round,pad=0.15"}
        axes.text(x, y, name, color=INK, fontsize=_SMALL, ha="center", va="center", zorder=5, bbox=behind)


def _legend_columns(embedding: Embedding) -> int:
    longest = max((min(len(name), _NAME) for name in embedding.names), default=1)
    return max(1, min(5, int(58 / (longest + 5))))


def _legend_rows(embedding: Embedding) -> int:
    if embedding.labels is None or len(embedding.names) > _MOST_NAMED:
        return 0
    return math.ceil(len(embedding.names) / _legend_columns(embedding))


def _add_legend(figure: "Figure", embedding: Embedding) -> None:
    from matplotlib.lines import Line2D

    if not _legend_rows(embedding):
        return
    colours = class_colours(len(embedding.names))
    marks = [
        Line2D([], [], linestyle="", marker="o", markersize=6, color=colour, label=short_label(name, _NAME))
        for colour, name in zip(colours, embedding.names, strict=True)
    ]
    figure.legend(
        handles=marks,
        loc="outside lower center",
        ncols=_legend_columns(embedding),
        frameon=False,
        labelcolor=INK,
        fontsize=_SMALL,
        handletextpad=0.1,
        columnspacing=1.0,
    )
