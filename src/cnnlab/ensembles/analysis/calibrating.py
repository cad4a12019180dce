"""Whether members and the ensemble are right as often as they say, before and after a temperature of their own."""

from collections.abc import Mapping

import torch
from torch import Tensor

from cnnlab.ensembles.analysis.findings import Calibrated
from cnnlab.ensembles.analysis.members_taken import has_one_head_of_classes
from cnnlab.ensembles.combinations import tempered
from cnnlab.ensembles.member_outputs import MemberOutputs
from cnnlab.evaluation import ClassPredictions, calibration
from cnnlab.evaluation.temperature import best_temperature, two_logits

_MOST_MEMBERS = 40


def calibrated(
    outputs: Mapping[str, MemberOutputs], split: str, said: Mapping[str, Tensor], title: str
) -> tuple[Calibrated, ...]:
    """Each member and, last, the ensemble, on one split; of more than 40 members the ensemble alone.

    :param said: by split, what the ensemble says, N×K.
    :returns: nothing where not one column of classes is predicted.
    """
    judged, validation = outputs[split], outputs.get("validation")
    if not has_one_head_of_classes(judged) or not judged.targets:
        return ()
    fits = validation is not None and bool(validation.targets) and split != "validation"
    rows = []
    for place, name in enumerate(judged.names if len(judged) <= _MOST_MEMBERS else ()):
        held_out = validation.outputs[place] if fits and validation is not None else None
        rows.append(_calibrated(name, judged, judged.outputs[place], held_out, validation))
    rows.append(_calibrated(title, judged, said[split], said["validation"] if fits else None, validation))
    return tuple(rows)


def _calibrated(
    name: str, judged: MemberOutputs, outputs: Tensor, held_out: Tensor | None, validation: MemberOutputs | None
) -> Calibrated:
    error, loss = _error_and_loss(judged, outputs)
    if held_out is None or validation is None:
        return Calibrated(name=name, error=error, loss=loss)
    (head,) = judged.objective.heads
    temperature = best_temperature(two_logits(held_out), validation.labels[head])
    after = tempered(judged.objective, outputs[None], {head: (temperature,)})[0]
    error_after, loss_after = _error_and_loss(judged, after)
    return Calibrated(
        name=name, error=error, loss=loss, temperature=temperature, error_after=error_after, loss_after=loss_after
    )


def _error_and_loss(judged: MemberOutputs, outputs: Tensor) -> tuple[float, float]:
    (head,) = judged.objective.heads
    likely, labels = judged.objective.probabilities(outputs.double())[head], judged.labels[head]
    found = calibration(ClassPredictions(likely.numpy(), labels.numpy()))
    # Of a class that was told to be impossible the log loss has no end; what is stored has.
    right = likely[torch.arange(len(labels)), labels].clamp(min=1e-300)
    return found.ece, float(-right.log().mean())
