"""The computation of a model as a graph, by ``torch.export``, for any number of pictures."""

import contextlib
import io
import logging
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from cnnlab.core.errors import UsageError, one_line
from cnnlab.core.sinks import for_message
from cnnlab.export.onnx_model import INPUT
from cnnlab.export.resizing import WithResize
from cnnlab.models import Predictable, evaluating

_MOST_SAID = 160


class _Entry(torch.nn.Module):
    """A model whose one argument bears the name that exported files give it."""

    def __init__(self, model: Predictable) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.model(images)
        return outputs


def traced(model: Predictable, label: str) -> ExportedProgram:
    """What a model computes of uint8 pictures N×C×H×W, in float32 by torch's own operators; the model stays as it is.

    N may be any number, and with :class:`~cnnlab.export.resizing.WithResize` height and width too.

    :param label: what messages call the model.
    :raises UsageError: where it does something that cannot be followed.
    """
    channels, height, width = model.shape
    # The numbers of an example that could be constants, 0 and 1, are taken for constants.
    sides: dict[int, Any] = {0: Dim("batch")}
    if isinstance(model, WithResize):
        sides |= {2: Dim("height"), 3: Dim("width")}
        height, width = height + 3, width + 5
    example = torch.zeros(2, channels, height, width, dtype=torch.uint8)
    with evaluating(model, is_frozen=True), torch.no_grad(), silent():
        try:
            return torch.export.export(_Entry(model).eval(), (example,), dynamic_shapes={INPUT: sides})
        except Exception as error:
            raise _not_followed(label, error) from error


def in_few_words(error: BaseException) -> str:
    """The first line of what an exporter says, or of what was the cause of that."""
    while error.__cause__ is not None:
        error = error.__cause__
    return for_message(one_line(error))[:_MOST_SAID].rstrip(".")


def _not_followed(label: str, error: Exception) -> UsageError:
    """That a model has no graph, with the line that has none, and what PyTorch says of it in short."""
    return UsageError(
        f"{label} cannot be exported: PyTorch's exporter does not follow what it computes{_line_of(error)} "
        f"({in_few_words(error)}). Export one of the models that it is made of, or a network without that step; cnnlab "
        "itself opens it wherever it is installed, by cnnlab.open_model."
    )


def _line_of(error: BaseException) -> str:
    """The innermost line of a network at which an exporter gave up, where it is known, as part of a sentence."""
    exporters = (Path(torch.__file__).parent, Path(__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not any(Path(frame.filename).is_relative_to(folder) for folder in exporters)
    ]
    if not frames:
        return ""
    line = for_message(frames[-1].line or "")[:_MOST_SAID]
    return f" in line {frames[-1].lineno} of {for_message(Path(frames[-1].filename).name)}, «{line}»"


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """A block in which exporters, which tell developers of PyTorch much, write nothing."""
    before = logging.root.manager.disable
    # What some of them print of a graph that they give up goes to neither log nor warnings.
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)
