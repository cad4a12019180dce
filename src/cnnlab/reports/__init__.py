"""What a person reads: figures of stored runs, and whole reports.

Contents are worked out by functions of plain values, figures draw them, and sections put both on the page.
"""

from cnnlab.reports.attacks.fooling import write_fooling
from cnnlab.reports.attacks.write import write_attack, write_curve
from cnnlab.reports.draw import (
    draw_augmentation,
    draw_confusion,
    draw_learning_curves,
    draw_lr_range_test,
    draw_network,
)
from cnnlab.reports.explanations.write import write_explanations
from cnnlab.reports.report import write_runs_report, write_study_report
from cnnlab.reports.single_figures import SingleFigure, figure_of_runs, figure_of_study

__all__ = [
    "SingleFigure",
    "draw_augmentation",
    "draw_confusion",
    "draw_learning_curves",
    "draw_lr_range_test",
    "draw_network",
    "figure_of_runs",
    "figure_of_study",
    "write_attack",
    "write_curve",
    "write_explanations",
    "write_fooling",
    "write_runs_report",
    "write_study_report",
]
