"""What a person reads: figures of stored runs, and whole reports.

A function works out the information, another draws it.
"""

from cnnlab.reports.confusion_matrix import draw_confusion
from cnnlab.reports.learning_curves import Curve, draw_learning_curves, learning_curves
from cnnlab.reports.network_figure import draw_network
from cnnlab.reports.network_layout import Layout, lay_out
from cnnlab.reports.network_parts import Box, Fork, network_parts
from cnnlab.reports.report import write_runs_report, write_study_report

__all__ = [
    "Box",
    "Curve",
    "Fork",
    "Layout",
    "draw_confusion",
    "draw_learning_curves",
    "draw_network",
    "lay_out",
    "learning_curves",
    "network_parts",
    "write_runs_report",
    "write_study_report",
]
