"""Fitting a pipeline of scikit-learn to features, and what it says of others, as the outputs of an objective."""

import time
import warnings
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import Pipeline
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.core.feature_cache import Features
from cnnlab.core.registry import BoundCall

LEAST_PROBABILITY = 1e-6
"""Below which no probability is taken: of five neighbours that agree the other classes have none, and no logarithm."""
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Fitted:
    """A pipeline that was fitted.

    :param call: its spec, in full.
    :param temperature: what decision values are divided by to be logits, where it has no probabilities.
    :param seconds: that fitting took.
    :param notes: what a person should know of how that went.
    """

    call: BoundCall[Pipeline]
    pipeline: Pipeline
    temperature: float = 1.0
    seconds: float = 0.0
    notes: tuple[str, ...] = field(default=())


def fit(call: BoundCall[Pipeline], features: Features, labels: Labels, seed: int) -> Fitted:
    """The pipeline of a spec, fitted.

    :param features: N×K; ``labels`` N class indices.
    :raises UsageError: where there are too few pictures, or only one class.
    """
    check_enough(call, len(features))
    if len(np.unique(labels)) < 2:
        raise UsageError("a classifier is fitted to two classes at least, and the training pictures are all of one.")
    pipeline = call.build(seed=seed)
    notes = []
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pipeline.fit(features, labels)
    seconds = time.perf_counter() - began
    if any(issubclass(each.category, ConvergenceWarning) for each in caught):
        notes.append(f"{call.short} did not converge; raise max_iter, or scale the features")
    return Fitted(call, pipeline, seconds=seconds, notes=tuple(notes))


def check_enough(call: BoundCall[Pipeline], pictures: int) -> None:
    """Refuses more neighbours than there are pictures.

    :raises UsageError: naming both.
    """
    wanted = int(call.arguments.get("n_neighbors", 1))
    if wanted > pictures:
        raise UsageError(
            f"{call.short} asks for {wanted:,} neighbours, and it is fitted to {pictures:,} training pictures. Take "
            f"n_neighbors of at most {pictures:,}."
        )


def has_probabilities(pipeline: Pipeline) -> bool:
    """Whether it tells probabilities, and not decision values that mean nothing by themselves."""
    model = pipeline[-1]
    # Those of the modified Huber loss are 0 and 1 too often to tell which class is the likeliest.
    is_by_value = isinstance(model, SGDClassifier) and model.loss != "log_loss"
    return hasattr(pipeline, "predict_proba") and not is_by_value


def raw_outputs(pipeline: Pipeline, features: Features, classes: int) -> NDArray[np.float64]:
    """Log-probabilities, or decision values where it has none: N×K, classes that it never saw the least of all."""
    known = np.asarray(pipeline.classes_, dtype=np.int64)
    if has_probabilities(pipeline):
        found = np.log(np.maximum(pipeline.predict_proba(features), LEAST_PROBABILITY))
        least: NDArray[np.float64] | float = float(np.log(LEAST_PROBABILITY))
    else:
        found = np.asarray(pipeline.decision_function(features), dtype=np.float64)
        if found.ndim == 1:
            found = np.stack([-found / 2, found / 2], axis=1)
        least = found.min(axis=1, keepdims=True) - np.ptp(found, axis=1, keepdims=True) - 1
    result = np.empty((len(features), classes))
    result[:] = least
    result[:, known] = found
    return result


def as_outputs(raw: NDArray[np.float64], temperature: float = 1.0) -> Tensor:
    """N×K logits as the outputs of an objective, float32."""
    return torch.from_numpy(raw / temperature).float()
