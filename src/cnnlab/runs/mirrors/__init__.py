"""Mirrors: the record of a run copied into TensorBoard or MLflow, while it is written or afterwards.

A mirror reads the run's folder and nothing else, so that it knows nothing that the record does not: a training is not
waited for, and what a mirror missed it finds there later.
"""

from cnnlab.runs.mirrors import mlflow_mirror, tensorboard_mirror
from cnnlab.runs.mirrors.following import mirror_run, mirrored, telling
from cnnlab.runs.mirrors.mirror import Mirror, Point, RunCopy, check_mirrors, mirrors, parse_mirrors

__all__ = [
    "Mirror",
    "Point",
    "RunCopy",
    "check_mirrors",
    "mirror_run",
    "mirrored",
    "mirrors",
    "mlflow_mirror",
    "parse_mirrors",
    "telling",
    "tensorboard_mirror",
]
