"""The pictures of a transfer in the size that a backbone takes, and what their classes are."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cnnlab.core.errors import UsageError
from cnnlab.core.registry import BoundCall
from cnnlab.core.spec import Call
from cnnlab.data import Dataset, load_data, sized_data
from cnnlab.data.loading import is_spec
from cnnlab.objectives import Objective, build_objective
from cnnlab.transfer.backbones import FeatureMaker
from cnnlab.transfer.fitting import Labels
from cnnlab.transfer.request import TransferRequest


@dataclass(frozen=True, eq=False)
class Pictures:
    """A data set, divided, as one backbone takes it.

    :param spec: of the data, its size included; ``arrays`` for objects given in Python.
    """

    dataset: Dataset
    spec: str
    objective: Objective
    classifier_facts: Mapping[str, Any]

    @cached_property
    def labels(self) -> Labels:
        """The class of each picture, of all splits after one another."""
        (column,) = self.objective.predicts
        return np.concatenate([part.targets[column].numpy() for _, part in self.dataset.parts()])


def read_pictures(
    request: TransferRequest, backbone: FeatureMaker, data_dir: str | Path | None, offline: bool
) -> Pictures:
    """The data of a request for one backbone.

    :raises UsageError: for data of numbers, or without a validation split.
    """
    spec = request.data
    if is_spec(spec):
        spec = sized_data(spec, backbone.side, data_dir, resampling=backbone.resampling)
    dataset = load_data(
        spec,
        validation=request.validation,
        test=request.test,
        subset=request.subset,
        seed=request.seed,
        data_dir=data_dir,
        offline=offline,
    )
    objective = _objective(request.objective, dataset)
    if dataset.validation is None:
        raise UsageError(
            f"the best classifier is chosen on validation pictures, and {dataset.name} has none. Set some aside, as in "
            "validation=0.1."
        )
    (column,) = objective.predicts
    for name, part in dataset.parts():
        if column not in part.targets:
            raise UsageError(f"the {name} pictures of {dataset.name} have no classes. Leave that split out: {name}=0.")
    said = spec.arguments if isinstance(spec, BoundCall) else {}
    facts = {
        "classes": dict(dataset.classes),
        "resize": said.get("resize", "squash"),
        "resampling": said.get("resampling", "bilinear"),
        "white": dataset.source.get("white"),
        "float_white": dataset.source.get("float_white"),
    }
    return Pictures(
        dataset, str(_in_short(spec, backbone.side)) if isinstance(spec, BoundCall) else "arrays", objective, facts
    )


def _in_short(spec: BoundCall[Any], side: int | None) -> Call:
    """The spec without what is at its default, but for ``size=none`` where that is not the one of the backbone."""
    short = spec.short
    is_none = side is not None and spec.arguments.get("size", 0) is None
    return Call(short.name, short.args, {**short.kwargs, "size": None}) if is_none else short


def _objective(spec: str, dataset: Dataset) -> Objective:
    columns = {name: dataset.classes.get(name) for name in dataset.train.targets}
    if not any(columns.values()):
        held = f"are numbers: {', '.join(columns)}" if columns else "are none"
        raise UsageError(
            f"classifiers are fitted to classes, and the targets of {dataset.name} {held}. Give labels that name "
            "classes; to predict numbers train a network: cnnlab train objective=scalar."
        )
    return build_objective(spec, columns, dataset.train.targets)
