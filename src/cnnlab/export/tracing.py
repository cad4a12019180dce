"""The computation of a model as a graph, by ``torch.export``, for any number of pictures."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from cnnlab.core.errors import UsageError
from cnnlab.core.sinks import for_message
from cnnlab.export.resizing import WithResize
from cnnlab.models import Predictable, evaluating

INPUT, OUTPUT = "images", "outputs"
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
            raise not_followed(label, error) from error


def not_followed(label: str, error: Exception) -> UsageError:
    """That a model has no graph, with what PyTorch says of it in short."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return UsageError(
        f"{label} cannot be exported: PyTorch's exporter does not follow what it computes "
        f"({for_message(lines[0])[:_MOST_SAID].rstrip('.')}). Export one of the models that it is made of, or a "
        "network without that step; cnnlab itself opens it wherever it is installed, by cnnlab.open_model."
    )


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
