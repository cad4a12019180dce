"""All that is found out about an ensemble when it is made."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor

from cnnlab.core.errors import CnnlabError
from cnnlab.ensembles.analysis.calibrating import calibrated
from cnnlab.ensembles.analysis.diversity import diversity
from cnnlab.ensembles.analysis.findings import AgainstMember, Analysis, Gain, Judged
from cnnlab.ensembles.analysis.members_taken import left_out, size_curve
from cnnlab.ensembles.combinations import Combination, Stack, WeightedMean
from cnnlab.ensembles.member_outputs import MemberOutputs
from cnnlab.ensembles.methods.base import Combining, Made, Method
from cnnlab.evaluation import compare_predictions, score_interval
from cnnlab.evaluation.metrics.stored_predictions import finite_outputs
from cnnlab.runs import Predictions

_MOST_REFITTED = 8
"""Members of a method that must be fitted again for each that is left out."""


def analyse(made: Made, method: Method, title: str) -> Analysis | None:
    """From what members and ensemble put out; None where no split has targets.

    :param title: what the ensemble is called.
    """
    outputs = {split: part for split, part in made.outputs.items() if part.targets and part.count}
    if not outputs:
        return None
    split = "test" if "test" in outputs else next(iter(outputs))
    judged = outputs[split]
    objective, metric = judged.objective, judged.objective.select
    said = {each: finite_outputs(made.predictions[each], objective).float() for each in outputs}
    members = tuple(
        _judged(name, {each: (part, part.outputs[place]) for each, part in outputs.items()})
        for place, name in enumerate(judged.names)
    )
    facts: dict[str, Any] = {
        "split": split,
        "metric": metric,
        "better": objective.better(metric),
        "members": members,
        "ensemble": _judged(title, {each: (part, said[each]) for each, part in outputs.items()}),
        "against": _against(made, judged, members, said[split], title),
        "diversity": diversity(judged),
        "calibrated": calibrated(outputs, split, said, title),
    }
    if made.combination is not None:
        refitted = _refitting(method, outputs) if isinstance(made.combination, Stack) else None
        is_left_out = refitted is None or len(judged) <= _MOST_REFITTED
        facts |= {
            "sizes": size_curve(judged),
            "left_out": left_out(judged, made.combination, refitted) if is_left_out else (),
            "is_refitted": refitted is not None,
            "gains": _gains(made.combination, outputs, said, method.fitted_on),
        }
    return Analysis(**facts)


def _judged(name: str, parts: Mapping[str, tuple[MemberOutputs, Tensor]]) -> Judged:
    scores = {split: part.scores(outputs) for split, (part, outputs) in parts.items()}
    metric = next(iter(parts.values()))[0].objective.select
    intervals = {split: score_interval(metric, values[metric], int(values["n"])) for split, values in scores.items()}
    return Judged(
        name=name,
        scores={split: _known(values[metric]) for split, values in scores.items()},
        losses={split: _known(values["loss"]) for split, values in scores.items()},
        intervals={split: (one.low, one.high) for split, one in intervals.items() if one is not None},
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _against(
    made: Made, judged: MemberOutputs, members: tuple[Judged, ...], said: Tensor, title: str
) -> AgainstMember | None:
    """The ensemble against the member that validation has as the best; of views, against the picture as it is."""
    sign = 1 if judged.objective.better(judged.objective.select) == "higher" else -1
    on_validation = [member.scores.get("validation") for member in members]
    if made.views is not None:
        place, why = 0, "the picture as it is"
    elif judged.split != "validation" and all(score is not None for score in on_validation):
        place = max(range(len(members)), key=lambda i: sign * (on_validation[i] or 0.0))
        why = "the best member on validation"
    else:
        return None
    own = judged.scores(said)[judged.objective.select]
    theirs = members[place].scores[judged.split]
    if theirs is None or not math.isfinite(own):
        return None
    facts: dict[str, Any] = {"member": place, "why": why, "split": judged.split, "difference": own - theirs}
    pair: tuple[Predictions, Predictions] = (judged.predictions(said), judged.predictions(judged.outputs[place]))
    try:
        test = compare_predictions(*pair, names=(title, members[place].name))
    except CnnlabError:
        metric = judged.objective.select.replace("_", " ")
        sentence = f"{title} has a {metric} of {own:.4g} and {members[place].name}, {why}, of {theirs:.4g}."
        return AgainstMember(**facts, sentence=sentence)
    return AgainstMember(
        **{**facts, "difference": test.difference},
        low=test.interval.low,
        high=test.interval.high,
        p=test.p_value,
        sentence=test.sentence,
    )


def _refitting(method: Method, outputs: Mapping[str, MemberOutputs]) -> "partial[Combination]":
    return partial(_refitted, method, outputs)


def _refitted(method: Method, outputs: Mapping[str, MemberOutputs], places: list[int]) -> Combination:
    assert isinstance(method, Combining)
    return method.fitted({split: part.only(places) for split, part in outputs.items()})


def _gains(
    combination: Combination, outputs: Mapping[str, MemberOutputs], said: Mapping[str, Tensor], fitted_on: str | None
) -> tuple[Gain, ...]:
    """Over equal weights; nothing where nothing was fitted."""
    is_equal = isinstance(combination, WeightedMean) and len(set(combination.weights)) == 1
    if (is_equal or not isinstance(combination, WeightedMean | Stack)) and not combination.temperatures:
        return ()
    gains = []
    for split, part in outputs.items():
        objective = part.objective
        sign = 1 if objective.better(objective.select) == "higher" else -1
        plain = part.scores(part.combined(WeightedMean(weights=(1.0,) * len(part))))
        ways = [(part.combined(combination), split != fitted_on)]
        if split == fitted_on and isinstance(combination, Stack):
            ways.append((said[split], True))
        for outputs_of_way, is_held_out in ways:
            scores = part.scores(outputs_of_way)
            score = sign * (scores[objective.select] - plain[objective.select])
            if math.isfinite(score) and math.isfinite(scores["loss"] - plain["loss"]):
                gains.append(
                    Gain(split=split, score=score, loss=plain["loss"] - scores["loss"], is_held_out=is_held_out)
                )
    return tuple(gains)
