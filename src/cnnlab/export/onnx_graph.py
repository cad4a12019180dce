"""A graph of PyTorch's as one of ONNX, and that as the bytes of one file."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from cnnlab.core.errors import UsageError
from cnnlab.core.lazy_imports import require
from cnnlab.export.facts import Facts
from cnnlab.export.onnx_model import INPUT, MOST_BYTES, OUTPUT
from cnnlab.export.tracing import in_few_words, silent

OPSET = 20
"""Of ONNX 1.15, from November 2023; what reads ONNX reads it."""
_AXES = ("batch", None, "height", "width")


def check_packages() -> None:
    """Refuses to begin where a package is missing, naming what to install."""
    for package in ("onnx", "onnxruntime", "onnxscript"):
        require(package, "exporting as ONNX", "onnx")


def check_size(model: nn.Module, label: str) -> None:
    """Refuses a model, before any work, whose numbers alone are more than one file of ONNX can hold.

    :raises UsageError: naming what holds it.
    """
    _check_size(sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers())), label)


def onnx_graph(program: ExportedProgram, label: str) -> Any:
    """The same computation as an ONNX ``ModelProto``, batch normalisation worked into the convolutions before it.

    :raises UsageError: where there is no operator of ONNX's for a step.
    """
    with silent():
        try:
            made = torch.onnx.export(
                program,
                (),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                external_data=False,
                verbose=False,
            )
            assert made is not None
            proto = made.model_proto
        except Exception as error:  # converters of operators may fail in any way
            raise UsageError(
                f"{label} has a step that PyTorch cannot write as ONNX ({in_few_words(error)}). Export it as "
                "model.pt2, or a network without that step."
            ) from error
    _clean(proto)
    return proto


def _clean(proto: Any) -> None:
    """Takes out what exporters note of the program that made it, with paths of this machine; names what may vary."""
    graph = proto.graph
    values = [*graph.input, *graph.output, *graph.value_info]
    for part in (proto, graph, *graph.node, *graph.initializer, *values):
        part.doc_string = ""
        del part.metadata_props[:]
    renamed = {}
    for name, dimension in zip(_AXES, graph.input[0].type.tensor_type.shape.dim, strict=True):
        if name and dimension.dim_param:
            renamed[dimension.dim_param] = name
    for value in values:
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_param = renamed.get(dimension.dim_param, dimension.dim_param)


def with_facts(proto: Any, facts: Facts, label: str) -> bytes:
    """The bytes of the file, with what it says of itself.

    :raises UsageError: where they are more than one file of ONNX can hold, 2 GB.
    """
    _set_metadata(proto, facts.metadata().items())
    proto.producer_name, proto.producer_version = "cnnlab", facts.cnnlab
    _check_size(proto.ByteSize(), label)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _check_size(size: int, label: str) -> None:
    if size > MOST_BYTES:
        raise UsageError(
            f"{label} takes {size / 1e9:.1f} GB, and one ONNX file holds 2 GB. Export it as .pt2, or into a folder for "
            "the Hugging Face Hub."
        )


def _set_metadata(proto: Any, items: Iterable[tuple[str, str]]) -> None:
    del proto.metadata_props[:]
    for key, value in items:
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
