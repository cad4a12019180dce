"""A stored classifier on a data set or a split: its predictions and their scores."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnnlab import data as data_room
from cnnlab.core.errors import UsageError
from cnnlab.data import Dataset, ImageSet
from cnnlab.evaluation.intervals import Interval, score_interval
from cnnlab.evaluation.prediction.alignment import in_the_classifiers_order, in_the_classifiers_shape
from cnnlab.evaluation.prediction.leakage import in_own_splits, shares, warn_of_training_images
from cnnlab.evaluation.prediction.predictor import BATCH, Predictor, predictor_of
from cnnlab.models import Classifier
from cnnlab.runs import Predictions, Run
from cnnlab.runs.record import json_value

ALL = "all"
"""The split that stands for every picture of a data set."""


@dataclass(frozen=True)
class Evaluation:
    """What a classifier predicts on one split, and how good that is.

    :param scores: metrics by name and ``n``, the number of pictures; empty where the split has no targets.
    :param predictions: outputs and targets, in the classifier's order of classes.
    :param data: name of the data set; ``split`` that of its part, or ``all``.
    :param label: what was evaluated.
    """

    scores: Mapping[str, float]
    predictions: Predictions
    data: str
    split: str
    label: str

    @property
    def intervals(self) -> dict[str, Interval]:
        """Wilson's interval of each score that is a share of the pictures, such as accuracy."""
        count = len(self.predictions)
        found = {name: score_interval(name, value, count) for name, value in self.scores.items()}
        return {name: interval for name, interval in found.items() if interval is not None}

    def to_dict(self) -> dict[str, Any]:
        """The scores and what they are of, as plain JSON."""
        return {
            "model": self.label,
            "data": self.data,
            "data_digest": self.predictions.data,
            "split": self.split,
            "images": len(self.predictions),
            "scores": json_value(self.scores),
            "intervals": {name: interval.to_dict() for name, interval in self.intervals.items()},
        }

    def __repr__(self) -> str:
        scores = ", ".join(f"{name}={value:.4g}" for name, value in self.scores.items() if name != "n") or "no targets"
        return f"Evaluation({self.label} on {self.data}, {self.split}: {scores}, n={len(self.predictions)})"


def evaluate(
    run: Run | Classifier,
    data: Any = None,
    split: str | None = None,
    *,
    data_dir: str | Path | None = None,
    offline: bool = False,
    device: str | None = None,
    network: nn.Module | None = None,
) -> Evaluation:
    """The classifier of a run on another data set or split.

    Pictures are brought to the classifier's own size and channels, and classes are matched by their names.

    :param data: anything that :func:`cnnlab.load_data` takes, or a data set already loaded, which is taken as it is;
        None for the data that the run was trained on.
    :param split: ``train``, ``validation``, ``test`` or ``all``. By default the test split that a run or a data set
        has, and every picture of other data that has none of its own. The data of the run, named again, is divided as
        for its training; in other data, pictures that the run was trained on are warned of.
    :param device: another device than the one that the run was trained on.
    :param network: the module for the weights, for a run that was trained on a network of one's own.
    :raises UsageError: when the data has no such split, or knows other classes than the classifier.
    :raises DataError: when the data cannot be read.
    """
    model = predictor_of(run, device=device, network=network)
    if data is None and isinstance(run, Run):
        data_dir = data_dir or run.data_folder
    dataset = _loaded(model, data, data_dir, offline)
    own = dataset if data is None else None
    if data is not None and isinstance(run, Run):
        own = in_own_splits(run, _fitting(model, data, data_dir), dataset, data_dir, offline)
    dataset = own or dataset
    split = split or _usual_split(dataset, is_other=own is None)
    parts = _parts(dataset, split)
    if own is None and isinstance(run, Run):
        warn_of_training_images(run, parts, data_dir)
    objective = model.objective
    targets = _targets(model, parts)
    if targets:
        objective.check(targets)
    outputs = model.outputs(_batches(parts))
    scores = objective.metrics(outputs, targets) | {"n": len(outputs)} if targets else {}
    predictions = Predictions(
        outputs={head: _array(part) for head, part in objective.split(outputs).items()},
        targets={name: _array(column) for name, column in targets.items()},
        ids=[name for part in parts for name in part.ids],
        objective=objective.spec,
        classes=dict(model.classifier.classes),
        data=dataset.digest,
        split=split,
        images=parts[0].digest if len(parts) == 1 else None,
    )
    return Evaluation(scores, predictions, dataset.name, split, model.label)


def _loaded(model: Predictor, data: Any, data_dir: str | Path | None, offline: bool) -> Dataset:
    if isinstance(data, Dataset):
        return data
    if data is not None:
        return data_room.load_data(_fitting(model, data, data_dir), data_dir=data_dir, offline=offline)
    spec = model.recipe.get("data")
    if spec is None:
        raise UsageError("a classifier by itself has no data; name some, as in data=fashion-mnist.")
    if str(spec).startswith("arrays"):
        raise UsageError(
            f"{model.label} was trained on arrays given in Python, which its record does not hold. Give data=…."
        )
    return data_room.load_data(spec, data_dir=data_dir, offline=offline, **shares(model.recipe))


def _fitting(model: Predictor, data: Any, data_dir: str | Path | None) -> Any:
    return in_the_classifiers_shape(data, model.classifier, data_dir)


def _usual_split(dataset: Dataset, *, is_other: bool) -> str:
    """Test; but of other data that is not divided, a part carved off for a training would be an arbitrary one."""
    has_own_test = "test" in dict(dataset.parts()) and "test" not in dataset.source.get("carved", ())
    return "test" if has_own_test or not is_other else ALL


def _parts(dataset: Dataset, split: str) -> list[ImageSet]:
    parts = dict(dataset.parts())
    if split == ALL:
        return list(parts.values())
    if split not in parts:
        raise UsageError(
            f"{dataset.name} has no split {split!r}. It has {', '.join(parts)}; all stands for every picture."
        )
    return [parts[split]]


def _targets(model: Predictor, parts: list[ImageSet]) -> dict[str, Tensor]:
    """The targets of the pictures in the classifier's order of classes; none where any part has none."""
    predicted = model.objective.predicts
    aligned = [in_the_classifiers_order(part.targets, part.classes, model.classifier, predicted) for part in parts]
    columns = set.intersection(*(set(part) for part in aligned))
    return {name: torch.cat([part[name] for part in aligned]) for name in aligned[0] if name in columns}


def _batches(parts: list[ImageSet]) -> Iterator[Tensor]:
    for part in parts:
        for start in range(0, len(part), BATCH):
            yield part.batch(torch.arange(start, min(start + BATCH, len(part))))[0]


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(tensor.cpu().numpy())
