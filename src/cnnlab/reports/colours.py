"""The colours of all figures, and what tells things apart where there are more of them than colours."""

from dataclasses import dataclass
from typing import Any

# Told apart by people who see colours otherwise too (Okabe and Ito, Color Universal Design, 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK = "#333333"
SOFT = "#777777"
GREY = "#8A8A8A"
"""Of settings that figures show as background."""
FAINT = "#DDDDDD"
PAPER = "#FFFFFF"
GOOD, BAD = "#007A5A", "#B34700"


@dataclass(frozen=True)
class Look:
    """By what one of several things is known in all figures and tables.

    :param marker: its shape, as matplotlib calls it; ``sign`` is the shape as a letter, ``shape`` its name on a page.
    :param line: how a line of it is dashed, as matplotlib has it.
    """

    colour: str
    marker: str = "o"
    sign: str = "●"
    shape: str = "round"
    line: Any = "-"


_SHAPES: tuple[tuple[str, str, str, Any], ...] = (
    ("o", "●", "round", "-"),
    ("s", "■", "square", (0, (6, 1.5))),
    ("^", "▲", "triangle", (0, (1.6, 1.1))),
)
LOOKS = tuple(Look(colour, *shape) for shape in _SHAPES for colour in COLOURS[:-1])
"""No two alike; the colours first, then again in other shapes."""
BACKGROUND = Look(GREY)

# Ten that stay apart for people who see colours otherwise too (Petroff, Accessible color sequences, 2021).
_CLASSES = (
    *("#3F90DA", "#FFA90E", "#BD1F01", "#94A4A2", "#832DB6"),
    *("#A96B59", "#E76300", "#B9AC70", "#717581", "#92DADD"),
)


def class_colours(count: int) -> tuple[str, ...]:
    """A colour for each of so many classes; beyond ten hues side by side, which only names tell apart."""
    if count <= len(_CLASSES):
        return _CLASSES[:count]
    from colorsys import hls_to_rgb

    # Neighbours in the order of classes differ in lightness as well.
    found = (hls_to_rgb(place / count, (0.38, 0.52, 0.66)[place % 3], 0.62) for place in range(count))
    return tuple("#" + "".join(f"{round(255 * part):02X}" for part in colour) for colour in found)
