"""An ensemble as one network: all that is known of its members, as the state of networks side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnnlab.core.errors import UsageError
from cnnlab.core.messages import first_few
from cnnlab.ensembles.class_order import ClassNames, reordered_outputs, same_classes
from cnnlab.ensembles.combinations import Combination, WeightedMean
from cnnlab.ensembles.number_scales import rescaled_outputs
from cnnlab.models import Classifier
from cnnlab.models.joined import JoinedWeights
from cnnlab.models.networks import is_built_in
from cnnlab.objectives import Objective, restore_objective, without_scales

_OTHERS = {"vote": "by votes", "stack": "by regressions on them"}
"""Combinations that are no mean, in words."""


@dataclass(frozen=True)
class Terms:
    """In which a network is to speak: what its outputs mean, with its scales of numbers, and its order of classes."""

    objective: Objective
    classes: ClassNames


def join(
    named: str, names: Sequence[str], members: Sequence[nn.Module], combination: Combination, wanted: Terms
) -> JoinedWeights:
    """The members of an ensemble as one network that says the same; those that count for nothing are left out.

    :param named: the ensemble, as the model of a recipe names it.
    :param names: of the members, for messages.
    :raises UsageError: where it is no mean of networks that are rebuilt from their specs, or predicts something else.
    """
    name = named.removeprefix("run:")
    if not isinstance(combination, WeightedMean):
        how = _OTHERS.get(getattr(combination, "kind", ""), "in a way of its own")
        raise UsageError(
            f"{name} combines what its members say {how}, and only a mean of them can be trained on as one network. "
            f"Make one: cnnlab ensemble {' '.join(names)} method=mean"
        )
    shares = combination.member_weights
    used = [place for place, share in enumerate(shares) if share > 0]
    found = [_checked(name, names[place], members[place], wanted) for place in used]
    temperatures = [_temperatures(combination, wanted.objective, place) for place in used]
    translations = [_translation(own, wanted) for own in found]
    tensors = {
        "scale": torch.stack([member.scale.flatten() for member in found]),
        "shift": torch.stack([member.shift.flatten() for member in found]),
        "places": torch.stack([places for places, _, _ in translations]),
        "factor": torch.stack([each[1] / t for each, t in zip(translations, temperatures, strict=True)]).float(),
        "offset": torch.stack([each[2] / t for each, t in zip(translations, temperatures, strict=True)]).float(),
        "shares": torch.tensor([shares[place] for place in used]),
    }
    for number, member in enumerate(found, start=1):
        tensors |= {f"member{number}.{name}": tensor for name, tensor in member.network.state_dict().items()}
        tensors |= {} if member.permutation is None else {f"order_of_member{number}": member.permutation}
    permute = tuple(member.permute for member in found)
    return JoinedWeights(
        named, tuple(member.model for member in found), found[0].shape, combination.of, permute, tensors
    )


def _checked(ensemble: str, name: str, member: nn.Module, wanted: Terms) -> Classifier:
    """A member that can be part of one network.

    :raises UsageError: for any other.
    """
    if not isinstance(member, Classifier):
        raise UsageError(
            f"{ensemble} asks {name}, which is no single network but {_what(member)}, so it cannot be trained on as "
            "one. Make an ensemble of networks alone: cnnlab ensemble NAME NAME"
        )
    if not is_built_in(member.model):
        raise UsageError(
            f"{name}, a member of {ensemble}, was trained on a network given in Python, which no record rebuilds, so "
            "it cannot be part of one network. Make an ensemble without it."
        )
    if without_scales(member.objective) != without_scales(wanted.objective.spec):
        raise UsageError(
            f"{ensemble} predicts by objective={member.objective}, and the recipe by "
            f"objective={wanted.objective.spec}. Trained on, an ensemble predicts what it did: give it data with the "
            "same columns, and the objective that it had."
        )
    predicted = wanted.objective.predicts
    own, ours = ({c: each[c] for c in predicted if c in each} for each in (member.classes, wanted.classes))
    same_classes(("the data", name), own, ours)
    return member


def _what(member: nn.Module) -> str:
    inner = getattr(member, "names", None)
    if inner:
        return f"an ensemble itself (of {first_few(list(inner))})"
    return "a network asked about a changed picture" if hasattr(member, "changes") else "a classifier of features"


def _translation(member: Classifier, wanted: Terms) -> tuple[Tensor, Tensor, Tensor]:
    """How outputs of a member become those of the whole: K places among its own, and a factor and an offset of each.

    Classes in another order, and numbers in another scale, are all that may differ, and that is linear.
    """
    own = restore_objective(member.objective, member.classes)

    def translated(rows: Tensor) -> Tensor:
        rescaled = rescaled_outputs(own, rows[None], wanted.objective)
        return reordered_outputs(own, rescaled, member.classes, wanted.classes)[0]

    counted = torch.arange(1, own.outputs + 1, dtype=torch.float64)
    # Of two classes that change places, the one output changes its sign.
    places = reordered_outputs(own, counted[None], member.classes, wanted.classes)[0].abs().long() - 1
    offset = translated(torch.zeros_like(counted))
    return places, translated(torch.ones_like(counted)) - offset, offset


def _temperatures(combination: WeightedMean, objective: Objective, place: int) -> Tensor:
    """What the outputs of a member are divided by, one number for each of K."""
    each = [
        torch.full((width,), combination.temperatures[head][place] if head in combination.temperatures else 1.0)
        for head, width in objective.heads.items()
    ]
    return torch.cat(each).double()
