"""A study in a process of its own, which may be killed."""

import multiprocessing
import warnings
from pathlib import Path

import torch.multiprocessing

from cnnlab.studies import Study


def run_study(file: Path, runs: Path) -> None:
    """Runs the study of a file with one worker, which is made as this process was."""
    warnings.simplefilter("ignore")
    torch.multiprocessing.get_context = lambda method: multiprocessing.get_context("forkserver")
    Study.load(str(file), runs=runs).run(workers=1)
