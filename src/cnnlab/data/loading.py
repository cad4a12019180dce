"""From what a person names to a data set: the one door to every reader."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.core.messages import announcing, first_few, note, warn
from cnnlab.core.registry import BoundCall
from cnnlab.core.spec import Call
from cnnlab.data import sources as _registers_the_readers  # noqa: F401
from cnnlab.data.cached_loading import load_cached
from cnnlab.data.catalogue import named_sets
from cnnlab.data.dataset import Dataset
from cnnlab.data.division import Subset, is_drawn
from cnnlab.data.draws import draw
from cnnlab.data.duplicates import handle_duplicates
from cnnlab.data.folds import Fold, fold_numbers, take_fold
from cnnlab.data.imageset import ImageSet
from cnnlab.data.in_memory import are_splits, from_arrays, from_splits, from_torch
from cnnlab.data.memmap import resident
from cnnlab.data.paths import as_call
from cnnlab.data.reading import Reading, SearchPath
from cnnlab.data.reading import readers as readers
from cnnlab.data.splits import SplitSize, complete
from cnnlab.data.subset import few, smaller
from cnnlab.data.target_columns import LABEL

_OF_ONE_SEED = ("drawn", "fold", "whole")
"""What the record of a data set says of what a seed drew of it."""


def load_data(
    spec: Any,
    *,
    validation: SplitSize = None,
    test: SplitSize = None,
    subset: Subset = None,
    quick: bool = False,
    folds: int | None = None,
    fold: int | None = None,
    seed: int = 0,
    data_dir: str | Path | None = None,
    offline: bool = False,
    for_training: bool = True,
) -> Dataset:
    """The data set that ``spec`` names, with train, validation and test.

    :param spec: a spec string or mapping such as ``fashion-mnist`` or ``folder(path=photos.zip, size=96)``, the bare
        path of files, what :func:`parse_data` made of either, a :class:`Dataset`, arrays ``x`` or ``(x, y)``, a torch
        ``Dataset``, pairs ``((x, y), (x_test, y_test))`` as Keras's ``load_data()`` gives them, or a mapping of splits
        by name.
    :param validation: a count or fraction to set aside where the data has no such split; None for a tenth of train (at
        most 5,000), 0 for none.
    :param test: the same; None for a fifth.
    :param subset: a count of train to keep, stratified, and of the other splits in proportion, but for those given as
        counts; or ``splits(train=…, validation=…, test=…)``, the same for all seeds. A share of train, or
        ``bootstrap``, is drawn by the seed, and ``held_out`` has what was not drawn. None for all.
    :param quick: whether to take a few hundred pictures only, as a quick trial does.
    :param folds: into how many train is divided, by the seed; all of it stays in train unless ``fold`` says, from 1,
        which one is held out.
    :param seed: by which a share, a bootstrap or folds are drawn.
    :param data_dir: where to look for files besides the current folder and ``CNNLAB_DATA``.
    :param offline: whether never to download.
    :param for_training: whether it must be fit to train on; to score on, pictures of some of the classes will do.
    :raises DataError: when the data is missing, damaged or contradicts itself.
    :raises UsageError: when the spec or a split cannot be meant.
    """
    what = "the data"
    if is_spec(spec) and not isinstance(spec, Mapping):
        what = str(spec.short if isinstance(spec, BoundCall) else spec)
    with announcing(f"reading {what}"):
        whole, dedupe = _whole(spec, SearchPath.at(data_dir, offline), for_training)
        if for_training:
            _warn_of_empty_classes(whole)
        divided = _divided(whole, dedupe, validation, test, subset, quick, seed, for_training)
        if folds is None:
            return divided
        if fold is not None:
            return take_fold(divided, Fold(fold, folds), seed)
        fold_numbers(divided.train, folds, seed)
        return divided


def _divided(
    dataset: Dataset,
    dedupe: bool,
    validation: SplitSize,
    test: SplitSize,
    subset: Subset,
    quick: bool,
    seed: int,
    for_training: bool,
) -> Dataset:
    parts = complete(dict(dataset.parts()), validation, test, for_training=for_training)
    carved = [split for split in parts if split not in dict(dataset.parts())]
    carved = [*dataset.source.get("carved", ()), *carved]
    source = {key: value for key, value in dataset.source.items() if key not in _OF_ONE_SEED} | {"carved": carved}
    dataset = handle_duplicates(Dataset.of(dataset.name, parts, source), dedupe=dedupe)
    if subset is not None and not is_drawn(subset):
        counted = [split for split, size in (("validation", validation), ("test", test)) if isinstance(size, int)]
        dataset = smaller(dataset, subset, counted)
    dataset = few(dataset) if quick else dataset
    if is_drawn(subset):
        dataset = draw(dataset, subset, seed)
    parts = {split: resident(part) for split, part in dataset.parts()}
    return Dataset.of(dataset.name, parts, dataset.source, dataset.held_out)


def _warn_of_empty_classes(dataset: Dataset) -> None:
    """Says that a network would have outputs for numbers of which there are no pictures, as of labels from 1."""
    names, labels = dataset.classes.get(LABEL, ()), dataset.train.targets.get(LABEL)
    is_numbered = len(names) > 1 and names == tuple(map(str, range(len(names))))
    if labels is None or not is_numbered or not len(labels):
        return
    held = {label for _, part in dataset.parts() for label in part.targets.get(LABEL, labels).tolist()}
    empty = [name for name in names if int(name) not in held]
    if empty:
        warn(
            f"{dataset.name}: the labels go from {min(held)} to {len(names) - 1}, and classes are counted from 0, so "
            f"that there are classes without pictures: {first_few(empty)}. Number them from 0 on, or give their names."
        )


def parse_data(spec: Any, data_dir: str | Path | None = None) -> BoundCall[Reading]:
    """The reader that a spec or a bare path means, with all its arguments; nothing is read yet.

    :raises SpecError: for a name or an argument that there is not.
    """
    return readers.bind(spec if isinstance(spec, BoundCall) else as_call(spec, SearchPath.at(data_dir)))


def sized_data(
    spec: Any, side: int | None, data_dir: str | Path | None = None, *, resampling: str = "bicubic"
) -> BoundCall[Reading]:
    """The reader that a spec means, with pictures brought to ``side`` by this resampling where it says neither.

    By the bicubic one networks of others are given pictures. Readers without sizes stay as they are, and so do specs
    that say one, or by ``size=none`` that pictures have one; all do where ``side`` is None.
    """
    bound = parse_data(spec, data_dir)
    said = {} if isinstance(spec, BoundCall) else as_call(spec, SearchPath.at(data_dir)).kwargs
    is_open = bound.arguments.get("size") is None and "size" in bound.arguments and "size" not in said
    if side is None or not is_open:
        return bound
    wanted = {"size": side} | ({} if "resampling" in said else {"resampling": resampling})
    return BoundCall(bound.entry, {**bound.arguments, **wanted})


def leaves_size_open(spec: Any, data_dir: str | Path | None = None) -> bool:
    """Whether the pictures that a spec means are files of whatever sizes, and it does not say which all shall have.

    ``size=none`` says that they have one.
    """
    call = as_call(spec, SearchPath.at(data_dir))
    bound = readers.bind(call)
    of_any_size = {"folder", "csv", *(each.name for each in named_sets() if each.shape is None)}
    return bound.name in of_any_size and bound.arguments["size"] is None and "size" not in call.kwargs


def canonical_data(spec: Any, data_dir: str | Path | None = None) -> str:
    """The spec as text with all its arguments, a bare path as the reader that it means: what comparisons use."""
    if is_spec(spec):
        return str(parse_data(spec, data_dir))
    return str(spec.source.get("spec", spec.name)) if isinstance(spec, Dataset) else "arrays"


def is_given_in_python(spec: object) -> bool:
    """Whether what a record names as its data stands for arrays given in Python, which it does not hold."""
    return str(spec).partition("(")[0] == "arrays"


def is_spec(spec: Any) -> bool:
    """Whether this names data by words, and is not the data itself."""
    return isinstance(spec, str | Path | Call | BoundCall) or (isinstance(spec, Mapping) and "name" in spec)


def _whole(spec: Any, place: SearchPath, for_training: bool) -> tuple[Dataset, bool]:
    """The data as it comes, before splits are carved; and whether duplicates are to be dropped."""
    if isinstance(spec, Dataset):
        return spec, bool(spec.source.get("dropped_duplicates"))
    if isinstance(spec, ImageSet):
        return Dataset("images", spec), False
    if not is_spec(spec):
        return _of_objects(spec), False
    bound = parse_data(spec, place.data_dir)
    reading = bound.build(place=place)
    entry = load_cached(reading, for_training=for_training)
    for text in entry.facts["notes"]:
        note(f"{reading.source.name}: {text}")
    facts = {key: entry.facts[key] for key in ("skipped", "notes", "warnings", "white", "float_white")}
    source = {"spec": str(bound), **reading.source.facts, **facts}
    return Dataset.of(reading.source.name, entry.parts, source), reading.options.dedupe


def _of_objects(data: Any) -> Dataset:
    if isinstance(data, Mapping):
        return from_splits(data)
    if are_splits(data):
        if len(data) > 2:
            raise UsageError(
                f"data holds {len(data)} pairs (x, y), and which is which split is not clear. Write "
                "data={'train': (x, y), 'validation': (x_val, y_val), 'test': (x_test, y_test)}."
            )
        return from_splits(dict(zip(("train", "test"), data, strict=True)))
    if isinstance(data, tuple | list) and len(data) == 2:
        return from_arrays(*data, validation=0, test=0)
    if isinstance(data, np.ndarray | Tensor):
        return from_arrays(data, validation=0, test=0)
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise UsageError(
            "data takes a name or a path, arrays x or (x, y), a torch Dataset of known length, a mapping of splits by "
            f"name to any of these, or a Dataset of cnnlab; got {type(data).__name__}."
        )
    return from_torch(data, validation=0, test=0)
