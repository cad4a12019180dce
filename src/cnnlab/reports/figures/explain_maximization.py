"""Pictures made by activation maximisation, drawn."""

from typing import TYPE_CHECKING

import numpy as np

from cnnlab.explain import Maximized
from cnnlab.reports.contents.explain_captions import maximized_caption
from cnnlab.reports.figures.explain_grid import draw_grid, shown_pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 64


def draw_maximized(shown: Maximized, *, most: int = MOST, caption: str | None = None) -> "Figure":
    """The pictures side by side, each with the number of its channel or the name of its class under it.

    :param most: that are shown at most, the first of those made.
    :param caption: what is written under it; a description unless given.
    """
    tiles = np.stack([shown_pixels(image) for image in shown.images[:most]])
    labels = shown.names[:most] if shown.layer is None else [str(number) for number in shown.units[:most]]
    return draw_grid(tiles, labels, maximized_caption(shown) if caption is None else caption)
