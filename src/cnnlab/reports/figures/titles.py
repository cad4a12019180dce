"""Title and caption above a figure that has none of its own."""

import textwrap
from typing import TYPE_CHECKING, Any

from cnnlab.reports.colours import INK, SOFT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SMALL = 8.5
"""Points of the caption's letters."""
_SMALL_LETTERS, _BOLD_LETTERS = 15.5, 10.8
"""How many letters of the caption, and of the title, go to an inch."""


def entitle(figure: "Figure", title: str, caption: str) -> None:
    """Title and caption above, for which the figure grows; below it a legend may stand."""
    width, height = figure.get_size_inches()
    heading = textwrap.wrap(title, int(width * _BOLD_LETTERS))
    under = textwrap.wrap(caption, int(width * _SMALL_LETTERS))
    first, above = 0.19 * len(heading) + 0.12, 0.19 * len(heading) + 0.15 * len(under) + 0.2
    whole = height + above
    figure.set_size_inches(width, whole)
    words: dict[str, Any] = {"x": 0.08 / width, "ha": "left", "va": "top"}
    figure.text(y=1 - 0.06 / whole, s="\n".join(heading), color=INK, fontweight="bold", **words)
    figure.text(y=1 - first / whole, s="\n".join(under), color=SOFT, fontsize=_SMALL, **words)
    share, engine = height / whole, figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, share))  # type: ignore[call-arg]
        if any(axes.get_aspect() != "auto" for axes in figure.axes):
            # Panels of a fixed shape have their labels within the figure only once it is laid out a second time.
            figure.draw_without_rendering()
        return
    for axes in figure.axes:
        x, y, wide, high = axes.get_position().bounds
        axes.set_position((x, y * share, wide, high * share))
