"""An ensemble as one model: pixels to the outputs of an objective."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from cnnlab.core.errors import UsageError
from cnnlab.ensembles.class_order import ClassNames, reordered_outputs, same_classes
from cnnlab.ensembles.combinations import Combination
from cnnlab.ensembles.joining import Terms, join
from cnnlab.ensembles.number_scales import rescaled_outputs
from cnnlab.models import Predictable, require_gradient
from cnnlab.models.joined import JoinedWeights
from cnnlab.models.shapes import format_shape
from cnnlab.objectives import Objective, restore_objective, without_scales


class EnsembleClassifier(Predictable):
    """Asks each of its members and combines what they put out, as was done for the stored predictions.

    :param members: models of one shape of pictures, one objective and the same classes, in whatever order.
    :param names: of the members, for messages.
    :param combination: of their outputs.
    :param classes: in the order in which the ensemble counts them; that of the first member unless given.
    :raises UsageError: naming what differs between two members.
    """

    def __init__(
        self,
        members: Sequence[Predictable],
        names: Sequence[str],
        combination: Combination,
        classes: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__()
        first = members[0]
        for name, member in zip(names, members, strict=True):
            _check_alike(first, member, (names[0], name))
        if classes is not None:
            same_classes(("the ensemble", names[0]), first.classes, classes)
        self.members, self.names, self.combination = nn.ModuleList(members), tuple(names), combination
        self.shape, self.resize, self.resampling = first.shape, first.resize, first.resampling
        self.white, self.float_white = first.whites
        self.classes, self.objective = dict(classes or first.classes), first.objective
        self._asked = [member for member in members if isinstance(member, Predictable)]
        self._meaning = restore_objective(first.objective, self.classes)
        self.has_graph = all(member.has_graph for member in self._asked)
        self.has_gradient = combination.has_gradient and all(member.has_gradient for member in self._asked)

    def forward(self, pixels: Tensor) -> Tensor:
        """N×C×H×W, float in [0, 1] or uint8, to N×K float32.

        :raises UsageError: where a gradient by the pixels is asked for, and there is none.
        """
        if pixels.requires_grad and torch.is_grad_enabled():
            require_gradient(self, "a gradient by the pixels is asked for")
        said = []
        for member in self._asked:
            outputs = member(pixels)
            if (member.classes, member.objective) != (self.classes, self.objective):
                own = restore_objective(member.objective, member.classes)
                outputs = rescaled_outputs(own, outputs, self._meaning)
                outputs = reordered_outputs(own, outputs, member.classes, self.classes)
            said.append(outputs)
        return self.combination(self._meaning, torch.stack(said)).float()

    def joined(
        self, named: str, objective: Objective | None = None, classes: ClassNames | None = None
    ) -> JoinedWeights:
        """What makes its members one network that can be trained on, and says what they say together.

        :param named: what the ensemble is called in the model of a recipe.
        :param objective, classes: in whose terms that network is to speak; the ensemble's own unless given.
        :raises UsageError: as :func:`~cnnlab.ensembles.joining.join`.
        """
        terms = Terms(objective or self._meaning, self.classes if classes is None else classes)
        return join(named, self.names, self._asked, self.combination, terms)


def _check_alike(first: Predictable, member: Predictable, names: tuple[str, str]) -> None:
    if member.shape != first.shape:
        own, theirs = format_shape(first.shape), format_shape(member.shape)
        raise UsageError(
            f"{names[0]} takes pictures of {own} and {names[1]} of {theirs}. An ensemble takes models of one size and "
            "number of channels."
        )
    if member.resize != first.resize:
        raise UsageError(
            f"{names[0]} has pictures of another size brought to its own by resize={first.resize} and {names[1]} by "
            f"resize={member.resize}, so they would not see the same picture."
        )
    if member.resampling != first.resampling:
        raise UsageError(
            f"{names[0]} has pictures of another size brought to its own by resampling={first.resampling} and "
            f"{names[1]} by resampling={member.resampling}, so they would not see the same picture."
        )
    if member.whites != first.whites:
        own, theirs = (", ".join(map(str, model.whites)) for model in (first, member))
        raise UsageError(
            f"{names[0]} has other values for white than {names[1]} in pictures of more than 8 bits (whole numbers and "
            f"floats: {own}, and {theirs}), so they would not see the same picture. Train them with one white=."
        )
    if without_scales(member.objective) != without_scales(first.objective):
        raise UsageError(
            f"{names[0]} predicts by objective={first.objective} and {names[1]} by objective={member.objective}. An "
            "ensemble takes models of one objective."
        )
    same_classes(names, member.classes, first.classes)
