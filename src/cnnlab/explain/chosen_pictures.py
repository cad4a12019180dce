"""The few pictures that are explained: named by split and place, by file or folder, or chosen by a stated rule."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core import seeds
from cnnlab.core.errors import CnnlabError, DataError, UsageError, suggestion
from cnnlab.core.messages import first_few
from cnnlab.core.number_text import counted, fixed, with_minus
from cnnlab.core.scored_splits import OUT_OF_FOLD
from cnnlab.core.sinks import in_short
from cnnlab.data import Dataset, ImageReader, ImageSet, find_images
from cnnlab.evaluation import Predictor, class_predictions, own_data, predictor_of
from cnnlab.explain.picture_names import HELD_OUT, id_beside, picture_word
from cnnlab.models import Predictable
from cnnlab.runs import Run

COUNT = 6
"""Pictures that are chosen where none is named one by one."""
SPLITS = ("train", "validation", "test", HELD_OUT)
_KINDS = ("right", "wrong")
_OF_A_SPLIT = re.compile(rf"({'|'.join(SPLITS)})(?::(.*))?", re.DOTALL)


@dataclass(frozen=True, eq=False)
class ChosenPictures:
    """Pictures with what is known of them, and what a model says of them.

    :param pixels: uint8 N×C×H×W, as the model takes them.
    :param names: what each is called: ``test:12``, as it is asked for, or the name of its file.
    :param true: of each the class that it is known to be of, in words; empty where that is not known.
    :param predicted: of each what the model predicts, in words; ``sure`` how sure it is, such as ``87%``, empty where
        nothing tells.
    :param of: which they are, in words, such as ``6 of the 10,000 test pictures``.
    :param ids: of each its id in the data where that differs from its place, such as the name of a file; empty where
        it does not.
    """

    pixels: Tensor
    names: tuple[str, ...]
    true: tuple[str, ...]
    predicted: tuple[str, ...]
    sure: tuple[str, ...]
    of: str
    ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def first(self, count: int) -> "ChosenPictures":
        """The first so many of them; all where there are no more."""
        if count >= len(self):
            return self
        of = f"{self.names[0]}, the first of {self.of}" if count == 1 else f"the first {count} of {self.of}"
        some = slice(count)
        return ChosenPictures(
            self.pixels[some],
            self.names[some],
            self.true[some],
            self.predicted[some],
            self.sure[some],
            of,
            self.ids[some],
        )

    def __repr__(self) -> str:
        return f"ChosenPictures({self.of})"


def chosen_pictures(
    model: Run | Predictable | str | Path,
    wanted: Sequence[str | Path] = (),
    *,
    column: str | None = None,
    count: int = COUNT,
    seed: int = 0,
    device: str | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
) -> ChosenPictures:
    """The pictures that are meant, in the order in which they are named.

    ========================== ==============================================================================
    ``test:12,57``             by their places in a split of the run's data, from 0
    ``test:wrong``             ``count`` that the run predicts wrongly, or ``right`` ones, drawn by the seed
    ``test``                   as many of both, of different classes where there are enough, drawn by the seed
    ``photo.jpg``, ``photos/`` files, folders and archives; of more than ``count`` in a folder so many, drawn
    ========================== ==============================================================================

    Splits are ``train``, ``validation`` and ``test``, and ``out-of-fold``: the pictures that the network of a fold has
    not seen, in the order in which its predictions of them are stored.

    :param wanted: of a run the test split unless given, or validation where it has no test split.
    :param column: of the targets, by which a picture is predicted rightly or wrongly; the first that is predicted
        unless given.
    :raises UsageError: for a split, a place or a column that there is not; for a model by itself, which has no data,
        where no file is named.
    :raises DataError: when a file is missing or is no picture.
    """
    predictor = predictor_of(model, device=device, offline=offline)
    run = model if isinstance(model, Run) else None
    source = _Source(run, predictor, column, count, seed, data_dir, offline)
    words = list(wanted) or [source.usual_split()]
    parts = [source.read(word) for word in words]
    pixels = torch.cat([part.pixels for part in parts])
    predicted, sure = zip(*said_of(predictor, pixels), strict=True)
    *others, last = [part.of for part in parts]
    comma = "," if any("," in each for each in others) else ""
    return ChosenPictures(
        pixels=pixels,
        names=tuple(name for part in parts for name in part.names),
        true=tuple(name for part in parts for name in part.true),
        predicted=predicted,
        sure=sure,
        of=f"{', '.join(others)}{comma} and {last}" if others else last,
        ids=tuple(name for part in parts for name in part.ids),
    )


def column_of_classes(predictor: Predictor, column: str | None = None) -> tuple[str | None, tuple[str, ...]]:
    """The column of classes that is meant, the first unless named, and all those that a model predicts.

    :raises UsageError: when it predicts no such classes.
    """
    classes = predictor.classifier.classes
    known = tuple(name for name in predictor.objective.predicts if name in classes)
    if column is not None and column not in known:
        listed = suggestion(column, known) if known else ""
        raise UsageError(f"the model predicts no classes of {in_short(column)}. {listed}".rstrip())
    return column or next(iter(known), None), known


def said_of(predictor: Predictor, pixels: Tensor) -> Iterator[tuple[str, str]]:
    """What a model says of pictures N×C×H×W, such as ``Coat`` and ``87%``; of several heads a word each."""
    outputs = predictor.outputs([pixels])
    objective, classes = predictor.objective, predictor.classifier.classes
    sure = objective.confidences(outputs)
    decoded = {name: values.tolist() for name, values in objective.decode(outputs).items()}
    for row in range(len(pixels)):
        words, shares = [], []
        for name, values in decoded.items():
            names = classes.get(name)
            words.append(with_minus(f"{values[row]:.4g}") if names is None else names[values[row]])
            shares += [_percent(float(sure[name][row]))] if names is not None and name in sure else []
        yield ", ".join(words), ", ".join(shares)


@dataclass(frozen=True, eq=False)
class _Part:
    """Pictures that one word stands for."""

    pixels: Tensor
    names: tuple[str, ...]
    ids: tuple[str, ...]
    true: tuple[str, ...]
    of: str


class _Source:
    """Where pictures come from: the data of a run, which is read once, and files."""

    def __init__(
        self,
        run: Run | None,
        predictor: Predictor,
        column: str | None,
        count: int,
        seed: int,
        data_dir: str | Path | None,
        offline: bool,
    ) -> None:
        self.run, self.predictor, self.count, self.seed = run, predictor, count, seed
        self.column, self.columns = column_of_classes(predictor, column)
        self.where: dict[str, Any] = {"data_dir": data_dir, "offline": offline}
        self._dataset: Dataset | None = None

    def usual_split(self) -> str:
        """Test, or validation where there is no test split."""
        if self.run is None:
            raise UsageError(
                "a model by itself has no data to take pictures from. Name files or folders, as in --images photo.jpg."
            )
        return next(split for split in ("test", "validation", "train") if split in dict(self.dataset().parts()))

    def dataset(self) -> Dataset:
        """The data of the run."""
        if self.run is None:
            raise UsageError(
                "a model by itself has no splits to take pictures from. Name files or folders, as in --images "
                "photo.jpg, or the pictures of a run."
            )
        if self._dataset is None:
            self._dataset = own_data(self.run, **self.where)
        return self._dataset

    def read(self, word: str | Path) -> _Part:
        """The pictures that one word stands for."""
        split = _OF_A_SPLIT.fullmatch(str(word))
        if split is None or os.path.exists(word):
            return self._of_files(word)
        dataset = self.dataset()
        parts = dict(dataset.parts())
        if self.run is not None and OUT_OF_FOLD in self.run.splits:
            # Of all folds together it is every picture of train.
            parts[HELD_OUT] = dataset.train if dataset.held_out is None else dataset.held_out.images
        if split[1] not in parts:
            raise UsageError(f"{dataset.name} has no split {split[1]}. It has {', '.join(parts)}.")
        images = parts[split[1]]
        if split[2] is None or split[2].strip() in _KINDS:
            return self._drawn(images, split[1], (split[2] or "").strip())
        places = _places(split[2], len(images), split[1])
        which = first_few([str(place) for place in places])
        noun = "picture" if len(places) == 1 else "pictures"
        return self._of_split(images, split[1], places, f"{split[1]} {noun} {which} of {dataset.name}")

    def _drawn(self, images: ImageSet, split: str, kind: str) -> _Part:
        """Some of a split, drawn by the seed: right and wrong ones where the run has predicted it."""
        order = torch.randperm(len(images), generator=seeds.generator(self.seed, "explained pictures")).tolist()
        right, labels = self._right(images, split)
        where = f"{split} pictures of {self.dataset().name}, drawn by seed {self.seed}"
        if right is not None and len(self.columns) > 1:
            where += f", right or wrong by {self.column}, of {' and '.join(self.columns)}"
        if right is None:
            if kind:
                raise UsageError(
                    f"the run has no predictions of classes on its {split} pictures on record, so it is not known "
                    f"which are {kind}. Name pictures by their places, as in --images {split}:0,1."
                )
            places = _of_different_classes(order, labels, self.count)
            return self._of_split(images, split, places, f"{len(places)} {where}")
        wrong = [place for place in order if not right[place]]
        good = [place for place in order if right[place]]
        if kind:
            chosen = _of_different_classes(wrong if kind == "wrong" else good, labels, self.count)
            if not chosen:
                raise UsageError(f"no {split} picture is predicted {_adverb(kind)}.")
            return self._of_split(images, split, chosen, f"{len(chosen)} {_adverb(kind)} predicted {where}")
        bad = _of_different_classes(wrong, labels, self.count // 2)
        fine = _of_different_classes(good, labels, self.count - len(bad))
        told = f"{len(fine)} rightly and {len(bad)} wrongly predicted {where}"
        return self._of_split(images, split, [*fine, *bad], told)

    def _right(self, images: ImageSet, split: str) -> tuple[NDArray[np.bool_] | None, NDArray[np.int64] | None]:
        """Which pictures are predicted rightly, where that is on record; and of which class each is, where known."""
        known = self.column if self.column in images.targets else next(iter(images.classes), None)
        stored_as = OUT_OF_FOLD if split == HELD_OUT else split
        try:
            assert self.run is not None
            stored = self.run.predictions(stored_as) if stored_as in self.run.splits else None
            said = None if stored is None else class_predictions(stored, known)
        except CnnlabError:
            said = None
        if said is not None and len(said.labels) == len(images):
            return said.right, said.labels
        return None, None if known is None else images.targets[known].numpy()

    def _of_split(self, images: ImageSet, split: str, places: Sequence[int], of: str) -> _Part:
        pixels, targets = images.batch(torch.tensor(places))
        columns = [name for name in targets if name in images.classes]
        true = [
            ", ".join(images.classes[name][int(targets[name][row])] for name in columns) for row in range(len(places))
        ]
        shape = self.predictor.classifier.shape
        if tuple(pixels.shape[1:]) != tuple(shape):
            raise DataError(
                f"the pictures are {'×'.join(map(str, pixels.shape[1:]))}, and the model takes "
                f"{'×'.join(map(str, shape))}."
            )
        names = tuple(picture_word(split, place) for place in places)
        ids = tuple(id_beside(place, images.ids[place]) for place in places)
        return _Part(pixels, names, ids, tuple(true), of)

    def _of_files(self, word: str | Path) -> _Part:
        if not os.path.exists(Path(word).expanduser()):
            splits = "" if self.run is None else f", and no split of the run: these are {', '.join(SPLITS)}"
            raise DataError(
                f"there is no picture or folder {in_short(str(word))}{splits}. Name pictures as in test:12,57, or by "
                "their files."
            )
        found = find_images([word])
        kept = found
        if len(found) > self.count:
            order = torch.randperm(len(found), generator=seeds.generator(self.seed, "explained pictures"))
            kept = [found[place] for place in sorted(order[: self.count].tolist())]
        model = self.predictor.classifier
        reader = ImageReader(kept, model.shape, model.resize, model.whites, model.resampling)
        pixels, names, bad = reader.read(0, len(kept))
        if bad:
            raise DataError(f"these files cannot be read as pictures: {first_few([str(item) for item in bad])}.")
        short = tuple(os.path.basename(name) for name in names)
        if len(found) == 1:
            of = short[0]
        else:
            drawn = f", drawn by seed {self.seed}" if len(kept) < len(found) else ""
            some = f"{len(kept)} of " if len(kept) < len(found) else ""
            of = f"{some}{counted(len(found), 'picture')} in {Path(word).name or word}{drawn}"
        nothing = ("",) * len(short)
        return _Part(pixels, short, nothing, nothing, of)


def _places(text: str, count: int, split: str) -> list[int]:
    """``12,57`` as numbers.

    :raises UsageError: saying what there is.
    """
    places = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        if not word.isdecimal():
            hint = suggestion(word, _KINDS) if word.isalpha() else ""
            raise UsageError(
                f"{in_short(word)} is no place of a picture: write {split}:12,57, or {split}:wrong for some that are "
                f"predicted wrongly. {hint}".rstrip()
            )
        if int(word) >= count:
            raise UsageError(f"the {split} split has pictures 0 to {count - 1:,}, and no {in_short(word)}.")
        places.append(int(word))
    if not places:
        raise UsageError(f"say which pictures of {split} are meant, as in {split}:12,57.")
    return places


def _of_different_classes(order: Sequence[int], labels: NDArray[np.int64] | None, count: int) -> list[int]:
    """The first of an order, at first one of each class, then whatever comes."""
    if labels is None:
        return list(order[:count])
    first: dict[int, int] = {}
    for place in order:
        first.setdefault(int(labels[place]), place)
    taken = list(first.values())[:count]
    rest = (place for place in order if place not in set(taken))
    return [*taken, *(place for place, _ in zip(rest, range(count - len(taken)), strict=False))]


def _adverb(kind: str) -> str:
    return "wrongly" if kind == "wrong" else "rightly"


def _percent(share: float) -> str:
    return ">99%" if 0.995 <= share < 1 else f"{fixed(100 * share, 0)}%"
