"""Which class each picture is to be taken for."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from cnnlab.attacks.draws import Draws
from cnnlab.core.errors import UsageError
from cnnlab.core.sinks import in_short
from cnnlab.models import Head, class_index

Aim: TypeAlias = str | int | None
"""What a spec says of the target: none for any wrong class; a class by its name or number; or one of :data:`RULES`."""
RULES = ("all", "second", "least-likely", "random")
"""Every other class in turn; the likeliest wrong one; the least likely; a wrong one drawn by the seed."""


def aimed(aim: Aim, outputs: Tensor, labels: Tensor, head: Head, draws: Draws) -> tuple[Tensor, Tensor | None]:
    """The pictures to change, by their places, M, and the class that each is to be taken for, M, or None for any.

    A picture that is of the wanted class already is left out; ``all`` has each picture once for every other class.

    :param outputs: logits of the pictures as they are, N×K.
    :param draws: random numbers of the pictures.
    :raises UsageError: for a class that there is not.
    """
    places = torch.arange(len(labels), device=labels.device)
    if aim is None:
        return places, None
    count = outputs.shape[1]
    if aim in head.names or aim not in RULES:
        target = class_index(head, aim)
        rows = places[labels != target]
        return rows, torch.full_like(rows, target)
    if aim == "all":
        shifts = torch.arange(1, count, device=labels.device)
        return places.repeat_interleave(count - 1), ((labels[:, None] + shifts) % count).flatten()
    if aim == "random":
        return places, (labels + 1 + draws.integers(count - 1).to(labels.device)) % count
    own = torch.nn.functional.one_hot(labels, count).bool()
    if aim == "second":
        return places, outputs.masked_fill(own, -torch.inf).argmax(1)
    return places, outputs.masked_fill(own, torch.inf).argmin(1)


def given_targets(targets: Sequence[str | int] | Tensor, labels: Tensor, head: Head) -> Tensor:
    """Targets named one by one, as numbers.

    :raises UsageError: for a class that there is not, and for the one that a picture is of.
    """
    words = targets.tolist() if isinstance(targets, Tensor | np.ndarray) else list(targets)
    if len(words) != len(labels):
        raise UsageError(f"targets names {len(words)} classes for {len(labels)} pictures: give one for each.")
    read = torch.tensor([class_index(head, word) for word in words], device=labels.device)
    same = (read == labels).nonzero()[:, 0].tolist()
    if same:
        name = in_short(head.names[int(labels[same[0]])])
        raise UsageError(f"picture {same[0]} is of the class {name} already: give it another target.")
    return read
