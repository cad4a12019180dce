"""Figures by themselves, drawn to files as reports draw them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cnnlab.augment.preview import Preview
from cnnlab.core.errors import UsageError
from cnnlab.core.hooks import drawer
from cnnlab.evaluation import Confusion
from cnnlab.models import NetworkSummary
from cnnlab.reports.colours import LOOKS
from cnnlab.reports.contents.curves import learning_curves, run_metrics
from cnnlab.reports.contents.network_layout import lay_out_network
from cnnlab.reports.contents.network_parts import network_parts
from cnnlab.reports.figures.augmentation import draw_preview
from cnnlab.reports.figures.class_metrics import draw_confusion_matrices
from cnnlab.reports.figures.curves import draw_curves
from cnnlab.reports.figures.lr_range_test import draw_range_test
from cnnlab.reports.figures.network import draw_network_layout
from cnnlab.reports.figures.style import save_figure, style
from cnnlab.runs import Run
from cnnlab.training import LRRangeTest


@drawer("curves")
def draw_learning_curves(runs: Sequence[Run] | Mapping[str, Run], path: Path | str, title: str = "") -> Path:
    """Draws how trainings went: a panel a metric, a colour a run, training dashed, validation solid.

    A dot marks the epoch whose weights were kept.

    :param runs: by what the figure is to call them, where they are not called by their names.
    :param path: of the file; its suffix names the format.
    :raises UsageError: where there are no runs, one has no epoch behind it, or for a format that cannot be written.
    """
    named = dict(runs) if isinstance(runs, Mapping) else {run.name: run for run in runs}
    if not named:
        raise UsageError("learning curves are drawn of one run or more.")
    curves = [learning_curves(run, label) for label, run in named.items()]
    metrics = {metric.name: metric for run in named.values() for metric in run_metrics(run)}
    looks = {curve.key: LOOKS[place % len(LOOKS)] for place, curve in enumerate(curves)}
    with style():
        return save_figure(draw_curves(curves, list(metrics.values()), looks, title), path)


def draw_confusion(matrices: Confusion | Mapping[str, Confusion], path: Path | str) -> Path:
    """Draws confusion matrices side by side, each under its label, with its accuracy.

    A row is a true class, a column a predicted one; a cell holds its percentage of the row, and is darker the larger.

    :param matrices: one, or several by their labels.
    :param path: of the file; its suffix names the format.
    :raises UsageError: for a format that cannot be written.
    """
    named = {"": matrices} if isinstance(matrices, Confusion) else matrices
    titled = {f"{label}{': ' if label else ''}accuracy {m.accuracy:.2%}": m for label, m in named.items()}
    with style():
        return save_figure(draw_confusion_matrices(titled), path)


def draw_lr_range_test(test: LRRangeTest, path: Path | str) -> Path:
    """Draws the curve of a learning-rate range test with the rate that it suggests.

    :param path: of the file; its suffix names the format.
    :raises UsageError: for a format that cannot be written.
    """
    with style():
        return save_figure(draw_range_test(test), path)


def draw_augmentation(preview: Preview, path: Path | str) -> Path:
    """Draws pictures as they are, after each operation of a pipeline alone, and after all of them: a row each.

    :param path: of the file; its suffix names the format.
    :raises UsageError: for a format that cannot be written.
    """
    with style():
        return save_figure(draw_preview(preview), path)


def draw_network(summary: NetworkSummary, path: Path | str) -> Path:
    """Draws a network as papers do: feature maps as boxes in perspective, with their shapes.

    Boxes are as high as the feature map, as deep as its width and as wide as its channels, all by the root; vectors
    are bars. Branches stand over one another, and a residual block's way around is an arc.

    :param path: of the file; its suffix names the format.
    :raises UsageError: for a format that cannot be written.
    """
    with style():
        return save_figure(draw_network_layout(lay_out_network(network_parts(summary))), path)
