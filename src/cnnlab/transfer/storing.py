"""The best classifier of a transfer, and all that it was compared with, in a folder like that of a run."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from torch import Tensor

from cnnlab.core.digests import file_digest
from cnnlab.core.files import write_bytes
from cnnlab.data import Dataset
from cnnlab.evaluation import metrics_of
from cnnlab.models import save_classifier
from cnnlab.runs import Predictions, Run, RunStore, RunWriter, environment
from cnnlab.runs.record import BACKBONE, PIPELINE, now
from cnnlab.transfer.comparison import Outcome
from cnnlab.transfer.pictures import Pictures
from cnnlab.transfer.pipeline_files import pipeline_bytes
from cnnlab.transfer.record import FORMAT, TransferRecord, write_record
from cnnlab.transfer.request import TransferRequest


def store_outcome(
    store: RunStore,
    request: TransferRequest,
    outcome: Outcome,
    own: str,
    title: str,
    repeat: int,
    device: str,
    seconds: float,
) -> Run:
    """The run, whose folder appears whole or not at all.

    :param own: digest of the request.
    """
    column, pictures = outcome.column, outcome.column.pictures
    predictions = {split: _predictions(pictures, outputs, split) for split, outputs in outcome.outputs.items()}

    def fill(folder: Path) -> None:
        save_classifier(folder / BACKBONE, column.source.exact.classifier)
        write_bytes(folder / PIPELINE, pipeline_bytes(outcome.best.pipeline))
        files = {name: file_digest(folder / name) for name in (BACKBONE, PIPELINE)}
        write_record(folder, _record(request, outcome, files))
        for split, each in predictions.items():
            each.save(folder / "predictions" / f"{split}.safetensors")

    recipe = {
        "data": pictures.spec,
        "backbones": ", ".join(str(each) for each in _named(outcome)),
        **request.content,
    }
    with RunWriter.create(
        store.root,
        digest=own,
        recipe=recipe,
        name=title,
        repeat=repeat,
        info=_facts(request, outcome, predictions, recipe, device, seconds),
        fill=fill,
    ) as writer:
        return Run(writer.folder)


def _named(outcome: Outcome) -> list[str]:
    return list(dict.fromkeys(column.backbone.named for column in outcome.columns))


def _record(request: TransferRequest, outcome: Outcome, files: Mapping[str, str]) -> TransferRecord:
    return TransferRecord(
        format=FORMAT,
        metric=request.metric,
        vary=request.vary,
        augment=None if request.parts.augment is None else request.parts.augment.spec,
        views=len(request.draws),
        columns=tuple(column.record for column in outcome.columns),
        rows=outcome.rows,
        choices=outcome.choices,
        module=outcome.column.source.extractor.module,
        temperature=outcome.best.temperature,
        files=dict(files),
    )


def _predictions(pictures: Pictures, outputs: Tensor, split: str) -> Predictions:
    images = dict(pictures.dataset.parts())[split]
    return Predictions.of_tensors(
        pictures.objective.split(outputs),
        images.targets,
        ids=list(images.ids),
        objective=pictures.objective.spec,
        classes=dict(pictures.dataset.classes),
        data=pictures.dataset.digest,
        split=split,
        images=images.digest,
    )


def _facts(
    request: TransferRequest,
    outcome: Outcome,
    predictions: Mapping[str, Predictions],
    recipe: Mapping[str, Any],
    device: str,
    seconds: float,
) -> dict[str, Any]:
    """The fields of ``run.json``."""
    column = outcome.column
    record = column.record
    scores = {split: metrics_of(each) for split, each in predictions.items()}
    return {
        "status": "finished",
        # The folder is made when all is done.
        "started": (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="microseconds"),
        "finished": now(),
        "seconds": round(seconds, 3),
        "scores": scores,
        "selected": {"metric": f"validation_{request.metric}", "value": scores["validation"][request.metric]},
        "execution": {"device": device, "precision": record.precision, "kernels": record.kernels},
        "environment": environment(),
        "data": _data_facts(column.pictures.dataset),
        "objective": column.pictures.objective.spec,
        "given": dict(recipe),
        "transfer": {
            "backbone": record.network,
            "layer": record.layer,
            "classifier": outcome.rows[outcome.choices[0].row].repeats[0].classifier,
            "compared": len(outcome.rows),
            "repeats": len(outcome.choices),
        },
        "warnings": list(outcome.best.notes),
    }


def _data_facts(dataset: Dataset) -> dict[str, Any]:
    sizes = {split: len(images) for split, images in dataset.parts()}
    return {"name": dataset.name, "digest": dataset.digest, "sizes": sizes, "source": dict(dataset.source)}
