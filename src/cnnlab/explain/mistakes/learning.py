"""When each picture of a split was learned, and which were forgotten, by the weights that a run kept on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.errors import UsageError
from cnnlab.evaluation import class_predictions, open_model, own_data, predictions_on, predictor_of
from cnnlab.evaluation.metrics.class_probabilities import class_column
from cnnlab.explain.mistakes.predicted import by_column, pixels_at
from cnnlab.models import OwnNetwork
from cnnlab.runs import Run

MOST = 12


@dataclass(frozen=True, eq=False)
class LearningOrder:
    """Which pictures a run had right after each of the epochs whose weights it kept.

    What happened between two of these epochs is not known: a picture may have been learned and forgotten meanwhile.

    :param epochs: E, in order, from 1; before the first a network is right by chance only.
    :param right: bool E×N; ``probability`` float64 E×N, of the right class.
    :param labels: int64, N; ``predicted`` int64, N, by the last epoch; ``names`` of the classes.
    :param split: whose pictures these are, all of them in their order; ``of`` the same in words.
    :param late_pixels, forgotten_pixels: uint8, of the first of :attr:`late` and :attr:`forgotten`.
    """

    epochs: tuple[int, ...]
    right: NDArray[np.bool_]
    probability: NDArray[np.float64]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    names: tuple[str, ...]
    ids: tuple[str, ...]
    split: str
    of: str
    late_pixels: NDArray[np.uint8] | None = None
    forgotten_pixels: NDArray[np.uint8] | None = None

    @property
    def learned(self) -> NDArray[np.int64]:
        """N: the first of the epochs from which a picture stays right to the last; −1 for one that is wrong then."""
        # How many of the last epochs were right without a break.
        held = np.cumprod(self.right[::-1], axis=0).sum(0)
        first = np.asarray(self.epochs)[np.minimum(len(self.epochs) - held, len(self.epochs) - 1)]
        learned: NDArray[np.int64] = np.where(held > 0, first, -1)
        return learned

    @property
    def forgettings(self) -> NDArray[np.int64]:
        """N: how often a picture was right after one of the epochs and wrong after the next (Toneva et al. 2019)."""
        events: NDArray[np.int64] = (self.right[:-1] & ~self.right[1:]).sum(0)
        return events

    @property
    def late(self) -> NDArray[np.int64]:
        """The pictures that are right at last and were so from the latest, those least sure until then first."""
        learned = self.learned
        chosen = np.flatnonzero(learned > self.epochs[0])
        mean = self.probability.mean(0)
        return chosen[np.lexsort((mean[chosen], -learned[chosen]))]

    @property
    def forgotten(self) -> NDArray[np.int64]:
        """The pictures that were right once and are wrong at last, those that were surest on average first."""
        chosen = np.flatnonzero(self.right.any(0) & ~self.right[-1])
        return chosen[np.argsort(-self.probability.mean(0)[chosen], kind="stable")]

    @property
    def never(self) -> NDArray[np.int64]:
        """The pictures that were right after none of the epochs, the least probable first."""
        chosen = np.flatnonzero(~self.right.any(0))
        return chosen[np.argsort(self.probability.mean(0)[chosen], kind="stable")]


def learning_order(
    run: "Run | str | Path",
    split: str = "validation",
    epochs: Sequence[int] | None = None,
    *,
    column: str | None = None,
    most: int = MOST,
    device: str | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    network: OwnNetwork | None = None,
) -> LearningOrder:
    """What was learned late and what was forgotten, by predictions of the weights that the run kept.

    A run stores predictions of the epoch selected alone, so those of other epochs are computed here from its snapshots.

    :param split: the pictures asked about, which the run was not trained on.
    :param epochs: those whose weights were kept, from 1, all of them by default.
    :param most: so many pictures of the late ones, and of the forgotten.
    :raises UsageError: for what is no training, or has kept the weights of fewer than two epochs.
    """
    opened = open_model(run, network=network, offline=offline)
    if not isinstance(opened, Run):
        raise UsageError("when pictures were learned is asked of a run, which has kept weights on the way.")
    opened.check_trained()
    wanted = sorted(epoch for epoch in set(opened.stored_epochs if epochs is None else epochs) if epoch > 0)
    if len(wanted) < 2:
        raise UsageError(
            f"run {opened.name} has kept the weights of {len(wanted)} epoch{'' if len(wanted) == 1 else 's'}, so it "
            "cannot be told when pictures were learned. Train with snapshots=[1, 2, 4] in the recipe."
        )
    dataset, template = (
        own_data(opened, data_dir=data_dir, offline=offline),
        predictor_of(opened, device=device, network=network),
    )
    found = []
    for epoch in wanted:
        predictor = replace(template, classifier=opened.classifier(network, epoch=epoch))
        stored = predictions_on(predictor, dataset, split)
        found.append(class_predictions(stored, class_column(stored, column) if column else None))
    last = found[-1]
    rows = np.arange(len(last))
    images = dict(dataset.parts())[split]
    order = LearningOrder(
        epochs=tuple(wanted),
        right=np.stack([each.right for each in found]),
        probability=np.stack([each.probabilities[rows, each.labels] for each in found]),
        labels=last.labels,
        predicted=last.predicted,
        names=tuple(last.names),
        ids=tuple(map(str, images.ids)),
        split=split,
        of=f"{len(last):,} {split} pictures, run {opened.name}{by_column(stored, column)}",
    )
    return replace(
        order,
        late_pixels=pixels_at(images, order.late[:most]),
        forgotten_pixels=pixels_at(images, order.forgotten[:most]),
    )


def learned_counts(order: LearningOrder) -> tuple[tuple[str, int], ...]:
    """How many pictures were learned by when, in words and numbers, and how many were forgotten or never right."""
    learned = order.learned
    first, *later = order.epochs
    rows = [(f"right after epoch {first} and ever since", int((learned == first).sum()))]
    before = {late: early for early, late in pairwise(order.epochs)}
    rows += [
        (f"right since epoch {epoch}, and not after {before[epoch]}", int((learned == epoch).sum())) for epoch in later
    ]
    rows.append(("right once, and wrong at last", len(order.forgotten)))
    rows.append(("never right", len(order.never)))
    return tuple(rows)
