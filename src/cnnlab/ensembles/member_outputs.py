"""The stored predictions of several members side by side: what methods are fitted on, and what they combine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.core.messages import note
from cnnlab.ensembles.class_order import reordered_column, reordered_outputs, same_classes
from cnnlab.ensembles.combinations import Combination, tempered
from cnnlab.ensembles.number_scales import rescaled_outputs
from cnnlab.objectives import Objective, restore_objective, without_scales
from cnnlab.runs import Predictions

_AT_ONCE = 8192
"""Pictures that are combined together, so that memory is bounded whatever the number of classes."""


class OtherPicturesError(UsageError):
    """Members were not scored on the same pictures.

    :param member: the place of the one that was scored on others than the first.
    :param difference: in words.
    """

    def __init__(self, text: str, member: int, difference: str) -> None:
        super().__init__(text)
        self.member, self.difference = member, difference


@dataclass(frozen=True, eq=False)
class MemberOutputs:
    """What M members put out for the same N pictures of one split.

    :param names: of the members.
    :param outputs: float32, M×N×K, all heads side by side.
    :param pictures: of the first member: ids, targets, objective and classes are those of all.
    """

    names: tuple[str, ...]
    outputs: Tensor
    pictures: Predictions

    def __len__(self) -> int:
        return len(self.names)

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return self.outputs.shape[1]

    @property
    def split(self) -> str:
        """The split that they are of."""
        return self.pictures.split

    @cached_property
    def objective(self) -> Objective:
        """What the outputs mean."""
        return restore_objective(self.pictures.objective, self.pictures.classes)

    @cached_property
    def targets(self) -> dict[str, Tensor]:
        """What was right, by column; empty where that is not known."""
        return {name: torch.from_numpy(column) for name, column in self.pictures.targets.items()}

    @cached_property
    def labels(self) -> dict[str, Tensor]:
        """The right class of each picture, for each head that tells classes apart."""
        return {head: labels for head, (labels, _) in self.objective.labels(self.targets).items()}

    @cached_property
    def probabilities(self) -> dict[str, Tensor]:
        """Of each head that has them, M×N×K in float32."""
        rows = [self.objective.probabilities(member) for member in self.outputs]
        return {head: torch.stack([each[head] for each in rows]) for head in (rows[0] if rows else {})}

    def only(self, places: Sequence[int]) -> "MemberOutputs":
        """Of some of the members."""
        return replace(self, names=tuple(self.names[place] for place in places), outputs=self.outputs[list(places)])

    def of_pictures(self, places: npt.NDArray[np.int64]) -> "MemberOutputs":
        """For some of the pictures."""
        pictures = replace(
            self.pictures,
            outputs={head: rows[places] for head, rows in self.pictures.outputs.items()},
            targets={name: column[places] for name, column in self.pictures.targets.items()},
            ids=[self.pictures.ids[place] for place in places],
        )
        return replace(self, outputs=self.outputs[:, torch.from_numpy(places)], pictures=pictures)

    def tempered(self, temperatures: dict[str, tuple[float, ...]]) -> "MemberOutputs":
        """With the logits of each head divided by the temperature that each member has for it."""
        return replace(self, outputs=tempered(self.objective, self.outputs, temperatures))

    def in_parts(self) -> Iterator[Tensor]:
        """The outputs M×n×K of some pictures after the other."""
        return iter(torch.split(self.outputs, _AT_ONCE, dim=1))

    def combined(self, combination: Combination) -> Tensor:
        """What the members say together, N×K float32."""
        return torch.cat([combination(self.objective, part).float() for part in self.in_parts()])

    def scores(self, outputs: Tensor) -> dict[str, float]:
        """Every metric of outputs N×K for these pictures, and ``n``; none where the targets are not known."""
        if not self.targets or not self.count:
            return {}
        return self.objective.metrics(outputs, self.targets) | {"n": self.count}

    def predictions(self, outputs: Tensor) -> Predictions:
        """Outputs N×K for these pictures, ready to be stored."""
        heads = {head: rows.numpy() for head, rows in self.objective.split(outputs).items()}
        return replace(self.pictures, outputs=heads)


def side_by_side(predictions: Sequence[Predictions], names: Sequence[str]) -> MemberOutputs:
    """Stored predictions of several members on one split, rows and classes in the order of the first.

    Another order of the same classes is put right, with a note, where ids and targets tell that the pictures are the
    same ones.

    :raises UsageError: naming what differs, where they are not of the same classes and objective.
    :raises OtherPicturesError: where they are not of the same pictures, with how many are shared.
    """
    first = predictions[0]
    aligned = [first]
    for place, (name, other) in enumerate(zip(names[1:], predictions[1:], strict=True), start=1):
        other = _in_order(first, other, (names[0], name))
        reason = first.difference_from(other)
        if reason:
            difference = f"on {first.split} {reason}. {_shared_ids(first, other, (names[0], name))}"
            text = f"{names[0]} and {name} cannot be members of one ensemble: {difference}"
            raise OtherPicturesError(text, place, difference)
        try:
            aligned.append(first.align(other))
        except UsageError as error:
            raise UsageError(f"{names[0]} and {name} cannot be members of one ensemble: {error}") from error
    heads = list(first.outputs)
    members = [torch.cat([torch.from_numpy(one.outputs[head]) for head in heads], dim=1) for one in aligned]
    finite = [bool(torch.isfinite(member).all()) for member in members]
    if not all(finite):
        raise UsageError(
            f"some outputs stored for {names[finite.index(False)]} on {first.split} are not finite, so it says nothing "
            "there. Leave it out."
        )
    return MemberOutputs(tuple(names), torch.stack(members), first)


def _in_order(first: Predictions, other: Predictions, names: tuple[str, str]) -> Predictions:
    same_classes(names, other.classes, first.classes)
    if without_scales(other.objective) != without_scales(first.objective):
        raise UsageError(
            f"{names[0]} predicts by objective={first.objective} and {names[1]} by objective={other.objective}: what "
            "they put out means other things. An ensemble takes models of one objective."
        )
    other = in_scale(restore_objective(first.objective, first.classes), other)
    return other if other.classes == first.classes else _in_class_order(first, other, names)


def _shared_ids(first: Predictions, other: Predictions, names: tuple[str, str]) -> str:
    """How many sample ids two members have in common, as a sentence."""
    own, theirs = set(first.ids), set(other.ids)
    shared, differing = len(own & theirs), len(own ^ theirs)
    if not differing:
        return f"All {shared:,} sample ids are shared, but not the pictures or labels that they stand for."
    return (
        f"{shared:,} sample ids are shared and {differing:,} differ: {len(own - theirs):,} only {names[0]} has, "
        f"{len(theirs - own):,} only {names[1]}."
    )


def in_scale(wanted: Objective, other: Predictions) -> Predictions:
    """Predictions with their numbers in the scale of an objective that is theirs but for that."""
    own = restore_objective(other.objective, other.classes)
    if own.scales == wanted.scales:
        return other
    outputs = rescaled_outputs(own, _whole(other, own), wanted)
    heads = {head: rows.contiguous().numpy() for head, rows in own.split(outputs).items()}
    return replace(other, outputs=heads, objective=wanted.spec)


def _whole(predictions: Predictions, objective: Objective) -> Tensor:
    """All heads side by side."""
    return torch.cat([torch.from_numpy(predictions.outputs[head]) for head in objective.heads], dim=1)


def _in_class_order(first: Predictions, other: Predictions, names: tuple[str, str]) -> Predictions:
    """``other`` with its classes counted as those of ``first``; of its content where ids and targets agree."""
    objective = restore_objective(other.objective, other.classes)
    outputs = objective.split(reordered_outputs(objective, _whole(other, objective), other.classes, first.classes))
    targets = {
        name: reordered_column(torch.from_numpy(column), other.classes[name], first.classes[name]).numpy()
        if name in other.classes
        else column
        for name, column in other.targets.items()
    }
    heads = {head: rows.contiguous().numpy() for head, rows in outputs.items()}
    changed = replace(other, outputs=heads, targets=targets, classes=first.classes)
    if _are_the_same(first, changed):
        note(
            f"{names[1]} counts the same classes in another order than {names[0]}; they were put in that of the first."
        )
        return replace(changed, data=first.data, images=first.images)
    return changed


def _are_the_same(first: Predictions, other: Predictions) -> bool:
    """Whether ids tell the pictures apart, and all of them have the same targets in both."""
    if not first.targets or len(set(first.ids)) < len(first) or set(first.ids) != set(other.ids):
        return False
    places = {sample: place for place, sample in enumerate(other.ids)}
    order = [places[sample] for sample in first.ids]
    return first.targets.keys() == other.targets.keys() and all(
        (column == other.targets[name][order]).all() for name, column in first.targets.items()
    )
