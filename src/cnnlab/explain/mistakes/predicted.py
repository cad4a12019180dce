"""Stored predictions of a run, and the pictures that they are of."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.errors import CnnlabError, UsageError, suggestion
from cnnlab.core.messages import note, quietly
from cnnlab.core.scored_splits import OUT_OF_FOLD
from cnnlab.core.sinks import in_short
from cnnlab.data import ImageSet, is_given_in_python
from cnnlab.evaluation import ClassPredictions, class_predictions, open_model, own_data
from cnnlab.evaluation.metrics.class_probabilities import class_column
from cnnlab.evaluation.metrics.stored_predictions import objective_of
from cnnlab.runs import Predictions, Run

TRAIN = "train"


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a run said of one split, as probabilities of the classes of one column."""

    run: Run
    stored: Predictions
    column: str
    classes: ClassPredictions

    @property
    def of(self) -> str:
        """What it is of, in words; of several columns of classes also which."""
        split = "out-of-fold train" if self.stored.split == OUT_OF_FOLD else self.stored.split
        return f"{len(self.stored):,} {split} pictures, run {self.run.name}{by_column(self.stored, self.column)}"


def predicted_by(run: "Run | str | Path", split: str = "test", column: str | None = None) -> Predicted:
    """The stored predictions on a split; of ``train`` those out of fold, for of what it was trained on a network says
    what it was told.

    :param column: of the targets, where several are predicted: the first of them unless given.
    :raises UsageError: when none are stored, their targets are not known, or no such classes are predicted.
    """
    opened = open_model(run)
    if not isinstance(opened, Run):
        raise UsageError("mistakes are of a run, which has predictions on record; a model by itself has none.")
    if split in (TRAIN, "out-of-fold", OUT_OF_FOLD):
        if OUT_OF_FOLD not in opened.splits:
            raise UsageError(
                f"of its training pictures run {opened.name} has learned what it was told, wrong labels too, so it "
                "cannot say which of them are doubtful. Train with folds=5 in the recipe: each picture is then judged "
                "by a network that has not seen it."
            )
        split = OUT_OF_FOLD
    stored = opened.predictions(split)
    known = _columns(stored)
    if not known:
        raise UsageError(
            f"run {opened.name} predicts {', '.join(objective_of(stored).predicts)} as a number, and only classes can "
            f"be taken for one another. The pictures that it misses by most: cnnlab figure {opened.name} mistakes."
        )
    if column is not None and column not in known:
        raise UsageError(f"run {opened.name} predicts no classes of {in_short(column)}. {suggestion(column, known)}")
    name = class_column(stored, column or known[0])
    return Predicted(opened, stored, name, class_predictions(stored, name))


def _columns(stored: Predictions) -> tuple[str, ...]:
    return tuple(name for name in objective_of(stored).predicts if name in stored.classes)


def by_column(stored: Predictions, column: str | None) -> str:
    """What captions add of predictions of several columns of classes: which one it is about, and all there are."""
    columns = _columns(stored)
    return f", by {column or columns[0]}, of {' and '.join(columns)}" if len(columns) > 1 else ""


def images_of(run: Run, stored: Predictions, data_dir: str | Path | None = None) -> tuple[ImageSet | None, str]:
    """The pictures that predictions are of, in their order, or why they cannot be had; nothing is downloaded."""
    if "data" not in run.recipe:
        return None, "The recipe on record no longer says which data it was, so the pictures cannot be shown."
    if is_given_in_python(run.recipe["data"]):
        return None, "The data was given in Python, and a run does not hold it, so the pictures cannot be shown."
    try:
        # What is to be said of the data was said when it was trained on.
        with warnings.catch_warnings(), quietly():
            warnings.simplefilter("ignore")
            dataset = own_data(run, data_dir=data_dir, offline=True)
    except CnnlabError as error:
        # A page goes to others, whom folders of this machine do not concern.
        note(f"No pictures are shown, since the data could not be read: {error}")
        return None, "The pictures are not shown, since the data could not be read where this was written."
    # Of one network its own fold, of the ensemble of all of them every picture of train.
    held_out = dataset.held_out.images if dataset.held_out is not None else dataset.train
    images = held_out if stored.split == OUT_OF_FOLD else dict(dataset.parts()).get(stored.split.partition("@")[0])
    if images is None or dataset.digest != stored.data or tuple(images.ids) != tuple(stored.ids):
        return None, "The pictures cannot be shown: the data is no longer what the run was trained on."
    return images, ""


def pixels_at(images: ImageSet | None, places: NDArray[np.int64]) -> NDArray[np.uint8] | None:
    """uint8 N×C×H×W; None where there are no pictures to show."""
    if images is None:
        return None
    pixels: NDArray[np.uint8] = images.batch(places.tolist())[0].numpy()
    return pixels
