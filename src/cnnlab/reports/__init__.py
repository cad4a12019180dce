"""What a person reads: figures of stored runs, and whole reports.

A function works out the information, another draws it.
"""

from cnnlab.reports.confusion_matrix import draw_confusion
from cnnlab.reports.learning_curves import Curve, draw_learning_curves, learning_curves
from cnnlab.reports.network_figure import draw_network
from cnnlab.reports.network_layout import NetworkLayout, lay_out_network
from cnnlab.reports.network_parts import FeatureMapBox, Fork, network_parts
from cnnlab.reports.report import write_runs_report, write_study_report

__all__ = [
    "Curve",
    "FeatureMapBox",
    "Fork",
    "NetworkLayout",
    "draw_confusion",
    "draw_learning_curves",
    "draw_network",
    "lay_out_network",
    "learning_curves",
    "network_parts",
    "write_runs_report",
    "write_study_report",
]
