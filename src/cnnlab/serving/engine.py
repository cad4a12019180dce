"""What computes answers: uint8 pictures in, raw outputs and what they mean out."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from cnnlab.data.formats.decode import Form
from cnnlab.data.white import White
from cnnlab.evaluation.prediction.predict import PredictedColumn, predicted_columns
from cnnlab.evaluation.prediction.predictor import Predictor
from cnnlab.models import evaluating, outputs_of_batch

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Answers:
    """What is said of some pictures.

    :param outputs: the raw outputs, float32 N×K.
    :param columns: what they say of each target column, as :func:`cnnlab.predict` has it.
    """

    outputs: NDArray[np.float32]
    columns: dict[str, PredictedColumn]

    def of(self, start: int, end: int) -> "Answers":
        """Of the pictures from ``start`` to ``end``."""
        cut = slice(start, end)
        columns = {
            name: PredictedColumn(each.predicted[cut], each.confidence[cut], each.names, each.probabilities[cut])
            for name, each in self.columns.items()
        }
        return Answers(self.outputs[cut], columns)


Answering = Callable[[Pixels], Answers]


class Engine(Protocol):
    """A model that answers, by PyTorch here; a file of another program's would be another."""

    platform: str
    """What the protocol calls the framework."""
    form: Form
    """What every picture is brought to: its size, channels and way of resizing."""

    def sample(self) -> Answers:
        """Answers for one picture, as they look."""
        ...

    def opened(self) -> AbstractContextManager[Answering]:
        """A block in which pictures, N×C×H×W, are answered; entered and left by the one thread that computes."""
        ...


class TorchEngine:
    """The classifier itself, run as :func:`cnnlab.predict` runs it."""

    platform = "pytorch"

    def __init__(self, predictor: Predictor) -> None:
        model = predictor.classifier
        channels, height, width = model.shape
        self.predictor = predictor
        self.form = Form((height, width), model.resize, channels, White.said(model.whites), model.resampling)

    def sample(self) -> Answers:
        """Answers as they look, of outputs that are all 0."""
        outputs = torch.zeros(1, self.predictor.objective.outputs)
        return Answers(outputs.numpy(), predicted_columns(self.predictor, outputs))

    @contextmanager
    def opened(self) -> Iterator[Answering]:
        """A block in which the classifier is on its device and in evaluation mode; it is left as found."""
        by = self.predictor
        # Entered once and not for each batch: of a single small picture it takes as long as a layer.
        with by.placed() as placed, evaluating(placed), torch.no_grad():

            def answer(pixels: Pixels) -> Answers:
                outputs = outputs_of_batch(placed, torch.from_numpy(pixels), by.device, by.precision)
                return Answers(outputs.numpy(), predicted_columns(by, outputs))

            yield answer


def answered_by(answer: Answering, pixels: Pixels, batch: int, *, is_filled: bool = False) -> Answers:
    """Answers of any number of pictures, at most ``batch`` of them computed at once.

    :param is_filled: whether as many are computed each time, black ones in the place of those that are missing. What is
        said of a picture then has the same bits whatever it stands beside: kernels are chosen by how many there are.
    """
    parts = []
    for start in range(0, len(pixels), batch):
        part = pixels[start : start + batch]
        missing = batch - len(part) if is_filled else 0
        whole = np.concatenate([part, np.zeros((missing, *part.shape[1:]), np.uint8)]) if missing else part
        parts.append(answer(whole).of(0, len(part)))
    return parts[0] if len(parts) == 1 else joined(parts)


def joined(parts: Sequence[Answers]) -> Answers:
    """Answers in a row."""

    def column(name: str) -> PredictedColumn:
        each = [part.columns[name] for part in parts]
        predicted = [value for one in each for value in one.predicted]
        confidence = [value for one in each for value in one.confidence]
        probabilities = [row for one in each for row in one.probabilities]
        return PredictedColumn(predicted, confidence, each[0].names, probabilities)

    outputs = np.concatenate([part.outputs for part in parts])
    return Answers(outputs, {name: column(name) for name in parts[0].columns})
