"""The diagnosis of a training that has ended."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.messages import announcing, note, quietly
from cnnlab.models import Classifier, outputs_of
from cnnlab.runs import Run
from cnnlab.runs.diagnosis import Diagnosis, Finding
from cnnlab.runs.store import store_at
from cnnlab.training.diagnosis import findings
from cnnlab.training.diagnosis.case import EndedTraining, Failure
from cnnlab.training.diagnosis.learning import ConstantAnswer, has_fallen, scores_of, some_of, what_is_seen
from cnnlab.training.diagnosis.relation import relation_of
from cnnlab.training.diagnosis.retraining import ShortTrainings
from cnnlab.training.diagnosis.units import units_on
from cnnlab.training.execution import Execution
from cnnlab.training.prepare import prepare
from cnnlab.training.recipe import Recipe

_LOOKED_AT = 512
_BATCH = 64
_ENOUGH_STEPS, _ENOUGH_EPOCHS = 200, 3
"""From which a training that learned nothing is remarkable, even where nothing is found."""
_STEPS_FOR_LABELS = 50
_PICTURES_FOR_LABELS, _PICTURES_BY_HEART, _HELD_OUT = 500, 1000, 100
"""Training pictures from which the predictors of :mod:`~cnnlab.training.diagnosis.relation` are trusted, and pictures
of validation from which nothing learned of them means something."""


def diagnose(run: str | Path | Run, *, data_dir: str | Path | None = None, offline: bool = False) -> Diagnosis:
    """Looks anew into why a finished run learned nothing, as it is done at the end of a training; nothing is written.

    :param run: a run, its name or its folder, also one from before there were diagnoses.
    :param data_dir: where its data is looked for first; ``offline`` never tries the network.
    :raises UsageError: for a run that is not finished, or was not trained.
    """
    found = store_at(None).find(run)
    found.check_trained()
    if found.status != "finished":
        raise UsageError(
            f"{found.name} is {found.state}, and a diagnosis is of finished runs: cnnlab resume {found.name}"
        )
    store = store_at(found.folder.parent)
    setup = prepare(
        Recipe.read(found.recipe), store, data_dir=data_dir or found.data_folder, offline=offline, run=found
    )
    execution = Execution.from_dict(found.info.get("execution") or {})
    selected = (found.info.get("selected") or {}).get("epoch")
    rows = ({str(key): value for key, value in row.items()} for row in found.history.to_dict("records"))
    row = next((row for row in rows if row["epoch"] == selected), None)
    with execution.applied():
        return diagnosis_of(EndedTraining(setup, found, row, found.classifier(), execution))


def diagnosis_of(ended: EndedTraining) -> Diagnosis:
    """Why a training learned nothing; an empty diagnosis of one that learned, or was too short to tell."""
    if ended.setup.recipe.quick or (ended.row is None and ended.failure is None):
        return Diagnosis()
    constant = ConstantAnswer.of(ended.setup.objective, ended.setup.dataset.train.targets)
    if ended.failure is not None:
        step = ended.failure.step
        return _found(f"the loss was no number at step {step:,}.", _causes(ended, constant))
    assert ended.row is not None
    sizes = {split: len(images) for split, images in ended.setup.dataset.parts()}
    train, held_out = (
        constant.is_beaten(scores_of(ended.row, split), sizes.get(split, 0)) for split in ("train", "validation")
    )
    if held_out:
        return Diagnosis()
    if train or has_fallen(ended.losses, constant.loss) or _says_something(ended, constant):
        return _by_heart(ended, constant, sizes)
    return _found(what_is_seen(constant, ended.row, sizes), _causes(ended, constant), is_long=_is_long(ended))


def look_into(ended: EndedTraining) -> Diagnosis | None:
    """The diagnosis for the record, which is told of as well; None where it could not be made.

    Whatever goes wrong here must not cost anybody the training that was just done.
    """
    try:
        diagnosis = diagnosis_of(ended)
    except Exception as error:
        note(f"why it learned nothing could not be looked into: {error}")
        return None
    if diagnosis:
        note(f"It learned nothing: {diagnosis.seen} {' '.join(diagnosis.lines[1:])}")
    return diagnosis


def _found(seen: str, found: Iterator[Finding], *, is_long: bool = True) -> Diagnosis:
    # What is built and trained on the way tells its own story, which nobody asked for.
    with announcing("looking into why nothing was learned"), quietly():
        causes = tuple(found)
    return Diagnosis(seen, causes) if causes or is_long else Diagnosis()


def _causes(ended: EndedTraining, constant: ConstantAnswer) -> Iterator[Finding]:
    """What is seen, the first cause first; what follows from another is left out."""
    start: Classifier | None = None
    with suppress(CnnlabError):
        start = ended.at_start()
    alike = tuple(findings.symmetry(ended, start))
    seen = [*alike, *findings.exploding_loss(ended, constant.loss)]
    if alike:
        yield from seen
        return
    if ended.classifier is not None:
        images, _ = some_of(ended.setup.dataset.train, _LOOKED_AT)
        seen += findings.idle_units(units_on(ended.classifier, images, ended.execution), len(images))
        ended.between()
    has_no_rate = False
    if start is not None:
        trainings = ShortTrainings(ended, constant.loss)
        inputs = tuple(findings.unnormalised_inputs(ended, trainings))
        seen = [*inputs, *seen]
        if trainings.can_be and not inputs:
            useful = trainings.useful_rate()
            has_no_rate = useful is None
            seen += [] if useful is None else findings.unsuitable_rate(ended, useful)
    yield from seen
    is_enough = len(ended.losses) >= _STEPS_FOR_LABELS and len(ended.setup.dataset.train) >= _PICTURES_FOR_LABELS
    if not seen and has_no_rate and is_enough:
        relation = relation_of(ended.setup.dataset.train, ended.setup.objective)
        yield from findings.unrelated_labels(relation, by_heart=False)


def _by_heart(ended: EndedTraining, constant: ConstantAnswer, sizes: dict[str, int]) -> Diagnosis:
    """The diagnosis of what is known of the training pictures alone: of few pictures that is nothing unusual."""
    assert ended.row is not None
    held_out = scores_of(ended.row, "validation")
    if sizes["train"] < _PICTURES_BY_HEART or sizes.get("validation", 0) < _HELD_OUT or not held_out:
        return Diagnosis()
    if len(ended.losses) < _STEPS_FOR_LABELS:
        return Diagnosis()
    if constant.is_touched(held_out, sizes["validation"]):
        return Diagnosis()
    relation = relation_of(ended.setup.dataset.train, ended.setup.objective)
    seen = what_is_seen(constant, ended.row, sizes, "validation")
    return _found(seen, findings.unrelated_labels(relation, by_heart=True), is_long=False)


def _says_something(ended: EndedTraining, constant: ConstantAnswer) -> bool:
    """Whether the classifier's outputs for some training pictures tell of their targets."""
    if ended.classifier is None:
        return False
    images, targets = some_of(ended.setup.dataset.train, 2 * _LOOKED_AT)
    execution = ended.execution
    outputs = outputs_of(
        ended.classifier, torch.split(images, _BATCH), device=execution.device, precision=execution.precision
    )
    return constant.says(outputs, ended.setup.objective, targets)


def _is_long(ended: EndedTraining) -> bool:
    assert ended.row is not None
    epochs = ended.setup.plan.end - ended.setup.plan.first_epoch
    return len(ended.losses) >= _ENOUGH_STEPS and epochs >= _ENOUGH_EPOCHS


__all__ = ["EndedTraining", "Failure", "diagnose", "diagnosis_of", "look_into"]
