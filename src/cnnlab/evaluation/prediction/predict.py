"""What a classifier says of pictures: files, folders, arrays and PIL images of one's own."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, TypeAlias

import numpy as np
import torch
from torch import Tensor

from cnnlab import data
from cnnlab.core import memory
from cnnlab.core.dataframes import any_text
from cnnlab.core.displays import html_table
from cnnlab.core.errors import DataError
from cnnlab.core.files import replacing, storage_errors
from cnnlab.core.hooks import run_tool
from cnnlab.core.messages import first_few, warn
from cnnlab.core.number_text import counted
from cnnlab.core.sinks import for_csv
from cnnlab.data import ImageFile
from cnnlab.data.formats.decode import Form
from cnnlab.data.given_images import given_images, is_given_in_memory, paths_of
from cnnlab.data.white import White
from cnnlab.evaluation.prediction.predictor import Predictor, predictor_of
from cnnlab.models import OwnNetwork, Predictable, batch_for
from cnnlab.runs import Run

if TYPE_CHECKING:
    import pandas as pd

Paths: TypeAlias = str | Path | Iterable[str | Path]
_CHUNK = 256


@dataclass(frozen=True)
class PredictedColumn:
    """What was predicted for one target column, for each picture.

    :param predicted: the class, or the number.
    :param confidence: from 0 to 1: the probability of what was predicted, or whatever else tells how sure that is;
        empty where nothing does.
    :param names: of the classes, where each has a probability.
    :param probabilities: N rows of one for each of ``names``.
    """

    predicted: Sequence[str | float]
    confidence: Sequence[float] = ()
    names: tuple[str, ...] = ()
    probabilities: Sequence[Sequence[float]] = ()

    def likeliest(self, count: int) -> list[tuple[list[str], list[float]]]:
        """The likeliest classes of each picture with their probabilities: a pair of lists for each place in that order.

        Of two that are equally likely the first in ``names`` comes first. Nothing where there are no probabilities.
        """
        if not len(self.probabilities):
            return []
        likely = np.asarray(self.probabilities)
        order = np.argsort(-likely, axis=1, kind="stable")[:, :count].T
        rows = np.arange(len(likely))
        return [([self.names[k] for k in place], likely[rows, place].tolist()) for place in order]

    def to_dicts(self) -> list[dict[str, Any]]:
        """For each picture what was predicted, and how probable that and every class is."""
        facts: list[dict[str, Any]] = [{"predicted": value} for value in self.predicted]
        for place, sure in enumerate(self.confidence):
            facts[place]["confidence"] = sure
        for place, row in enumerate(self.probabilities):
            facts[place]["probabilities"] = dict(zip(self.names, row, strict=True))
        return facts


@dataclass(frozen=True)
class ImagePredictions:
    """What was predicted for pictures.

    :param paths: of the pictures, as they were given or found in a folder given; of pictures in memory their numbers.
    :param columns: for each target column what was predicted.
    :param unreadable: pictures that were left out, each with the reason.
    """

    paths: Sequence[str]
    columns: Mapping[str, PredictedColumn]
    unreadable: Sequence[str] = field(default=())

    def __len__(self) -> int:
        return len(self.paths)

    @any_text
    def frame(self, *, top: int = 1, probabilities: bool = True) -> "pd.DataFrame":
        """A row a picture: ``path``, ``predicted``, ``confidence``, and the probability of each class under its name.

        What is predicted as a number has no classes, and a confidence only where the objective can tell one.

        With several target columns each heading starts with the column's name, as in ``hour predicted``; a class whose
        name is already taken is headed ``class NAME``.

        :param top: how many classes to tell, the likeliest first, as ``predicted 2``, ``confidence 2`` and so on.
        :param probabilities: whether every class has a column.
        """
        import pandas as pd

        table: dict[str, Sequence[Any]] = {"path": list(self.paths)}
        for name, column in self.columns.items():
            prefix = "" if len(self.columns) == 1 else f"{name} "
            table[f"{prefix}predicted"] = list(column.predicted)
            if len(column.confidence):
                table[f"{prefix}confidence"] = column.confidence
            for place, (words, shares) in enumerate(column.likeliest(top)[1:], 2):
                table[f"{prefix}predicted {place}"], table[f"{prefix}confidence {place}"] = words, shares
            for place, word in enumerate(column.names if probabilities else ()):
                heading = f"{prefix}class {word}" if f"{prefix}{word}" in table else f"{prefix}{word}"
                table[heading] = [row[place] for row in column.probabilities]
        return pd.DataFrame(table)

    def save_csv(self, path: Path | str) -> None:
        """Writes :meth:`frame` as CSV, whole or not at all; numbers to six digits.

        :raises StorageError: when it cannot be written.
        """
        path = Path(path)
        with (
            replacing(path) as temporary,
            storage_errors(path),
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            append_csv(file, self.frame(), with_header=True)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: a list of pictures with what was predicted, and those left out."""
        images: list[dict[str, Any]] = [{"path": path} for path in self.paths]
        for name, column in self.columns.items():
            for image, facts in zip(images, column.to_dicts(), strict=True):
                image.update(facts if len(self.columns) == 1 else {name: facts})
        return {"images": images, "unreadable": list(self.unreadable)}

    def _repr_html_(self) -> str:
        frame = self.frame()
        return html_table([str(name) for name in frame.columns], list(frame.itertuples(index=False, name=None)))

    def __repr__(self) -> str:
        return f"ImagePredictions({counted(len(self), 'picture')}: {', '.join(self.columns)})"


def append_csv(file: TextIO, frame: "pd.DataFrame", *, with_header: bool) -> None:
    """Writes the rows of a table of predictions as CSV; numbers to six digits."""
    with_text(frame, for_csv).to_csv(file, index=False, header=with_header, float_format="%.6g")


@any_text
def with_text(frame: "pd.DataFrame", written: Callable[[str], str]) -> "pd.DataFrame":
    """A copy in which all text, that of headings too, is as the function writes it."""
    from pandas.api.types import is_numeric_dtype

    shown = frame.rename(columns=written)
    for place in range(shown.shape[1]):
        column = shown.iloc[:, place]
        if not is_numeric_dtype(column):
            shown.isetitem(place, [written(cell) if isinstance(cell, str) else cell for cell in column])
    return shown


@run_tool("predict")
def predict(
    run: Run | Predictable | str | Path,
    images: Any,
    *,
    on_bad: Literal["refuse", "skip"] = "refuse",
    device: str | None = None,
    network: OwnNetwork | None = None,
    offline: bool = False,
) -> ImagePredictions:
    """What the classifier of a run says of pictures, brought to its size as its training data was.

    :param run: or a model by itself, or the name of either, as :func:`cnnlab.open_model` takes it.
    :param images: files, folders, which are searched through for pictures, and archives of pictures; or pictures
        themselves: arrays, tensors and PIL images as :func:`~cnnlab.data.given_images.given_images` reads them, or
        lists of these; or a table with a column ``path``, of which each row is told, also where two are alike.
    :param on_bad: whether a picture that cannot be read is refused, or skipped with a warning that names it.
    :param device: another device than the one that the run was trained on.
    :param network: the network of one's own that the run was trained on, or what makes it, where this process does
        not know it.
    :param offline: never tries the network for weights.
    :raises DataError: naming what is missing or cannot be read.
    """
    memory.ask_for_large_pages()
    model = predictor_of(run, device=device, network=network, offline=offline)
    paths = paths_of(images)
    if is_given_in_memory(paths):
        return _of_pixels(model, paths)
    found = found_images(paths)
    if paths is images:
        found = list({image.name: image for image in found}.values())
    reader = _Reader(found, model.classifier, skips=on_bad == "skip")
    outputs = model.outputs(reader)
    if not reader.read:
        raise DataError(f"none of these pictures could be read: {'; '.join(reader.unreadable[:5])}")
    return ImagePredictions(reader.read, predicted_columns(model, outputs), reader.unreadable)


def _of_pixels(model: Predictor, images: Any) -> ImagePredictions:
    """What is said of pictures in memory."""
    classifier = model.classifier
    channels, *size = classifier.shape
    form = Form((size[0], size[1]), classifier.resize, channels, White.said(classifier.whites), classifier.resampling)
    pixels, names = given_images(images, form)
    whole = torch.from_numpy(pixels)
    batches = torch.split(whole, batch_for(whole.shape, _CHUNK))
    return ImagePredictions(names, predicted_columns(model, model.outputs(batches)))


class _Reader:
    """Batches of pictures, and a note of what was read and what could not be."""

    def __init__(self, images: Sequence[ImageFile], classifier: Predictable, *, skips: bool) -> None:
        self.images, self.classifier, self.skips = images, classifier, skips
        self.read: list[str] = []
        self.unreadable: list[str] = []

    def __iter__(self) -> Iterator[Tensor]:
        model = self.classifier
        reader = data.ImageReader(self.images, model.shape, model.resize, model.whites, model.resampling)
        size = batch_for(model.shape, _CHUNK)
        for start in range(0, len(self.images), size):
            pixels, names, bad = reader.read(start, min(start + size, len(self.images)))
            if bad and not self.skips:
                named = first_few([str(item) for item in bad])
                raise DataError(
                    f"these files cannot be read as pictures: {named}. Put them right, or leave them out with "
                    '--skip-bad (on_bad="skip" in Python).'
                )
            for item in bad:
                warn(f"left out: {item}")
            self.unreadable += map(str, bad)
            self.read += names
            if len(names):
                yield pixels


def predicted_columns(model: Predictor, outputs: Tensor) -> dict[str, PredictedColumn]:
    """What raw outputs, N×K, say of each target column."""
    objective = model.objective
    sure, likely = objective.confidences(outputs), objective.probabilities(outputs)
    columns = {}
    for name, values in objective.decode(outputs).items():
        names = model.classifier.classes.get(name)
        predicted = values.tolist() if names is None else [names[index] for index in values.tolist()]
        confidence = sure[name].tolist() if name in sure else ()
        head = objective.class_heads.get(name)
        if names is None or head is None:
            columns[name] = PredictedColumn(predicted, confidence)
        else:
            columns[name] = PredictedColumn(predicted, confidence, names, likely[head].tolist())
    return columns


def found_images(images: Paths) -> list[ImageFile]:
    """The pictures meant: those of a folder or an archive in the order of their names."""
    if not isinstance(images, str | Path | Iterable) or isinstance(images, bytes | Mapping):
        raise DataError(
            f"{type(images).__name__} is nothing to predict: pictures are paths, arrays, tensors, PIL images, lists of "
            "them, or a table with a column path."
        )
    given = [images] if isinstance(images, str | Path) else list(images)
    odd = [type(item).__name__ for item in given if not isinstance(item, str | os.PathLike)]
    if odd:
        raise DataError(f"a list of paths holds one that is a {odd[0]}. Give paths alone, or pictures alone.")
    if not given:
        raise DataError("there is no picture to predict; name files or folders.")
    return data.find_images(given)
