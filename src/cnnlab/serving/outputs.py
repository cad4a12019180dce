"""The tensors that a model answers with, by the names that the Open Inference Protocol knows them by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlab.evaluation.prediction.predict import PredictedColumn
from cnnlab.objectives import Objective
from cnnlab.serving.engine import Answers


@dataclass(frozen=True)
class OutputTensor:
    """One tensor of an answer.

    :param name: ``probabilities``, ``class``, ``confidence``, ``value``, and the raw ``logits`` or ``outputs``; of
        several target columns each begins with the column's name, as in ``hour class``.
    :param datatype: ``FP32``, or ``BYTES`` for text.
    :param width: how many numbers a picture has; None for one that stands by itself.
    :param read: the values, N×width or N, out of answers.
    :param labels: of the classes that the numbers are of, where they are.
    """

    name: str
    datatype: str
    width: int | None
    read: Callable[[Answers], NDArray[Any]]
    labels: tuple[str, ...] = ()

    @property
    def metadata(self) -> dict[str, Any]:
        """What the protocol tells of it; −1 stands for any number of pictures."""
        return {"name": self.name, "datatype": self.datatype, "shape": [-1] if self.width is None else [-1, self.width]}


def output_tensors(
    objective: Objective, sample: Answers, classes: Mapping[str, Sequence[str]]
) -> dict[str, OutputTensor]:
    """The tensors that answers of an objective make, by name.

    :param sample: the answers for any picture.
    :param classes: the class names of target columns.
    """
    tensors: list[OutputTensor] = []
    for name, column in sample.columns.items():
        prefix = "" if len(sample.columns) == 1 else f"{name} "
        tensors += _of_column(prefix, name, column, is_class=name in classes)
    is_logits = set(sample.columns) <= set(objective.class_heads)
    labels = next(iter(sample.columns.values())).names if len(sample.columns) == 1 else ()
    width = sample.outputs.shape[1]
    raw = "logits" if is_logits else "outputs"
    tensors.append(OutputTensor(raw, "FP32", width, lambda said: said.outputs, labels if len(labels) == width else ()))
    return {tensor.name: tensor for tensor in tensors}


def _of_column(prefix: str, name: str, column: PredictedColumn, *, is_class: bool) -> list[OutputTensor]:
    made = []
    if column.names:
        made.append(
            OutputTensor(
                f"{prefix}probabilities",
                "FP32",
                len(column.names),
                lambda said: np.asarray(said.columns[name].probabilities, np.float32),
                column.names,
            )
        )
    if is_class:
        made.append(
            OutputTensor(
                f"{prefix}class", "BYTES", None, lambda said: np.asarray(said.columns[name].predicted, np.object_)
            )
        )
    else:
        made.append(
            OutputTensor(
                f"{prefix}value", "FP32", None, lambda said: np.asarray(said.columns[name].predicted, np.float32)
            )
        )
    if len(column.confidence):
        made.append(
            OutputTensor(
                f"{prefix}confidence", "FP32", None, lambda said: np.asarray(said.columns[name].confidence, np.float32)
            )
        )
    return made


def classification(tensor: OutputTensor, values: NDArray[Any], count: int) -> NDArray[Any]:
    """The largest values of each picture with the places and names of their classes, as Triton's extension has them.

    :return: text, N×count: ``0.93:7:horse``.
    """
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    rows = [[f"{row[k]:f}:{k}:{tensor.labels[k]}" for k in places] for row, places in zip(values, order, strict=True)]
    return np.asarray(rows, np.object_).reshape(len(values), order.shape[1])
