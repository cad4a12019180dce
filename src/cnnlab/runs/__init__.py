"""What one training leaves on disk, and the store over it."""

from cnnlab.runs.comparison import RunComparison
from cnnlab.runs.diagnosis import Diagnosis, Finding
from cnnlab.runs.environment import environment
from cnnlab.runs.filter_language import sort_runs
from cnnlab.runs.predictions import Predictions
from cnnlab.runs.run import Run
from cnnlab.runs.scores import Scores
from cnnlab.runs.store import RunStore, RunSummary, compare, store_at
from cnnlab.runs.writer import RunWriter

__all__ = [
    "Diagnosis",
    "Finding",
    "Predictions",
    "Run",
    "RunComparison",
    "RunStore",
    "RunSummary",
    "RunWriter",
    "Scores",
    "compare",
    "environment",
    "sort_runs",
    "store_at",
]
