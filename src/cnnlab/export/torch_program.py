"""A graph as a file of PyTorch's own, which needs cnnlab no more: ``torch.export.load("model.pt2").module()``."""

from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram

from cnnlab.core.files import replacing
from cnnlab.export.facts import Facts
from cnnlab.export.tracing import silent
from cnnlab.models import batch_for


def program_outputs(program: ExportedProgram, pixels: Tensor) -> Tensor:
    """What a graph says of pictures, uint8 N×C×H×W."""
    module = program.module()
    with torch.no_grad():
        return torch.cat([module(part) for part in torch.split(pixels, batch_for(pixels.shape, 256))])


def write_program(path: Path, program: ExportedProgram, facts: Facts) -> None:
    """Writes a ``.pt2`` file, whole or not at all; what it says of itself are extra files of it, by their keys."""
    with replacing(path) as temporary, silent(), temporary.open("wb") as file:
        torch.export.save(program, file, extra_files={f"{key}.txt": text for key, text in facts.metadata().items()})


def read_program(path: Path) -> ExportedProgram:
    """A file that was just written, as any program would read it."""
    with silent(), path.open("rb") as file:
        return torch.export.load(file)
