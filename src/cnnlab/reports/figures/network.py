"""A network as papers draw it: feature maps as boxes in perspective, with their shapes."""

from typing import TYPE_CHECKING

from cnnlab.reports.colours import COLOURS, INK
from cnnlab.reports.contents.network_layout import POINTS, SLANT, SMALL, Label, Line, NetworkLayout, Solid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FACES = {
    "input": "#BBBBBB",
    "conv": COLOURS[0],
    "pool": COLOURS[1],
    "dense": COLOURS[2],
    "output": COLOURS[4],
    "join": COLOURS[5],
    "group": COLOURS[3],
}
_LIGHT = {"front": 0.45, "top": 0.7, "side": 0.2}
"""How much of white is in each face: the light comes from above."""
_SPACING = 1.25


def draw_network_layout(layout: NetworkLayout) -> "Figure":
    """Boxes as high as the feature map, as deep as its width and as wide as its channels, all by the root.

    Vectors are bars. Branches stand over one another, and a residual block's way around is an arc.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(layout.width, layout.height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, layout.width)
    axes.set_ylim(0, layout.height)
    for line in layout.lines:
        _draw_line(axes, line)
    for solid in layout.solids:
        _draw_solid(axes, solid)
    for (x, y), sign in layout.nodes:
        axes.plot(x, y, "o", markersize=14, markerfacecolor="white", markeredgecolor=INK, markeredgewidth=0.8, zorder=3)
        axes.text(x, y, sign, ha="center", va="center_baseline", fontsize=10, color=INK, zorder=4)
    for label in layout.labels:
        _write(axes, label)
    return figure


def _draw_solid(axes: "Axes", solid: Solid) -> None:
    from matplotlib.patches import Polygon

    x, y, width, height = solid.x, solid.y, solid.width, solid.height
    right, up = solid.depth * SLANT[0], solid.depth * SLANT[1]
    faces = {
        "front": [(x, y), (x + width, y), (x + width, y + height), (x, y + height)],
        "top": [
            (x, y + height),
            (x + width, y + height),
            (x + width + right, y + height + up),
            (x + right, y + height + up),
        ],
        "side": [
            (x + width, y),
            (x + width + right, y + up),
            (x + width + right, y + height + up),
            (x + width, y + height),
        ],
    }
    for face, corners in faces.items():
        colour = _mixed(_FACES[solid.box.kind], _LIGHT[face])
        axes.add_patch(Polygon(corners, facecolor=colour, edgecolor=INK, linewidth=0.5, joinstyle="round", zorder=2))


def _draw_line(axes: "Axes", line: Line) -> None:
    horizontal, vertical = zip(*line.points, strict=True)
    axes.plot(horizontal, vertical, color="0.45", linewidth=0.8, solid_joinstyle="miter", zorder=1)
    if line.tip:
        arrow = {"arrowstyle": "-|>", "color": "0.45", "linewidth": 0, "mutation_scale": 9, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", line.points[-1], line.points[-2], arrowprops=arrow, zorder=1)
    if line.text:
        (left, level), (right, _) = line.points[1], line.points[2]
        patch = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        place = ((left + right) / 2, level)
        axes.text(*place, line.text, ha="center", va="center", fontsize=SMALL, color=INK, bbox=patch, zorder=3)


def _write(axes: "Axes", label: Label) -> None:
    level = label.y
    for place, text in enumerate((*label.lines, *label.notes)):
        is_note = place >= len(label.lines)
        size, colour = (SMALL, "0.45") if is_note else (POINTS, INK)
        axes.text(label.x, level, text, ha="center", va="top", fontsize=size, color=colour, zorder=4)
        level -= size * _SPACING / 72


def _mixed(colour: str, white: float) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    red, green, blue = (part + (1 - part) * white for part in to_rgb(colour))
    return red, green, blue
