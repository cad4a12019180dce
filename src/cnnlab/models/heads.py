"""The heads of a model: where each lies among the outputs, and how what it says is read."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.sinks import in_short
from cnnlab.models.predictable import Predictable
from cnnlab.objectives import Objective, restore_objective


@dataclass(frozen=True)
class Head:
    """One head of an objective, and how what it says is read.

    :param start: the first of its outputs among those of the model, and ``width`` how many they are.
    :param names: of its classes, or of its bins; none where it predicts a number.
    :param is_binary: whether one output stands for two classes.
    """

    name: str
    start: int
    width: int
    names: tuple[str, ...]
    has_classes: bool
    is_binary: bool

    @property
    def outputs(self) -> slice:
        """Its place among the outputs of the model."""
        return slice(self.start, self.start + self.width)

    def predicted(self, outputs: Tensor) -> Tensor:
        """The class or bin that it finds most likely, N; 0 where it predicts a number."""
        own = outputs[:, self.outputs]
        if self.is_binary:
            return (own[:, 0] > 0).long()
        return own.argmax(1) if self.names else own.new_zeros(len(own), dtype=torch.long)

    def weights(self, outputs: Tensor, indices: Tensor) -> Tensor:
        """What each of its outputs counts, N×width.

        A class is its logit; of one logit for two classes, the first is its negative. A number is its output; one that
        goes round a circle, whose sine and cosine are put out, the part of both in the direction that is predicted.
        """
        if self.is_binary:
            return (2 * indices - 1)[:, None].to(outputs.dtype)
        if self.names:
            return torch.nn.functional.one_hot(indices, self.width).to(outputs.dtype)
        own: Tensor = outputs[:, self.outputs]
        if self.width == 1:
            return torch.ones_like(own)
        lengths: Tensor = own.norm(dim=1, keepdim=True)
        return own / lengths.clamp(min=torch.finfo(own.dtype).tiny)


def heads_of(model: Predictable) -> tuple[Objective, tuple[Head, ...]]:
    """The objective of a model, and its heads in the order of the outputs."""
    objective = restore_objective(model.objective, model.classes)
    columns = {head: column for column, head in objective.class_heads.items()}
    heads, start = [], 0
    for name, width in objective.heads.items():
        classes = model.classes.get(columns.get(name, ""), ())
        is_binary = width == 1 and len(classes) == 2
        has_classes = bool(classes) and (is_binary or len(classes) == width)
        number = objective.number_heads.get(name)
        is_number = (
            not has_classes and number is not None and (width == 1 or (width == 2 and number.period is not None))
        )
        names = classes if has_classes else () if is_number or width == 1 else _numbered(width, number is not None)
        heads.append(Head(name, start, width, tuple(names), has_classes, is_binary))
        start += width
    return objective, tuple(heads)


def _numbered(width: int, is_number: bool) -> tuple[str, ...]:
    return tuple(f"{'bin' if is_number else 'output'} {place}" for place in range(width))


def class_index(head: Head, wanted: Any) -> int:
    """The place of a class that is given by its name or by its place."""
    if not head.names:
        raise UsageError(
            f"{head.name} is predicted as a number, which has no classes to choose from: leave target out."
        )
    if isinstance(wanted, str) and wanted in head.names:
        return head.names.index(wanted)
    is_number = isinstance(wanted, int | np.integer) and not isinstance(wanted, bool)
    if is_number or (isinstance(wanted, str) and wanted.strip().isdecimal()):
        if 0 <= int(wanted) < len(head.names):
            return int(wanted)
        raise UsageError(f"{head.name} has classes 0 to {len(head.names) - 1}, and no {int(wanted)}. {_listed(head)}")
    raise UsageError(f"{head.name} has no class {in_short(str(wanted))}. {suggestion(str(wanted), head.names)}")


def _listed(head: Head) -> str:
    are_numbers = all(name == str(place) for place, name in enumerate(head.names))
    shown = [
        in_short(name) if are_numbers else f"{place} {in_short(name)}" for place, name in enumerate(head.names[:12])
    ]
    return f"They are {', '.join(shown)}{', …' if len(head.names) > len(shown) else ''}."
