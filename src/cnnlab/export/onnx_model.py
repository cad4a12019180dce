"""An exported ONNX file, run by ONNX Runtime."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.core.files import read_regular
from cnnlab.core.lazy_imports import require
from cnnlab.core.machine import usable_cores
from cnnlab.export.facts import Facts
from cnnlab.export.golden import read_golden

INPUT, OUTPUT = "images", "outputs"
MOST_BYTES = (2 << 30) - 1
"""Of one file of ONNX."""
_BATCH, _BATCH_PIXELS = 64, 1 << 21
_PURPOSE = "running an ONNX file"


class OnnxModel:
    """What a file that :func:`cnnlab.export` wrote says of pictures; torch is not loaded for it.

    The file may be anybody's: it is refused where it is of other operators than those of ONNX, has steps that repeat
    others, or takes numbers from other files.

    :param path: of the file.
    :raises UsageError: where onnx or onnxruntime is not installed.
    :raises ModelFileError: for a file that is damaged, or that cnnlab did not write.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        onnx, _ = require("onnx", _PURPOSE), require("onnxruntime", _PURPOSE, "onnx")
        try:
            content = read_regular(self.path, MOST_BYTES)
            proto = onnx.load_model_from_string(content)
        except FileNotFoundError as error:
            raise ModelFileError(f"there is no model file {self.path}.") from error
        except OSError as error:
            raise ModelFileError(f"{self.path} cannot be read: {error.strerror}.") from error
        except Exception as error:  # protobuf has kinds of its own
            raise _damaged(self.path, error) from error
        self.facts = Facts.read(self.path, {entry.key: entry.value for entry in proto.metadata_props})
        _check_graph(proto, self.path)
        self._session = session(content, self.path)

    @property
    def classes(self) -> dict[str, list[str]]:
        """Class names of each target column that holds classes, in the order of the outputs."""
        return self.facts.classes

    def outputs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The raw outputs, N×K, of pictures N×C×H×W.

        :raises UsageError: for pictures of another kind or shape than the file takes.
        :raises ModelFileError: where the graph does not do what the file says of it.
        """
        channels, *sides = self.facts.shape
        fits = images.ndim == 4 and images.shape[1] == channels and images.size > 0
        if images.dtype != np.uint8 or not fits or not (self.facts.any_size or list(images.shape[2:]) == sides):
            raise UsageError(
                f"{self.path} takes {self.facts.preprocessing} It was given {images.dtype} of the shape "
                f"{list(images.shape)}."
            )
        try:
            outputs = answers(self._session, images)
        except Exception as error:  # it has a kind of its own for each way to fail
            raise _damaged(self.path, error) from error
        if outputs.ndim != 2 or len(outputs) != len(images) or outputs.dtype != np.float32:
            raise _damaged(self.path, ValueError(f"it gives {outputs.dtype} of the shape {list(outputs.shape)}"))
        return outputs

    def check(self) -> float:
        """The largest difference between the answers to the golden pictures here and where the file was exported.

        :raises ModelFileError: where these do not lie beside the file, are damaged, or are of another one.
        """
        golden = read_golden(self.path)
        outputs = self.outputs(golden.images)
        if outputs.shape != golden.outputs.shape:
            raise _damaged(self.path, ValueError(f"it gives {outputs.shape[1]} numbers and not as many as there"))
        return float(np.abs(outputs - golden.outputs).max())


def session(content: bytes, path: Path) -> Any:
    """ONNX Runtime over the bytes of a file, on the processor.

    :param path: of the file, for messages.
    """
    runtime = require("onnxruntime", _PURPOSE, "onnx")
    options = runtime.SessionOptions()
    # What it warns of are its own choices; errors are raised.
    options.log_severity_level = 3
    # Left to itself it takes the cores of the machine, also those that this process may not use.
    options.intra_op_num_threads = usable_cores()
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _damaged(path, error) from error


def answers(runs: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The outputs of a session for pictures, some at a time."""
    height, width = images.shape[2:]
    batch = max(1, min(_BATCH, _BATCH_PIXELS // (height * width)))
    parts = [images[start : start + batch] for start in range(0, len(images), batch)]
    return np.concatenate([runs.run([OUTPUT], {INPUT: part})[0] for part in parts])


def _check_graph(proto: Any, path: Path) -> None:
    """Refuses what no file of ours has."""
    graph = proto.graph
    if [value.name for value in graph.input] != [INPUT] or [value.name for value in graph.output] != [OUTPUT]:
        raise _damaged(path, ValueError(f"it does not take {INPUT} and give {OUTPUT}"))
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    foreign = sorted({node.op_type for node in graph.node if node.domain not in ("", "ai.onnx")})
    if foreign or len(proto.functions) or any(each.HasField("g") or len(each.graphs) for each in attributes):
        raise _damaged(path, ValueError(f"it has steps that cnnlab does not write: {', '.join(foreign) or 'loops'}"))
    if any(tensor.data_location or len(tensor.external_data) for tensor in _tensors(graph, attributes)):
        raise _damaged(path, ValueError("it takes numbers from other files"))


def _tensors(graph: Any, attributes: list[Any]) -> Iterator[Any]:
    """All that numbers of a graph are held by."""
    sparse = [*graph.sparse_initializer]
    yield from graph.initializer
    for attribute in attributes:
        yield from (attribute.t, *attribute.tensors)
        sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    for each in sparse:
        yield from (each.values, each.indices)


def _damaged(path: Path, error: Exception) -> ModelFileError:
    reason = " ".join(str(error).split())[:160]
    return ModelFileError(
        f"{path} is no ONNX file of cnnlab's that runs here, or cut short ({reason}). Take a whole copy of it."
    )
