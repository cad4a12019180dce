"""Mistakes to look at: the surest of all, or the surest of each pair of classes that are confused."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.errors import UsageError, suggestion
from cnnlab.explain.mistakes.predicted import Predicted, images_of, pixels_at, predicted_by
from cnnlab.explain.picture_names import NamedPictures
from cnnlab.runs import Run

MOST = 24
_PAIRS, _EACH = 6, 4


@dataclass(frozen=True, eq=False)
class MistakePage(NamedPictures):
    """Some mistakes of a run, in the order in which they are shown.

    :param places: int64, n, in the split; ``ids`` of the pictures.
    :param split: as the predictions are stored for it.
    :param true, predicted: int64, n; ``confidence`` n, the probability of the class predicted.
    :param groups: n, from 0: of which pair of classes each is; all 0 where they are not by pair.
    :param titles: of the groups; ``totals`` how many mistakes of that kind there are.
    :param names: of the classes; ``of`` what was asked about, in words; ``wrong`` mistakes among ``count`` pictures.
    :param pixels: uint8 n×C×H×W; None where the data cannot be had, for which ``trouble`` is the reason.
    """

    places: NDArray[np.int64]
    ids: tuple[str, ...]
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    groups: NDArray[np.int64]
    titles: tuple[str, ...]
    totals: tuple[int, ...]
    names: tuple[str, ...]
    column: str
    split: str
    of: str
    wrong: int
    count: int
    pixels: NDArray[np.uint8] | None = None
    trouble: str = ""


def surest_mistakes(
    run: "Run | str | Path | Predicted",
    split: str = "test",
    *,
    true: str | None = None,
    predicted: str | None = None,
    column: str | None = None,
    most: int = MOST,
    data_dir: str | Path | None = None,
) -> MistakePage:
    """The mistakes that a run is surest of, the surest first.

    :param true, predicted: only those of a class, taken for a class, by their names.
    :param column: of the targets, where several are predicted: the first of them unless given.
    :raises UsageError: when there are no stored predictions, or no such class.
    """
    asked = run if isinstance(run, Predicted) else predicted_by(run, split, column)
    classes = asked.classes
    chosen = ~classes.right
    if true is not None:
        chosen &= classes.labels == _class(classes.names, true)
    if predicted is not None:
        chosen &= classes.predicted == _class(classes.names, predicted)
    places = _surest(asked, np.flatnonzero(chosen))
    what = f"{true or 'anything'} taken for {predicted or 'something else'}"
    title = "the surest" if true is None and predicted is None else what
    return _page(asked, [(title, places[:most], len(places))], data_dir)


def mistakes_by_pair(
    run: "Run | str | Path | Predicted",
    split: str = "test",
    *,
    column: str | None = None,
    pairs: int = _PAIRS,
    each: int = _EACH,
    data_dir: str | Path | None = None,
) -> MistakePage:
    """Of the pairs of classes confused most, the mistakes that a run is surest of.

    :param pairs: of true and predicted class, those with most mistakes first; ``each`` so many pictures.
    :raises UsageError: when there are no stored predictions.
    """
    asked = run if isinstance(run, Predicted) else predicted_by(run, split, column)
    classes, count = asked.classes, len(asked.classes.names)
    kinds = classes.labels * count + classes.predicted
    totals = np.bincount(kinds[~classes.right], minlength=count * count)
    groups = []
    for kind in np.argsort(-totals, kind="stable")[:pairs]:
        if totals[kind]:
            given, taken = (classes.names[place] for place in divmod(int(kind), count))
            places = _surest(asked, np.flatnonzero((kinds == kind) & ~classes.right))
            groups.append((f"{given} taken for {taken}", places[:each], len(places)))
    return _page(asked, groups, data_dir)


def _surest(asked: Predicted, places: NDArray[np.int64]) -> NDArray[np.int64]:
    # Equal confidences stay in the order of the pictures.
    return places[np.argsort(-asked.classes.confidence[places], kind="stable")]


def _class(names: Sequence[str], name: str) -> int:
    if name not in names:
        raise UsageError(f"there is no class {name!r}. {suggestion(name, list(names))}")
    return list(names).index(name)


def _page(
    asked: Predicted, groups: list[tuple[str, NDArray[np.int64], int]], data_dir: str | Path | None
) -> MistakePage:
    classes = asked.classes
    places = np.concatenate([found for _, found, _ in groups] or [np.empty(0, np.int64)])
    images, trouble = images_of(asked.run, asked.stored, data_dir) if len(places) else (None, "")
    return MistakePage(
        places=places,
        ids=tuple(asked.stored.ids[int(place)] for place in places),
        true=classes.labels[places],
        predicted=classes.predicted[places],
        confidence=classes.confidence[places],
        groups=np.repeat(np.arange(len(groups)), [len(found) for _, found, _ in groups]),
        titles=tuple(title for title, _, _ in groups),
        totals=tuple(total for _, _, total in groups),
        names=tuple(classes.names),
        column=asked.column,
        split=asked.stored.split,
        of=asked.of,
        wrong=int((~classes.right).sum()),
        count=len(classes),
        pixels=pixels_at(images, places),
        trouble=trouble,
    )
