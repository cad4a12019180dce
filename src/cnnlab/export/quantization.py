"""Numbers of 8 bits in the place of floats, by ranges that are seen on validation pictures."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.files import storage_errors
from cnnlab.core.lazy_imports import require
from cnnlab.core.messages import warn
from cnnlab.core.number_text import counted
from cnnlab.data import ImageSet
from cnnlab.export.onnx_model import INPUT, answers, session
from cnnlab.export.pictures import first_of
from cnnlab.export.tracing import silent
from cnnlab.objectives import Objective
from cnnlab.runs.record import json_value

CALIBRATED = 512
"""Pictures that ranges are taken from: NVIDIA's guide to TensorRT has about 500 suffice for networks of ImageNet."""
_FEW = 100
"""The least that TensorFlow's guide to post-training quantization advises, which has 100 to 500."""
_BATCH = 64
_KINDS = ("Conv", "Gemm", "MatMul")
_OF_RESIZING = 2
"""The products by which pictures are resized, the first of the graph."""


class _Pictures:
    """Pictures in batches, one after another, as ONNX Runtime asks for them."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = iter(
            [pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH)]
        )

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next batch; None where there is none left."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def quantized(proto: Any, pixels: Tensor, *, any_size: bool, path: Path) -> Any:
    """The graph with convolutions and dense layers computed in whole numbers of 8 bits.

    Static quantisation of ONNX Runtime's: each filter has a scale of its own, activations one a tensor, from the least
    and the largest value that the pictures lead to (Jacob et al. 2018). Weights have 7 of the 8 bits: processors
    without VNNI add two products in 16, which must not overflow.

    :param pixels: uint8 N×C×H×W, of the size that the network sees.
    :param any_size: whether pictures are resized inside, which is left in floats.
    :param path: of the file that it is for, for messages.
    """
    library = require("onnxruntime.quantization", "--int8", "onnx")
    products = [node.name for node in proto.graph.node if node.op_type == "MatMul"]
    with storage_errors(path), tempfile.TemporaryDirectory() as folder, silent():
        source, target = Path(folder, "floats.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(proto.SerializeToString())
        library.quantize_static(
            str(source),
            str(target),
            _Pictures(pixels.numpy()),
            quant_format=library.QuantFormat.QDQ,
            op_types_to_quantize=list(_KINDS),
            nodes_to_exclude=products[:_OF_RESIZING] if any_size else [],
            per_channel=True,
            reduce_range=True,
            activation_type=library.QuantType.QUInt8,
            weight_type=library.QuantType.QInt8,
        )
        return require("onnx", "--int8").load_model_from_string(target.read_bytes())


def calibration_pictures(images: ImageSet) -> Tensor:
    """The first 512 pictures of a set, or all where there are fewer; of fewer than 100 with a warning."""
    pixels = first_of(images, CALIBRATED)
    if len(pixels) < _FEW:
        warn(
            f"the ranges of 8 bits are from {counted(len(pixels), 'picture')}, all that there are for validation; "
            "100 to 500 are advised (TensorFlow's guide to post-training quantization; NVIDIA's to TensorRT: about "
            "500). What lies beyond the ranges is cut off, so compare the scores on another split, or train with more "
            "pictures for validation."
        )
    return pixels


def scores_of(proto: Any, images: ImageSet, targets: dict[str, Tensor], objective: Objective) -> dict[str, Any]:
    """Every metric of what a graph says of a set, as plain JSON."""
    runs = session(proto.SerializeToString(), Path("the graph"))
    parts = torch.split(torch.arange(len(images)), _BATCH)
    outputs = np.concatenate([answers(runs, images.batch(part)[0].numpy()) for part in parts])
    scores: dict[str, Any] = json_value(objective.metrics(torch.from_numpy(outputs), targets))
    return scores
