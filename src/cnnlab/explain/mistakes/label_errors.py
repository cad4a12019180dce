"""Labels that are probably wrong, the least believed first, with their pictures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnlab.explain.mistakes.confident_learning import confident_joint, wrong_labels
from cnnlab.explain.mistakes.predicted import Predicted, images_of, pixels_at, predicted_by
from cnnlab.explain.picture_names import NamedPictures
from cnnlab.runs import Run

MOST = 24


@dataclass(frozen=True, eq=False)
class LabelErrors(NamedPictures):
    """What confident learning holds for wrong labels, ordered by how little their own class is believed.

    :param places: int64, n, in the split; ``ids`` of the pictures.
    :param split: as the predictions are stored for it.
    :param given: int64, n, their labels; ``suggested`` the classes that are most probable instead.
    :param given_probability: n; ``suggested_probability`` that of the other.
    :param joint: K×K, pictures by label (row) and the class that they probably are (column), estimated for all.
    :param names: of the classes; ``of`` what was asked about, in words; ``count`` how many pictures.
    :param pixels: uint8, of the first of them; None where the data cannot be had, for which ``trouble`` is the reason.
    """

    places: NDArray[np.int64]
    ids: tuple[str, ...]
    given: NDArray[np.int64]
    suggested: NDArray[np.int64]
    given_probability: NDArray[np.float64]
    suggested_probability: NDArray[np.float64]
    joint: NDArray[np.int64]
    names: tuple[str, ...]
    column: str
    split: str
    of: str
    count: int
    pixels: NDArray[np.uint8] | None = None
    trouble: str = ""

    @property
    def estimated(self) -> float:
        """The share of labels that are wrong, by the joint: what is off its diagonal. A picture is not named by it."""
        return float(1 - self.joint.trace() / max(1, self.joint.sum()))

    def __repr__(self) -> str:
        return f"LabelErrors({len(self):,} of {self.of})"


def label_errors(
    run: "Run | str | Path | Predicted",
    split: str = "test",
    *,
    column: str | None = None,
    most: int = MOST,
    data_dir: str | Path | None = None,
) -> LabelErrors:
    """Labels of a split that are probably wrong, by the run's stored predictions and confident learning.

    Of ``train`` it asks the predictions out of fold, which a run with ``folds`` has. A label that is found may be
    right, and the picture hard: look at it. The worse the network, the more are found that are right.

    :param column: of the targets, where several are predicted: the first of them unless given.
    :param most: for so many the pictures are given too, if the data is still there.
    :raises UsageError: when there are no such predictions.
    """
    predicted = run if isinstance(run, Predicted) else predicted_by(run, split, column)
    classes = predicted.classes
    probabilities, labels = classes.probabilities, classes.labels
    places = np.flatnonzero(wrong_labels(probabilities, labels))
    places = places[np.argsort(probabilities[places, labels[places]], kind="stable")]
    suggested = probabilities[places].argmax(1)
    images, trouble = images_of(predicted.run, predicted.stored, data_dir) if len(places) else (None, "")
    return LabelErrors(
        places=places,
        ids=tuple(predicted.stored.ids[int(place)] for place in places),
        given=labels[places],
        suggested=suggested,
        given_probability=probabilities[places, labels[places]],
        suggested_probability=probabilities[places, suggested],
        joint=confident_joint(probabilities, labels),
        names=tuple(classes.names),
        column=predicted.column,
        split=predicted.stored.split,
        of=predicted.of,
        count=len(labels),
        pixels=pixels_at(images, places[:most]),
        trouble=trouble,
    )
