"""The look that all figures share, and their way to disk."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.core.errors import UsageError
from cnnlab.core.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by people who see colours otherwise too (Okabe and Ito, Color Universal Design, 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK = "#333333"
_DPI = 150


def canvas(panels: int, width: float, height: float) -> "tuple[Figure, list[Axes]]":
    """A figure with panels side by side, each so many inches wide and high; no window is opened."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * panels, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1, wspace=0.03)  # type: ignore[union-attr, call-arg]
    axes = figure.subplots(1, panels, squeeze=False)
    return figure, list(axes[0])


def plain_frame(axes: "Axes") -> None:
    """Two sides of the frame, and light lines to read values by."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("0.6")
    axes.tick_params(color="0.6", labelcolor=INK)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)


def literal(text: str) -> str:
    """Text in which no character has a meaning of its own; matplotlib would read what stands between dollar signs."""
    return text.replace("$", r"\$")


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
    with replacing(path) as temporary:
        # The date in a file would make the same figure another file each time.
        figure.savefig(temporary, dpi=_DPI, format=kind, metadata=_NO_DATE.get(kind))
    return path


_NO_DATE: dict[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None, "ModDate": None}}
