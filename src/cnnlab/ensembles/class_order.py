"""The classes of one model in the order in which another counts the same ones."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cnnlab.core.errors import UsageError
from cnnlab.core.messages import first_few
from cnnlab.objectives import Objective

ClassNames = Mapping[str, tuple[str, ...]]


def same_classes(names: tuple[str, str], own: ClassNames, wanted: ClassNames) -> None:
    """Refuses models that do not know the same classes, in whatever order.

    :param names: of the model that has ``wanted``, and of the one that has ``own``.
    :raises UsageError: naming the classes that only one of them knows.
    """
    for column in {**wanted, **own}:
        ours, theirs = wanted.get(column, ()), own.get(column, ())
        only_ours, only_theirs = ([word for word in a if word not in b] for a, b in ((ours, theirs), (theirs, ours)))
        if only_ours or only_theirs:
            knows, lacks = names if only_ours else names[::-1]
            raise UsageError(
                f"{names[0]} and {names[1]} predict other classes: {knows} knows {first_few(only_ours or only_theirs)} "
                f"and {lacks} does not. An ensemble takes models of the same classes."
            )


def places_of(own: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """For each class wanted its place among one's own."""
    places = {word: place for place, word in enumerate(own)}
    return [places[word] for word in wanted]


def reordered_outputs(objective: Objective, outputs: Tensor, own: ClassNames, wanted: ClassNames) -> Tensor:
    """Raw outputs N×K of a model that counts its classes as ``own``, as one would give them that counts as ``wanted``.

    Heads that tell no classes apart by their names are as they were.
    """
    parts = objective.split(outputs)
    for column, head in objective.class_heads.items():
        order = places_of(own[column], wanted[column])
        if order == sorted(order):
            continue
        # One output for the second of two classes speaks for the first where these change places.
        rows = parts[head]
        parts[head] = -rows if rows.shape[1] == 1 else rows[:, order]
    return torch.cat(list(parts.values()), dim=1)


def reordered_column(column: Tensor, own: Sequence[str], wanted: Sequence[str]) -> Tensor:
    """Class indices among ``own`` as indices among ``wanted``."""
    return torch.tensor(places_of(wanted, own), dtype=torch.int64)[column]
