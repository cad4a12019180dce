"""Which data a model is evaluated or attacked on: that of its training, divided as there, or other data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnlab import data as data_package
from cnnlab.core.errors import UsageError
from cnnlab.data import Dataset, ImageSet
from cnnlab.data.division import division
from cnnlab.evaluation.prediction.alignment import in_the_classifiers_order, in_the_classifiers_shape
from cnnlab.evaluation.prediction.leakage import in_own_splits
from cnnlab.evaluation.prediction.predictor import Predictor
from cnnlab.models import Predictable
from cnnlab.runs import Run

ALL = "all"
"""The split that stands for every picture of a data set."""


def own_data(run: Run, *, data_dir: str | Path | None = None, offline: bool = False) -> Dataset:
    """The data that a run was trained on, divided as for that.

    :raises UsageError: for a run that was trained on arrays given in Python.
    :raises DataError: when it cannot be read.
    """
    return _of_recipe(run.recipe, f"run {run.folder.name}", data_dir or run.data_folder, offline)


def chosen_data(
    run: Run | Predictable, model: Predictor, data: Any, data_dir: str | Path | None, offline: bool
) -> tuple[Dataset, bool]:
    """The data set to evaluate on, and whether it is that of the training, divided as it was there."""
    if data is None:
        return _loaded(model, None, data_dir or (run.data_folder if isinstance(run, Run) else None), offline), True
    dataset = _loaded(model, data, data_dir, offline)
    if not isinstance(run, Run):
        return dataset, False
    own = in_own_splits(run, _fitting(model, data, data_dir), dataset, data_dir, offline)
    return own or dataset, own is not None


def _loaded(model: Predictor, data: Any, data_dir: str | Path | None, offline: bool) -> Dataset:
    if isinstance(data, Dataset):
        return data
    if data is not None:
        wanted = _fitting(model, data, data_dir)
        return data_package.load_data(wanted, data_dir=data_dir, offline=offline, for_training=False)
    return _of_recipe(model.recipe, model.label, data_dir, offline)


def _of_recipe(recipe: Mapping[str, Any], label: str, data_dir: str | Path | None, offline: bool) -> Dataset:
    spec = recipe.get("data")
    if spec is None:
        raise UsageError("a classifier by itself has no data; name some, as in data=fashion-mnist.")
    if data_package.is_given_in_python(spec):
        raise UsageError(f"{label} was trained on arrays given in Python, which its record does not hold. Give data=….")
    return data_package.load_data(spec, data_dir=data_dir, offline=offline, **division(recipe))


def _fitting(model: Predictor, data: Any, data_dir: str | Path | None) -> Any:
    return in_the_classifiers_shape(data, model.classifier, data_dir)


def usual_split(dataset: Dataset, *, is_other: bool) -> str:
    """Test; but of other data that is not divided, a part carved off for a training would be an arbitrary one."""
    has_own_test = "test" in dict(dataset.parts()) and "test" not in dataset.source.get("carved", ())
    return "test" if has_own_test or not is_other else ALL


def image_sets_of(dataset: Dataset, split: str) -> list[ImageSet]:
    """The pictures of one split, or of ``all``, each split by itself.

    :raises UsageError: when the data has no such split.
    """
    parts = dict(dataset.parts())
    if split == ALL:
        return list(parts.values())
    held_out = dataset.held_out
    if held_out is not None and split in (held_out.name, held_out.split):
        return [held_out.images]
    if split not in parts:
        raise UsageError(
            f"{dataset.name} has no split {split!r}. It has "
            f"{', '.join([*parts, *([] if held_out is None else [held_out.name])])}; all stands for every picture."
        )
    return [parts[split]]


def targets_of(model: Predictor, parts: list[ImageSet]) -> dict[str, Tensor]:
    """The targets of the pictures in the classifier's order of classes; none where any part has none."""
    predicted = model.objective.predicts
    aligned = [in_the_classifiers_order(part.targets, part.classes, model.classifier, predicted) for part in parts]
    columns = set.intersection(*(set(part) for part in aligned))
    return {name: torch.cat([part[name] for part in aligned]) for name in aligned[0] if name in columns}
