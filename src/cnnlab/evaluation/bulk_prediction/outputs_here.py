"""The outputs of many pictures, computed by this process."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Protocol, Self

from torch import Tensor

from cnnlab.core import memory
from cnnlab.data import ImageFile
from cnnlab.data.image_files import FoundImages
from cnnlab.evaluation.bulk_prediction.read_ahead import Batch, ReadAhead, Stretch
from cnnlab.evaluation.prediction.predictor import Predictor, predictor_of
from cnnlab.models import OwnNetwork, Predictable, outputs_of
from cnnlab.runs import Run


class OutputSource(Protocol):
    """Where outputs come from; used as a block, and whatever it holds is let go at its end."""

    @property
    def is_white_told(self) -> bool:
        """Whether what is white was told by the largest value of all pictures."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def batches(self, start: int) -> Iterator[Batch]:
        """The pictures from a place on, for stretches.

        :raises WhiteUnknownError: at a picture of more than 8 bits, where :meth:`tell_white` has to be called.
        """
        ...

    def outputs(self, stretch: Stretch) -> Tensor:
        """The raw outputs, n×K, of the pictures in a stretch of these batches."""
        ...

    def tell_white(self) -> None:
        """Tells what is white by the largest value of all pictures."""
        ...


class Place(Protocol):
    """Where pictures are predicted; used as a block."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def predictor(self, model: Run | Predictable, *, device: str | None, network: OwnNetwork | None) -> Predictor:
        """The model, and how it is run there."""
        ...

    def outputs(self, images: Sequence[ImageFile], predictor: Predictor) -> OutputSource:
        """What is to be computed there."""
        ...


class Here:
    """This process."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is held."""

    def predictor(self, model: Run | Predictable, *, device: str | None, network: OwnNetwork | None) -> Predictor:
        """Run as the run was."""
        return predictor_of(model, device=device, network=network)

    def outputs(self, images: Sequence[ImageFile], predictor: Predictor) -> "OutputsHere":
        """All that is to be computed."""
        return OutputsHere(images, predictor)


class OutputsHere:
    """Reads ahead in threads, and computes batch after batch."""

    def __init__(self, images: Sequence[ImageFile], predictor: Predictor) -> None:
        self._reader = ReadAhead(FoundImages(images), predictor.classifier)
        self._predictor, self._stack = predictor, ExitStack()
        self.batches, self.tell_white = self._reader.batches, self._reader.tell_white

    @property
    def is_white_told(self) -> bool:
        """Whether what is white was told by the largest value of all pictures."""
        return self._reader.is_white_told

    def __enter__(self) -> Self:
        self._placed = self._stack.enter_context(self._predictor.placed())
        self._stack.enter_context(memory.kept_between_steps())
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def outputs(self, stretch: Stretch) -> Tensor:
        """Of the pixels."""
        run_by = self._predictor
        return outputs_of(self._placed, stretch, device=run_by.device, precision=run_by.precision)
