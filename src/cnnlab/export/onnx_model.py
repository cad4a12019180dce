"""An exported ONNX file, run by ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.core.files import open_regular
from cnnlab.core.lazy_imports import require
from cnnlab.export.facts import Facts
from cnnlab.export.golden import read_golden

INPUT = "images"
_BATCH = 64


class OnnxModel:
    """What a file that :func:`cnnlab.export` wrote says of pictures; torch is not needed for it.

    :param path: of the file.
    :raises UsageError: where onnxruntime is not installed.
    :raises ModelFileError: for a file that is damaged, or that cnnlab did not write.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            with open_regular(self.path) as file:
                content = file.read()
        except FileNotFoundError as error:
            raise ModelFileError(f"there is no model file {self.path}.") from error
        except OSError as error:
            raise ModelFileError(f"{self.path} cannot be read: {error.strerror}.") from error
        self._session = session(content, self.path)
        self.facts = Facts.read(self.path, self._session.get_modelmeta().custom_metadata_map)

    @property
    def classes(self) -> dict[str, list[str]]:
        """Class names of each target column that holds classes, in the order of the outputs."""
        return self.facts.classes

    def outputs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The raw outputs, N×K, of pictures N×C×H×W.

        :raises UsageError: for pictures of another kind or shape than the file takes.
        """
        channels, *sides = self.facts.shape
        fits = images.ndim == 4 and images.shape[1] == channels and len(images) > 0
        if images.dtype != np.uint8 or not fits or not (self.facts.any_size or list(images.shape[2:]) == sides):
            raise UsageError(
                f"{self.path} takes {self.facts.preprocessing} It was given {images.dtype} of the shape "
                f"{list(images.shape)}."
            )
        return answers(self._session, images)

    def check(self) -> float:
        """The largest difference between the answers to the golden pictures here and where the file was exported.

        :raises ModelFileError: where these do not lie beside the file, or are damaged.
        """
        golden = read_golden(self.path)
        return float(np.abs(self.outputs(golden.images) - golden.outputs).max())


def session(content: bytes, path: Path) -> Any:
    """ONNX Runtime over the bytes of a file, on the processor.

    :param path: of the file, for messages.
    """
    runtime = require("onnxruntime", "running an ONNX file", "onnx")
    options = runtime.SessionOptions()
    # What it warns of are its own choices; errors are raised.
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # it has a kind of its own for each way to fail
        reason = " ".join(str(error).split())[:160]
        raise ModelFileError(
            f"{path} is no ONNX file that runs here, or cut short ({reason}). Take a whole copy of it."
        ) from error


def answers(runs: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The outputs of a session for pictures, some at a time."""
    parts = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    return np.concatenate([runs.run(None, {INPUT: part})[0] for part in parts])
