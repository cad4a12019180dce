"""A stored classifier on a data set or a split: its predictions and their scores."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnlab.core import memory
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.hooks import perturbations
from cnnlab.core.registry import BoundCall
from cnnlab.data import Dataset, ImageSet
from cnnlab.data.dataset import OUT_OF_FOLD
from cnnlab.evaluation.intervals import Estimate, Interval
from cnnlab.evaluation.metric_intervals import class_estimates, score_intervals
from cnnlab.evaluation.metrics.per_class import per_class
from cnnlab.evaluation.metrics.stored_predictions import metrics_of, objective_of
from cnnlab.evaluation.prediction.chosen_data import chosen_data, image_sets_of, targets_of, usual_split
from cnnlab.evaluation.prediction.leakage import warn_of_fitted_pictures, warn_of_seen_pictures
from cnnlab.evaluation.prediction.open_model import open_model
from cnnlab.evaluation.prediction.predictor import Predictor, predictor_of
from cnnlab.models import OwnNetwork, Perturbation, Predictable, batch_for, perturbed, to_float
from cnnlab.objectives import Objective
from cnnlab.runs import Predictions, Run, RunWriter
from cnnlab.runs.record import json_value


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

    @cached_property
    def class_estimates(self) -> dict[str, Estimate]:
        """Calibration error and mean area under the ROC curves, of each column of classes; none without targets."""
        try:
            return class_estimates(self.predictions)
        except CnnlabError:
            # Outputs that are not finite have scores that say so, and no probabilities.
            return {}

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Of each score and each of :attr:`class_estimates` that has one, over pictures; see
        :func:`~cnnlab.evaluation.score_intervals`.
        """
        found = score_intervals(self.scores, len(self.predictions), lambda: self.predictions)
        return found | {name: one.interval for name, one in self.class_estimates.items() if one.interval is not None}

    @property
    def classes(self) -> list[dict[str, Any]]:
        """Of each class of each column of classes its ``support``, ``precision``, ``recall`` and ``f1``, as
        :func:`~cnnlab.evaluation.per_class` has them; none without targets, or with outputs that are not finite.
        """
        measures = ("support", "precision", "recall", "f1")
        columns = objective_of(self.predictions).class_heads if len(self.predictions) else ()
        try:
            tables = {one: per_class(self.predictions, one) for one in columns if one in self.predictions.targets}
        except CnnlabError:
            return []
        return [
            {"column": column, "name": name, **{key: getattr(table, key)[i].item() for key in measures}}
            for column, table in tables.items()
            for i, name in enumerate(table.names)
        ]

    def to_dict(self) -> dict[str, Any]:
        """The scores and what they are of, as plain JSON."""
        return {
            "model": self.label,
            "data": self.data,
            "data_digest": self.predictions.data,
            "split": self.split,
            "images": len(self.predictions),
            "scores": json_value({**self.scores, **{name: one.value for name, one in self.class_estimates.items()}}),
            "intervals": {name: interval.to_dict() for name, interval in self.intervals.items()},
            "classes": json_value(self.classes),
        }

    def __repr__(self) -> str:
        scores = ", ".join(f"{name}={value:.4g}" for name, value in self.scores.items() if name != "n") or "no targets"
        return f"Evaluation({self.label} on {self.data}, {self.split}: {scores}, n={len(self.predictions)})"


def evaluate(
    run: Run | Predictable | str | Path,
    data: Any = None,
    split: str | None = None,
    *,
    perturb: object = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    device: str | None = None,
    network: OwnNetwork | None = None,
) -> Evaluation:
    """The classifier of a run on another data set or split.

    Pictures are brought to the classifier's own size and channels, and classes are matched by their names.

    :param run: or a model by itself, or the name of either, as :func:`cnnlab.open_model` takes it.
    :param data: anything that :func:`cnnlab.load_data` takes, or a data set already loaded, which is taken as it is;
        None for the data that the run was trained on.
    :param split: ``train``, ``validation``, ``test`` or ``all``; of a run that drew its training pictures also
        ``out-of-bag``, those that it did not draw, and of one with folds ``out-of-fold``, as it is on record. By
        default the test split that a run or a data set has, and every picture of other data that has none of its own.
        The data of the run, named again, is divided as for its training; in other data, pictures that the run was
        trained on are warned of, as is a split that an ensemble was fitted on.
    :param perturb: the spec of one or several perturbations, done to the pictures before they are predicted: any
        operation of :mod:`cnnlab.augment`, as in ``rotate(15)|gaussian_noise(0.05)``, or an adversary. The predictions
        are of the split ``test@NAME`` then, named by the spec; of a run on its own data they are stored with its
        others. What is drawn is the same every time.
    :param offline: never tries the network for data or weights.
    :param device: another device than the one that the run was trained on.
    :param network: the network of one's own that the run was trained on, or what makes it, where this process does
        not know it.
    :raises UsageError: when the data has no such split, or knows other classes than the classifier.
    :raises DataError: when the data cannot be read.
    """
    memory.ask_for_large_pages()
    bound = perturbations.bind_all(perturb)
    changes: list[Perturbation] = [call.build() for call in bound]
    run = open_model(run, network=network, offline=offline)
    model = predictor_of(run, device=device, network=network)
    dataset, is_own = chosen_data(run, model, data, data_dir, offline)
    split = split or usual_split(dataset, is_other=not is_own)
    if is_own and isinstance(run, Run) and _is_out_of_fold(split):
        return _stored(run, model, dataset, bound)
    warn_of_seen_pictures(run, split, image_sets_of(dataset, split), is_own=is_own, data_dir=data_dir)
    predictions = predictions_on(model, dataset, split, changes)
    if bound:
        predictions = replace(predictions, split=f"{split}@{_name(bound)}")
    if changes and is_own and isinstance(run, Run):
        with RunWriter.open(run.folder) as writer:
            writer.predictions(predictions)
    scores = metrics_of(predictions) if predictions.targets else {}
    return Evaluation(scores, predictions, dataset.name, predictions.split, model.label)


def _is_out_of_fold(split: str) -> bool:
    return split.removeprefix("train@") == OUT_OF_FOLD


def _stored(run: Run, model: Predictor, dataset: Dataset, changes: Sequence[object]) -> Evaluation:
    """What networks said of the folds that they had not seen, which only they can say: it is on record."""
    if changes:
        raise UsageError(
            "what was predicted of folds held out is on record for the pictures as they are. Leave perturb= out, or "
            "take another split."
        )
    predictions = run.predictions(f"train@{OUT_OF_FOLD}")
    if predictions.split not in ((run.info.get("ensemble") or {}).get("cross_fitted") or ()):
        warn_of_fitted_pictures(run, predictions.split)
    return Evaluation(metrics_of(predictions), predictions, dataset.name, predictions.split, model.label)


def predictions_on(model: Predictor, dataset: Dataset, split: str, changes: Sequence[Perturbation] = ()) -> Predictions:
    """What a model says of one split of a data set, or of ``all`` its pictures, after these changes.

    :raises UsageError: when the data has no such split, or knows other classes than the model.
    """
    parts, objective = image_sets_of(dataset, split), model.objective
    targets = targets_of(model, parts)
    if targets:
        objective.check(targets)
    elif changes:
        raise UsageError(f"a perturbation goes by the targets, and the {split} split of {dataset.name} has none.")
    outputs = model.outputs(_perturbed(model, objective, parts, targets, changes) if changes else _batches(parts))
    return Predictions.of_tensors(
        objective.split(outputs),
        targets,
        ids=[name for part in parts for name in part.ids],
        objective=objective.spec,
        classes=model.classifier.classes,
        data=dataset.digest,
        split=split,
        images=parts[0].digest if len(parts) == 1 else None,
    )


def _batches(parts: list[ImageSet]) -> Iterator[Tensor]:
    for part in parts:
        # As many as a training scores at a time, so that sums are rounded alike.
        size = batch_for(part.shape)
        for start in range(0, len(part), size):
            yield part.batch(torch.arange(start, min(start + size, len(part))))[0]


def _perturbed(
    model: Predictor,
    objective: Objective,
    parts: list[ImageSet],
    targets: Mapping[str, Tensor],
    changes: Sequence[Perturbation],
) -> Iterator[Tensor]:
    """Batches of pixels as the perturbations leave them, by the classifier that they are meant for."""
    done = 0
    for number, images in enumerate(_batches(parts)):
        own = {name: column[done : done + len(images)].to(model.device) for name, column in targets.items()}
        pixels = to_float(images.to(model.device)).contiguous(memory_format=torch.channels_last)
        done += len(images)
        yield perturbed(
            pixels,
            objective.encode(own),
            changes,
            model.classifier,
            objective,
            seed=0,
            index=(number,),
            precision=model.precision,
        )


def _name(changes: Sequence[BoundCall[Any]]) -> str:
    """What perturbations are called in the name of a file."""
    return re.sub(r'[/\\:*?"<>|]', "-", "+".join(str(call.short) for call in changes))
