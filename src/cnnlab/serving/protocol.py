"""Requests and answers of the Open Inference Protocol, version 2, with tensors as JSON or as bytes behind it.

The protocol is that of KServe (``predict-v2``); tensors as bytes, and classes out of an output, are the extensions
``binary_tensor_data`` and ``classification`` as Triton's server has them. Everything in a request is checked before
room is made for it.
"""

import itertools
import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydantic_core
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cnnlab.core.errors import suggestion
from cnnlab.core.schemas import what_is_wrong
from cnnlab.core.sinks import in_short
from cnnlab.runs.record import json_value
from cnnlab.serving.engine import Answers, Pixels
from cnnlab.serving.limits import Limits
from cnnlab.serving.outputs import OutputTensor, classification
from cnnlab.serving.refusals import RefusedError

INPUT = "images"
VERSION = "1"
HEADER_LENGTH = "Inference-Header-Content-Length"
EXTENSIONS = ("binary_tensor_data", "classification")
_MOST_OUTPUTS = 256


class _Tensor(BaseModel):
    model_config = ConfigDict(strict=True)
    name: str
    datatype: str
    shape: list[int] = Field(max_length=8)
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class _Wanted(BaseModel):
    model_config = ConfigDict(strict=True)
    name: str
    parameters: dict[str, Any] = {}


class _Request(BaseModel):
    model_config = ConfigDict(strict=True)
    id: str | None = Field(default=None, max_length=1000)
    parameters: dict[str, Any] = {}
    inputs: list[_Tensor] = Field(min_length=1, max_length=1)
    outputs: list[_Wanted] | None = Field(default=None, max_length=_MOST_OUTPUTS)


@dataclass(frozen=True)
class WantedOutput:
    """A tensor that was asked for.

    :param is_binary: whether it comes as bytes.
    :param classes: how many of the largest values are wanted, with their classes, in the place of all.
    """

    tensor: OutputTensor
    is_binary: bool
    classes: int = 0


@dataclass(frozen=True)
class InferRequest:
    """What was asked: pictures, uint8 N×C×H×W, and the tensors wanted of them."""

    id: str | None
    pixels: Pixels
    outputs: tuple[WantedOutput, ...]


def read_request(
    body: bytearray,
    header_length: str | None,
    shape: Sequence[int],
    outputs: Mapping[str, OutputTensor],
    limits: Limits,
) -> InferRequest:
    """The request in a body.

    :param header_length: the header :data:`HEADER_LENGTH`: how many bytes of JSON come before those of tensors.
    :param shape: of a picture, C×H×W.
    :param outputs: the tensors that there are.
    :raises RefusedError: 400 saying what is wrong, 413 for too much of it.
    """
    length = _header_length(header_length, len(body))
    if length > limits.json:
        raise RefusedError(
            413, f"JSON has at most {limits.json:,} bytes here; send tensors as bytes ({HEADER_LENGTH})."
        )
    request = _parsed(bytes(memoryview(body)[:length]))
    pixels = _pixels(request.inputs[0], memoryview(body)[length:], shape, limits)
    return InferRequest(request.id, pixels, _wanted(request, outputs))


def _header_length(said: str | None, size: int) -> int:
    if said is None:
        return size
    if not re.fullmatch(r"[0-9]{1,12}", said) or int(said) > size:
        raise RefusedError(400, f"{HEADER_LENGTH} is the number of bytes of JSON, at most the {size:,} of the body.")
    return int(said)


def _parsed(text: bytes) -> _Request:
    try:
        # Its own limit of 200 levels, and of digits, is far below what would harm.
        value = pydantic_core.from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise RefusedError(400, f"the body is no JSON that can be read: {in_short(str(error))}.") from None
    wrong = what_is_wrong(_Request, value)
    if wrong is not None:
        raise RefusedError(400, f"the request does not follow the protocol: {wrong}.")
    return _Request.model_validate(value)


def _pixels(given: _Tensor, behind: memoryview, shape: Sequence[int], limits: Limits) -> Pixels:
    """The pictures of the one input."""
    channels, height, width = shape
    wanted = f"[N, {channels}, {height}, {width}]"
    if given.name != INPUT:
        raise RefusedError(400, f"there is no input {given.name!r}. The model takes {INPUT}, UINT8 {wanted}.")
    if given.datatype != "UINT8":
        raise RefusedError(400, f"{INPUT} is UINT8, pixels from 0 to 255 as they are, and not {given.datatype!r}.")
    if len(given.shape) != 4 or given.shape[1:] != list(shape) or given.shape[0] < 1:
        said = in_short(str(given.shape), 80)
        raise RefusedError(
            400, f"{INPUT} has the shape {wanted}, and not {said}; POST /predict takes pictures of any size."
        )
    if given.shape[0] > limits.queue:
        raise RefusedError(413, f"a request holds at most {limits.queue:,} pictures, and this one {given.shape[0]:,}.")
    size = math.prod(given.shape)
    binary = given.parameters.get("binary_data_size")
    if "shared_memory_region" in given.parameters:
        raise RefusedError(400, "shared memory is not offered; send the tensor itself.")
    if binary is None:
        if given.data is None:
            raise RefusedError(400, f"{INPUT} has neither data nor parameters.binary_data_size.")
        if len(behind):
            raise RefusedError(
                400, f"{len(behind):,} bytes come behind the JSON, and no input says that they are its own."
            )
        return _from_lists(given.data, given.shape)
    if given.data is not None:
        raise RefusedError(400, f"{INPUT} has both data and parameters.binary_data_size; one of them is meant.")
    if type(binary) is not int or binary != size or len(behind) != size:
        reason = f"{INPUT} of this shape has {size:,} bytes; binary_data_size says {in_short(str(binary), 40)}, "
        raise RefusedError(400, f"{reason}and {len(behind):,} come behind the JSON.")
    return np.frombuffer(behind, np.uint8).reshape(given.shape)


def _from_lists(data: list[Any], shape: Sequence[int]) -> Pixels:
    """Pixels out of JSON: one flat list in the order of rows, or lists within lists."""
    rows = [data]
    if data and type(data[0]) is list:
        for size in shape[:-1]:
            if any(type(row) is not list or len(row) != size for row in rows):
                raise RefusedError(400, f"the lists of {INPUT} do not have the shape {list(shape)}.")
            rows = list(itertools.chain.from_iterable(rows))
        expected = shape[-1]
    else:
        expected = math.prod(shape)
    if any(type(row) is not list or len(row) != expected for row in rows):
        raise RefusedError(400, f"the data of {INPUT} does not have the shape {list(shape)}.")
    try:
        if not {kind for row in rows for kind in set(map(type, row))} <= {int}:
            raise TypeError
        # Tensors are made of memory that may be written.
        flat = bytearray().join(map(bytes, rows))
    except (TypeError, ValueError, OverflowError):
        raise RefusedError(400, f"the data of {INPUT} is whole numbers from 0 to 255.") from None
    return np.frombuffer(flat, np.uint8).reshape(shape)


def _wanted(request: _Request, outputs: Mapping[str, OutputTensor]) -> tuple[WantedOutput, ...]:
    usual = _flag(request.parameters, "binary_data_output", usual=False)
    if not request.outputs:
        return tuple(WantedOutput(tensor, usual) for tensor in outputs.values())
    names = [each.name for each in request.outputs]
    unknown = next((name for name in names if name not in outputs), None)
    if unknown is not None:
        raise RefusedError(400, f"there is no output {unknown!r}. {suggestion(unknown, outputs)}")
    if len(set(names)) < len(names):
        raise RefusedError(400, "an output is asked for twice.")
    return tuple(
        WantedOutput(
            outputs[each.name], _flag(each.parameters, "binary_data", usual=usual), _classes(each, outputs[each.name])
        )
        for each in request.outputs
    )


def _flag(parameters: Mapping[str, Any], name: str, *, usual: bool) -> bool:
    value = parameters.get(name, usual)
    if not isinstance(value, bool):
        raise RefusedError(400, f"{name} is true or false.")
    return value


def _classes(wanted: _Wanted, tensor: OutputTensor) -> int:
    if "shared_memory_region" in wanted.parameters:
        raise RefusedError(400, "shared memory is not offered; take the tensor itself.")
    count = wanted.parameters.get("classification", 0)
    if type(count) is not int or count < 0:
        raise RefusedError(400, "classification is how many classes are wanted.")
    if count and not tensor.labels:
        raise RefusedError(400, f"the numbers of {tensor.name} are not of classes, so that it has no classification.")
    return count


def written_answer(model: str, request: InferRequest, said: Answers) -> tuple[bytes, int | None]:
    """The body of an answer, and how many bytes of JSON it begins with where others follow."""
    head: dict[str, Any] = {"model_name": model, "model_version": VERSION}
    head |= {} if request.id is None else {"id": request.id}
    tensors, behind = [], []
    for wanted in request.outputs:
        values, datatype = wanted.tensor.read(said), wanted.tensor.datatype
        if wanted.classes:
            values, datatype = classification(wanted.tensor, values, wanted.classes), "BYTES"
        told: dict[str, Any] = {"name": wanted.tensor.name, "datatype": datatype, "shape": list(values.shape)}
        if wanted.is_binary:
            behind.append(_as_bytes(values))
            told["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            told["data"] = json_value(values.reshape(-1).tolist())
        tensors.append(told)
    text = json.dumps(head | {"outputs": tensors}, allow_nan=False).encode()
    return b"".join([text, *behind]), len(text) if behind else None


def _as_bytes(values: NDArray[Any]) -> bytes:
    """Little-endian numbers, in the order of rows; of text the length, in four bytes, before each."""
    if values.dtype != np.object_:
        return np.ascontiguousarray(values, "<f4").tobytes()
    words = [str(value).encode("utf-8", "replace") for value in values.reshape(-1)]
    return b"".join(struct.pack("<I", len(word)) + word for word in words)
