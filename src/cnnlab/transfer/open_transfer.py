"""Opening the best classifier of a transfer, from the files of its folder alone."""

from pathlib import Path
from typing import Any

from cnnlab.core.digests import file_digest
from cnnlab.core.errors import ModelFileError, UsageError
from cnnlab.core.hooks import opener
from cnnlab.models import find_layer, fold_batch_norms, load_classifier
from cnnlab.runs import Run, store_at
from cnnlab.runs.record import BACKBONE, PIPELINE
from cnnlab.transfer.classifier import TransferClassifier
from cnnlab.transfer.extractor import Extractor, FeatureLayer
from cnnlab.transfer.pipeline_files import load_pipeline
from cnnlab.transfer.record import read_record


@opener("transfer")
def open_transfer(name: str | Path | Run, *, runs: Path | str | None = None, **unused: Any) -> TransferClassifier:
    """The model of a transfer, by its folder or its name.

    :raises ModelFileError: when a file of it is missing, damaged, or another than it was.
    """
    run = store_at(runs).find(name)
    run.check_weights()
    record = read_record(run)
    for file in (BACKBONE, PIPELINE):
        _check_file(run.folder / file, record.files.get(file))
    classifier = load_classifier(run.folder / BACKBONE)
    try:
        find_layer(classifier, record.module)
    except UsageError as error:
        raise ModelFileError(f"{run.folder / BACKBONE} is not the backbone of this transfer: {error}") from error
    fold_batch_norms(classifier.network, classifier.shape, spare=record.module)
    column = record.best_column
    extractor = Extractor(classifier, record.module, FeatureLayer.read(column.layer), column.weights)
    pipeline = load_pipeline(run.folder / PIPELINE, column.features, classifier.outputs or 0)
    return TransferClassifier(extractor, pipeline, record.temperature).eval()


def _check_file(path: Path, wanted: str | None) -> None:
    try:
        found = file_digest(path)
    except OSError as error:
        raise ModelFileError(
            f"{path} cannot be read ({error.strerror}). Put it back from a copy, or make the transfer anew."
        ) from error
    if found != wanted:
        raise ModelFileError(
            f"{path} is not the file that this transfer was made with. Put it back from a copy, or make the transfer "
            "anew."
        )
