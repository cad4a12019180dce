"""The end of a training: validation and test scored once, with the selected weights, and the run closed.

One that learned nothing is looked into before it is closed, so that it goes on to the same record after a kill.
"""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

from cnnlab.data import Dataset, ImageSet
from cnnlab.data.dataset import OUT_OF_FOLD
from cnnlab.models import Classifier, load_classifier, save_classifier
from cnnlab.runs import Run, RunWriter
from cnnlab.training.batches import BatchLoader
from cnnlab.training.diagnosis.case import EndedTraining
from cnnlab.training.diagnosis.diagnose import look_into
from cnnlab.training.execution import Execution
from cnnlab.training.prepare import TrainingSetup
from cnnlab.training.scoring import known_metrics, outputs_for, predictions_of
from cnnlab.training.selection import BestEpoch
from cnnlab.training.state import Counters

if TYPE_CHECKING:
    from cnnlab.training.several_devices.group import DeviceGroup


def finish_run(
    setup: TrainingSetup,
    writer: RunWriter,
    classifier: Classifier,
    execution: Execution,
    counters: Counters,
    best: BestEpoch,
    between: Callable[[], None],
    alone: Callable[[], None],
    group: "DeviceGroup | None" = None,
) -> None:
    """Scores validation, test and a fold held out with the selected weights, stores what is predicted, closes the run.

    :param classifier: with the weights of the last epoch; those selected are in it afterwards.
    :param between: called after each batch; ``alone`` after each piece of what one device does by itself.
    :param group: of several devices, the first of which writes everything; the others score their share.
    """
    picked = best.epoch if setup.selection.picks else None
    selected = picked or counters.epoch
    is_last = selected == counters.epoch
    writes = group is None or group.is_first
    if writes:
        save_classifier(writer.path("model.safetensors" if is_last else "last.safetensors"), classifier)
    if not is_last:
        stored = load_classifier(writer.path("model.safetensors"), copy.deepcopy(classifier.network))
        classifier.network.load_state_dict(stored.network.state_dict())
    row = next((row for row in counters.rows if row["epoch"] == selected), None)
    ended = EndedTraining(setup, Run(writer.folder), row, classifier, execution, between=alone)
    row = row or {}
    scores = {"train": {key.removeprefix("train_"): v for key, v in row.items() if key.startswith("train_")}}
    scores["train"]["n"] = len(setup.dataset.train)
    for split, images in _scored(setup.dataset).items():
        outputs = outputs_for(
            classifier, BatchLoader(images, execution.torch_device, execution.workers), execution, between, group
        )
        scores[split] = _score(split, outputs, images, setup, writer) if writes else {}
    if not writes:
        return
    column = setup.selection.column
    diagnosis = look_into(ended)
    writer.finish(
        scores={split: values for split, values in scores.items() if values},
        selected={"epoch": selected, "metric": column if picked else "last", "value": row.get(column)},
        seconds=round(counters.seconds, 3),
        **({} if diagnosis is None else {"diagnosis": diagnosis.to_dict()}),
    )


def _scored(dataset: Dataset) -> dict[str, ImageSet]:
    """The pictures that are scored at the end, by split: a fold that was held out is one of them."""
    splits = {"validation": dataset.validation, "test": dataset.test}
    held_out = dataset.held_out
    if held_out is not None and held_out.name == OUT_OF_FOLD:
        splits[held_out.split] = held_out.images
    return {split: images for split, images in splits.items() if images is not None and len(images)}


def _score(split: str, outputs: Tensor, images: ImageSet, setup: TrainingSetup, writer: RunWriter) -> dict[str, float]:
    writer.predictions(predictions_of(outputs, images, setup.objective, split=split, data=setup.dataset.digest))
    metrics = known_metrics(outputs, images.targets, setup.objective)
    return metrics | {"n": len(images)} if metrics else {}
