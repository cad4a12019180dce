"""Opening an ensemble: its members are looked for beside its folder, so that both can be moved together."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnlab.core.errors import DataError, ModelFileError, UsageError
from cnnlab.core.hooks import open_stored, opener
from cnnlab.ensembles.classifier import EnsembleClassifier
from cnnlab.ensembles.combinations import Combination
from cnnlab.ensembles.record import FILE, EnsembleRecord, MemberRecord, read_record, weights_digest
from cnnlab.ensembles.views import views_of
from cnnlab.models import Predictable
from cnnlab.objectives import restore_objective
from cnnlab.runs import Run, RunStore, store_at


@opener("ensemble")
def open_ensemble(
    name: str | Path, *, runs: Path | str | None = None, network: nn.Module | None = None, **unused: Any
) -> Predictable:
    """The model of an ensemble, by its folder or its name.

    :param network: for members that were trained on a network of one's own.
    :raises ModelFileError: when a member is not there any more, or has other weights now.
    """
    run = store_at(runs).find(name)
    run.check_weights()
    record = read_record(run)
    if record.combination is None:
        stored: Predictable = open_stored("classifier", run.folder / "model.safetensors", network=network)
        return stored
    return _combined(run, record, record.combination, network)


def _combined(run: Run, record: EnsembleRecord, combination: Combination, network: nn.Module | None) -> Predictable:
    store = RunStore(run.folder.parent)
    models = [_member(store, run, member).classifier(network, epoch=member.epoch) for member in record.members]
    names = [member.name for member in record.members]
    if record.views is not None:
        models = views_of(models[0], record.views.pipeline, record.views.count, record.views.seed)
        names = [f"view {number}" for number in range(1, len(models) + 1)]
    model = EnsembleClassifier(models, names, combination, record.classes).eval()
    _try(run, model)
    return model


def _try(run: Run, model: EnsembleClassifier) -> None:
    """Refuses a combination that was not made for these members, before pictures are read for it."""
    objective = restore_objective(model.objective, model.classes)
    try:
        said = model.combination(objective, torch.zeros(len(model.members), 1, objective.outputs))
        is_sound = said.shape == (1, objective.outputs) and bool(torch.isfinite(said).all())
    except (RuntimeError, ValueError, LookupError, ArithmeticError, UsageError):
        is_sound = False
    if not is_sound:
        raise DataError(
            f"{run.folder / FILE} is damaged: what it says is made of its members' outputs does not fit them. Put the "
            "file back from a copy, or make the ensemble anew."
        )


def _member(store: RunStore, ensemble: Run, member: MemberRecord) -> Run:
    """The run of a member: by its name, or where it was renamed by its digest; with the weights that it had."""
    beside = store.root / member.name
    candidates = [Run(beside)] if (beside / "run.json").is_file() else []
    candidates += [run for run in store.by_digest(member.digest) if run.folder != beside]
    for run in candidates:
        if (member.epoch is None or member.epoch in run.stored_epochs) and weights_digest(
            run, member.epoch
        ) == member.weights:
            return run
    if candidates:
        raise ModelFileError(
            f"the ensemble {ensemble.name} was made of {member.name} with other weights than it has now. Put the run "
            "back as it was, or make the ensemble anew."
        )
    raise ModelFileError(
        f"the ensemble {ensemble.name} needs its member {member.name}, which is not in {store.root}. If it was "
        f"deleted, cnnlab runs restore {member.name} has it back; if the ensemble was moved, move its members too."
    )
