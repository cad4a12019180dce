"""What a person reads: figures of stored runs, and whole reports.

Contents are worked out by functions of plain values, figures draw them, and sections put both on the page.
"""

from cnnlab.reports.draw import (
    draw_augmentation,
    draw_confusion,
    draw_learning_curves,
    draw_lr_range_test,
    draw_network,
)
from cnnlab.reports.report import write_runs_report, write_study_report

__all__ = [
    "draw_augmentation",
    "draw_confusion",
    "draw_learning_curves",
    "draw_lr_range_test",
    "draw_network",
    "write_runs_report",
    "write_study_report",
]
