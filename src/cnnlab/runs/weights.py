"""The files that a run predicts with and goes on from, and what is kept of those that a pack left out."""

import math
from pathlib import Path
from typing import Any

from cnnlab.core.digests import file_digest
from cnnlab.core.errors import CnnlabError
from cnnlab.core.files import check_regular
from cnnlab.runs import record

WEIGHTS = (record.MODEL, record.LAST, record.BACKBONE, record.PIPELINE)
"""Without snapshots, which are what a training came by and are never packed."""
_COUNTED_BY = ("running_mean", "running_var", "num_batches_tracked")


def facts_of_weights(folder: Path) -> dict[str, Any] | None:
    """What is kept of the weights that lie in a folder, as ``weights_left_out`` of ``run.json``; None where none do.

    :raises OSError: when they cannot be read.
    """
    files = {name: file_digest(folder / name) for name in WEIGHTS if (folder / name).is_file()}
    return {"files": files, "parameters": count_parameters(folder / record.MODEL)} if files else None


def parameters_of(folder: Path) -> int | None:
    """Trained numbers of a run's classifier, also where its weights were left out; None where that is not known."""
    counted = count_parameters(folder / record.MODEL)
    if counted is not None:
        return counted
    try:
        left_out = record.read_info(folder).get("weights_left_out") or {}
    except CnnlabError:
        return None
    known: int | None = left_out.get("parameters")
    return known


def count_parameters(path: Path) -> int | None:
    """Trained numbers in a stored classifier, by the head of its file; None where it cannot be read.

    What batch normalisation keeps count of is not trained and does not count.
    """
    from safetensors import SafetensorError, safe_open

    try:
        check_regular(path)
        with safe_open(path, "np") as file:
            kept = [name for name in file.keys() if not name.endswith(_COUNTED_BY)]  # noqa: SIM118
            return sum(int(math.prod(file.get_slice(name).get_shape())) for name in kept)
    except (OSError, SafetensorError):
        return None
