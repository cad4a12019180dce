"""What is found of a training that learned nothing, each with its numbers and what to do, in sentences."""

import math
from collections.abc import Iterator, Sequence

from cnnlab.core.number_text import counted, fixed
from cnnlab.data import statistics
from cnnlab.models import Classifier
from cnnlab.runs.diagnosis import Finding
from cnnlab.training.diagnosis.case import EndedTraining
from cnnlab.training.diagnosis.learning import short
from cnnlab.training.diagnosis.relation import Relation
from cnnlab.training.diagnosis.retraining import HIGHEST, LOWEST, ShortTrainings, UsefulRate
from cnnlab.training.diagnosis.units import LayerUnits, count_hidden, same_weights

_GROWN = 10.0
"""Times the loss of a constant answer, or that of the first steps, from which a loss has exploded."""
_MOST = 0.9
"""The share of a layer's units, or values, that is most of them."""
_FAR = 3.0
"""Times that a rate has to be above or below one that learns, to be outside of the useful range."""
_CENTRE, _NARROW, _WIDE = 5.0, 0.1, 5.0
"""Mean and deviation of normalised inputs beyond which they are far from 0 and 1. Pixels as they are, from 0 to 1, lie
within: most networks learn from them all the same."""
_NAMED = 4


def symmetry(ended: EndedTraining, start: Classifier | None) -> Iterator[Finding]:
    """Hidden layers whose units are all alike and stay so, or all of them where they were so at the start."""
    now = ended.classifier if ended.classifier is not None else start
    if now is None:
        return
    layers = same_weights(now.network, None if start is None else start.network)
    since = "at the end as at the start"
    if not layers and start is not None:
        layers = same_weights(start.network, None)
        layers = layers if len(layers) == count_hidden(start.network) else []
        since = "at the start"
    if layers:
        units = _listed([f"{name} ({count:,})" for name, count in layers])
        yield Finding(
            "symmetry",
            f"all units of {units} have the same weights, {since}, so each computes what the others compute and is "
            "changed as they are. Constant first weights do that: leave init= out, which draws them to suit the "
            "activation, or name one that draws, such as init=he-normal.",
        )


def exploding_loss(ended: EndedTraining, constant: float) -> Iterator[Finding]:
    """A loss that grows out of all proportion, or is no number."""
    losses, failure = ended.losses, ended.failure
    first = losses[0] if losses else math.inf
    top = max(range(len(losses)), key=losses.__getitem__, default=0)
    began = first > _GROWN * constant
    has_grown = bool(losses) and losses[top] > _GROWN * max(constant, first)
    if failure is None and not has_grown and not began:
        return
    times = f", {first / constant:.2g} times that of a constant answer" if began and losses else ""
    words = [f"{short(first)} before the first step{times}"] if losses else []
    if has_grown:
        at = ended.steps[top]
        words.append(f"{short(losses[top])} at step {at['step']:,} (learning rate {at['learning_rate']:.3g})")
    if failure is not None:
        words.append(f"no number at step {failure.step:,} (learning rate {failure.rate:.3g})")
    remedy = (
        "What the first weights make of the pictures is too large: leave init= out, normalise the pictures, put in "
        "batch normalisation, or take an activation that grows no faster than what goes in."
        if began
        else "A lower learning rate, a warm-up, or clip_gradient=1 keeps it in bounds."
    )
    yield Finding("exploding loss", f"the loss was {_listed(words)}. {remedy}")


def idle_units(layers: Sequence[LayerUnits], pictures: int) -> Iterator[Finding]:
    """Layers of which most units are zero, at the ends of their range, or the same whatever the picture."""
    on = f"on {counted(pictures, 'training picture')}"
    dead = [layer for layer in layers if layer.dead >= _MOST * layer.count]
    if dead:
        units = _listed([f"{_of(layer.dead, layer.count)} of {layer.name}" for layer in dead])
        yield Finding(
            "dead units",
            f"{units} are zero everywhere {on}, so no gradient passes them. A lower learning rate, first weights that "
            "suit the activation (init= left out, or he-normal), or an activation that is never flat, such as leaky.",
        )
    saturated = [layer for layer in layers if layer.saturated >= _MOST]
    if saturated:
        shares = _listed([f"{layer.name} ({layer.kind}, {layer.saturated:.0%} of them)" for layer in saturated])
        yield Finding(
            "saturated units",
            f"{on} the outputs of {shares} lie within 1% of the ends of the activation's range, where it is flat and "
            "hardly a gradient passes. Smaller first weights (init= left out), normalised pictures, a lower learning "
            "rate, or batch normalisation before the activation.",
        )
    still = [layer for layer in layers if layer.is_constant]
    if still and not dead and not saturated:
        before = next((layer for layer in layers if not layer.is_constant), None)
        beside = "" if before is None else f", those of {before.name} by {before.variation:.1%}"
        yield Finding(
            "constant units",
            f"{on} the outputs of {_listed([layer.name for layer in still])} are all but the same for every picture: "
            f"they vary by {still[0].variation:.1g} of their size{beside}. What the pictures say is lost there: fewer "
            "layers, relu in the place of sigmoid or tanh, batch normalisation, or first weights that suit the "
            "activation (init= left out).",
        )


def unnormalised_inputs(ended: EndedTraining, trainings: ShortTrainings) -> Iterator[Finding]:
    """Inputs whose mean and deviation are far from 0 and 1, where it is seen that others are learned from."""
    classifier = ended.classifier or ended.at_start()
    found = list(zip(*statistics(ended.setup.dataset.train), classifier.mean, classifier.std, strict=True))
    centre = max(((mean - own) / (std or 1) for mean, _, own, std in found), key=abs)
    spreads = [spread / (std or 1) for _, spread, _, std in found]
    is_far = abs(centre) > _CENTRE or min(spreads) < _NARROW or max(spreads) > _WIDE
    if not is_far or ended.rate <= 0 or not trainings.can_be:
        return
    loss = trainings.loss_at(ended.at_start(normalize="dataset"), ended.rate)
    if trainings.is_learning(loss):
        yield Finding(
            "inputs not normalised",
            f"what reaches the first layer has mean {short(centre)} and deviation {short(max(spreads, key=_away))}, "
            f"far from 0 and 1 (normalize={ended.setup.recipe.normalize}). With normalize=dataset, {trainings.steps} "
            f"steps brought the loss to {short(loss)}.",
        )


def unsuitable_rate(ended: EndedTraining, useful: UsefulRate) -> Iterator[Finding]:
    """A learning rate far from one that was seen to learn."""
    rate = ended.rate
    if useful.rate / _FAR < rate < useful.rate * _FAR:
        return
    kind = "too high" if rate > useful.rate else "too low"
    is_wide = useful.lowest < useful.highest
    ends = f"from {useful.lowest:.1g} to {useful.highest:.1g}" if is_wide else f"around {useful.highest:.1g}"
    yield Finding(
        f"learning rate {kind}",
        f"the rate was {rate:.3g} at its highest. In a range test the loss falls at rates {ends}, and "
        f"{useful.steps} steps of {useful.batch} pictures at {useful.rate:.1g} brought it to {short(useful.loss)}. "
        f"Take optimizer.lr={useful.rate:.1g}; cnnlab find-lr looks closer.",
    )


def unrelated_labels(relation: Relation, *, by_heart: bool) -> Iterator[Finding]:
    """Targets that neither the network nor simple predictors find in the pictures."""
    if relation.is_seen:
        return
    said = (
        f"ten nearest neighbours and ridge regression on {relation.pictures:,} training pictures shrunk to 16×16 "
        f"predict them no better than shuffled ones (p = {fixed(relation.neighbours, 2)} and "
        f"{fixed(relation.ridge, 2)}, {relation.shuffles} shuffles)"
    )
    what = (
        "what was learned of the training pictures, by heart, holds for no others"
        if by_heart
        else f"weights, activations and rates from {LOWEST:g} to {HIGHEST:g} show no cause"
    )
    yield Finding(
        "labels unrelated to pictures",
        f"{what}; and {said}. The labels may not belong to the pictures: look at some of them, and at how the two were "
        "put together. Or what tells them apart is finer than these predictors see.",
    )


def _listed(words: Sequence[str]) -> str:
    shown = [*words[:_NAMED], f"{len(words) - _NAMED} more"] if len(words) > _NAMED + 1 else list(words)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _of(part: int, whole: int) -> str:
    return f"all {whole:,} units" if part == whole else f"{part:,} of {whole:,} units"


def _away(spread: float) -> float:
    return max(spread, 1 / spread) if spread else float("inf")
