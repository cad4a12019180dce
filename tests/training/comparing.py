"""What two runs of a test are compared by."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnlab.models import load_classifier
from cnnlab.runs import Run

_TIMES = ["seconds", "images_per_second"]


def weights(run: Run, name: str = "model") -> dict[str, Tensor]:
    """The weights in one of a run's files."""
    return load_classifier(run.folder / f"{name}.safetensors").network.state_dict()


def equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Whether they are the same to the bit."""
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def history(run: Run) -> dict[str, Any]:
    """The columns of its history, times aside."""
    return run.history.drop(columns=_TIMES).to_dict("list")


def content(run: Run) -> dict[str, Any]:
    """Everything of a finished run that must not depend on when it ran, and in how many goes."""
    assert run.status == "finished"
    files = {str(p.relative_to(run.folder)): p.read_bytes() for p in sorted(run.folder.rglob("*.safetensors"))}
    return {"files": files, "history": history(run), "scores": run.info["scores"], "live": run.live}


def runs_in(folder: Path) -> list[Run]:
    """The runs under a folder."""
    return [Run(path.parent) for path in sorted(folder.glob("*/run.json"))]
