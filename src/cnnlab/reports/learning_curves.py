"""Learning curves: how the loss and a metric went, epoch by epoch, on the training and the validation split."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlab.core.errors import UsageError
from cnnlab.reports.style import COLOURS, INK, canvas, literal, plain_frame, save_figure
from cnnlab.runs import Run

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

_SPLITS = ("train", "validation")
_STYLES: dict[str, dict[str, Any]] = {
    "train": {"linestyle": (0, (4, 2)), "linewidth": 1.3},
    "validation": {"linestyle": "-", "linewidth": 2.0},
}


@dataclass(frozen=True)
class Curve:
    """How one metric of one run went.

    :param metric: such as ``loss`` or ``accuracy``.
    :param epochs: whole numbers from 1.
    :param values: for ``train`` and ``validation`` a value an epoch; a split that was not measured is missing.
    :param selected: the epoch whose weights were kept, where one was.
    """

    run: str
    metric: str
    epochs: tuple[int, ...]
    values: Mapping[str, tuple[float, ...]]
    selected: int | None = None


def learning_curves(run: Run, label: str | None = None) -> list[Curve]:
    """A curve for every metric that was measured on the training split, the loss first; and for that judged by.

    :param label: what the run is called in the figure.
    :raises UsageError: before the first epoch's end.
    """
    history = run.history
    if history.empty:
        raise UsageError(f"{run.folder.name} has no epoch behind it yet, so it has no learning curves.")
    selected = run.info.get("selected") or {}
    judged = str(selected.get("metric") or "").partition("_")[2]
    names = [name.removeprefix("train_") for name in history.columns if name.startswith("train_")]
    names += [judged] if judged not in names and f"validation_{judged}" in history else []
    chosen = selected.get("epoch")
    epochs = tuple(map(int, history["epoch"]))
    curves = []
    for metric in sorted(names, key=lambda name: name != "loss"):
        measured = {split: f"{split}_{metric}" for split in _SPLITS if f"{split}_{metric}" in history}
        values = {split: tuple(map(float, history[column])) for split, column in measured.items()}
        curves.append(Curve(label or run.folder.name, metric, epochs, values, chosen))
    return curves


def draw_learning_curves(curves: Sequence[Curve], path: Path | str, title: str | None = None) -> Path:
    """Draws curves of any number of runs: a panel a metric, a colour a run, training dashed, validation solid.

    A dot marks the epoch whose weights were kept.
    """
    metrics = list(dict.fromkeys(curve.metric for curve in curves))
    runs = list(dict.fromkeys(curve.run for curve in curves))
    figure, panels = canvas(len(metrics), 5.2, 3.9)
    for metric, axes in zip(metrics, panels, strict=True):
        for curve in (curve for curve in curves if curve.metric == metric):
            _draw(axes, curve, COLOURS[runs.index(curve.run) % len(COLOURS)])
        _label(axes, metric, max(curve.epochs[-1] for curve in curves))
    if title:
        figure.suptitle(literal(title), color=INK, fontsize=13)
    lines, words = _key(runs)
    figure.legend(lines, words, loc="outside lower center", ncols=min(6, len(runs) + 3), frameon=False, labelcolor=INK)
    return save_figure(figure, path)


def _draw(axes: "Axes", curve: Curve, colour: str) -> None:
    for split, values in curve.values.items():
        axes.plot(curve.epochs, values, color=colour, marker="." if len(values) == 1 else "", **_STYLES[split])
    best = curve.values.get("validation") or curve.values["train"]
    if curve.selected in curve.epochs:
        place = curve.epochs.index(curve.selected)
        axes.plot(
            curve.selected,
            best[place],
            "o",
            color=colour,
            markeredgecolor="white",
            markersize=8,
            zorder=5,
            clip_on=False,
        )


def _label(axes: "Axes", metric: str, last: int) -> None:
    from matplotlib.ticker import MaxNLocator

    plain_frame(axes)
    axes.set_xlabel("epoch", color=INK)
    axes.set_title(metric.replace("_", " "), loc="left", color=INK, fontsize=11)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=min(last, 2)))
    if metric == "loss":
        axes.set_ylim(bottom=0)


def _key(runs: Sequence[str]) -> "tuple[list[Artist], list[str]]":
    from matplotlib.lines import Line2D

    lines: list[Artist] = [Line2D([], [], color=COLOURS[i % len(COLOURS)], linewidth=2.5) for i in range(len(runs))]
    lines += [Line2D([], [], color="0.4", **_STYLES[split]) for split in _SPLITS]
    lines.append(Line2D([], [], color="0.4", marker="o", linestyle="", markersize=6))
    return lines, [*map(literal, runs), *_SPLITS, "weights kept"]
