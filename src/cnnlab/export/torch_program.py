"""A graph as a file of PyTorch's own, which needs cnnlab no more: ``torch.export.load("model.pt2").module()``."""

import io
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.export import ExportedProgram

from cnnlab.export.tracing import silent
from cnnlab.models import batch_for


def answer_by(program: ExportedProgram) -> Callable[[Tensor], Tensor]:
    """What answers pictures, uint8 N×C×H×W, by a graph."""
    module = program.module()

    def answer(pixels: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([module(part) for part in torch.split(pixels, batch_for(pixels.shape, 256))])

    return answer


def program_bytes(program: ExportedProgram, metadata: Mapping[str, str]) -> bytes:
    """The content of a ``.pt2`` file; what it says of itself are extra files in it, by their keys."""
    content = io.BytesIO()
    # Not to the file itself: where the disk is full, PyTorch's writer ends the process.
    with silent():
        torch.export.save(program, content, extra_files={f"{key}.txt": text for key, text in metadata.items()})
    return content.getvalue()


def read_program(content: bytes) -> ExportedProgram:
    """What was just written, as any program would read it."""
    with silent():
        return torch.export.load(io.BytesIO(content))
