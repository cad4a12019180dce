"""What is made of the outputs of members: pure functions with their numbers, stored with an ensemble as plain JSON.

The same function makes the stored predictions of an ensemble and what its classifier says of a picture. PyTorch is
imported where something is computed, so that the record of an ensemble is read without it.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from torch import Tensor

    from cnnlab.objectives import Objective

_TIE = 1e-3
"""What the mean of the probabilities counts beside whole votes: it settles ties and nothing else."""
LEAST_LOG = -30.0
"""Logarithms of probabilities below this are taken for it before they are multiplied by fitted numbers."""

Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Share: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Temperature: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Combination(BaseModel):
    """The outputs of M members to those of the ensemble.

    :param temperatures: for each head that has probabilities, what the logits of each member are divided by first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    has_gradient: ClassVar[bool] = True

    temperatures: dict[str, tuple[Temperature, ...]] = {}

    def __call__(self, objective: "Objective", members: "Tensor") -> "Tensor":
        """Outputs M×N×K of the members, any float type, to N×K as exact as the device can."""
        from cnnlab.core.devices import widest_float

        exact = members.to(widest_float(members.device))
        return self.combine(objective, tempered(objective, exact, self.temperatures))

    @property
    def member_weights(self) -> tuple[float, ...] | None:
        """The share of each member in the whole; None where there is no such number."""
        return None

    @abstractmethod
    def combine(self, objective: "Objective", members: "Tensor") -> "Tensor":
        """M×N×K to N×K."""

    def without(self, place: int) -> "Combination | None":
        """The same without one member, not fitted again; None where only fitting again would tell."""
        return None

    def _other_temperatures(self, place: int) -> dict[str, tuple[float, ...]]:
        return {head: (*each[:place], *each[place + 1 :]) for head, each in self.temperatures.items()}


class WeightedMean(Combination):
    """The weighted mean of probabilities, given by their logarithms, or of raw outputs; of numbers it is one thing."""

    kind: Literal["weighted-mean"] = "weighted-mean"
    of: Literal["probabilities", "logits"] = "probabilities"
    weights: tuple[Share, ...]

    @property
    def member_weights(self) -> tuple[float, ...]:
        """They sum to 1."""
        total = sum(self.weights)
        return tuple(weight / total for weight in self.weights)

    def combine(self, objective: "Objective", members: "Tensor") -> "Tensor":
        """By the objective, which knows what its outputs mean."""
        import torch

        if len(self.weights) != members.shape[0]:
            raise ValueError(f"{len(self.weights)} weights do not go with {members.shape[0]} members.")
        # Chosen by place: who follows the computation, to write it down elsewhere, has to know how many they are.
        used = [place for place, share in enumerate(self.member_weights) if share > 0]
        shares = [self.member_weights[place] for place in used]
        return objective.weighted_mean(
            members[used], torch.tensor(shares, dtype=members.dtype, device=members.device), self.of
        )

    def without(self, place: int) -> "WeightedMean | None":
        """With the weights of the others as they were, one to another."""
        others = (*self.weights[:place], *self.weights[place + 1 :])
        if not sum(others) > 0:
            return None
        return self.model_copy(update={"weights": others, "temperatures": self._other_temperatures(place)})


class Vote(Combination):
    """The logarithm of each class's share of the votes: one a member, for the class most likely by it.

    Ties go to the class of the higher mean probability: the mean of the probabilities counts a thousandth of a vote.
    So no share is 0, and the ensemble has a loss; a gradient it has not.
    """

    has_gradient = False
    kind: Literal["vote"] = "vote"

    def combine(self, objective: "Objective", members: "Tensor") -> "Tensor":
        """Head by head."""
        import torch

        each = [objective.probabilities(member) for member in members]
        shares = {}
        for head in each[0]:
            likely = torch.stack([rows[head] for rows in each])
            votes = torch.nn.functional.one_hot(likely.argmax(2), likely.shape[2]).sum(0)
            shares[head] = ((votes + _TIE * likely.mean(0)) / (len(members) + _TIE)).clamp(min=1e-12).log()
        return objective.from_log_probabilities(shares)

    def without(self, place: int) -> "Vote":
        """One vote less."""
        return self.model_copy(update={"temperatures": self._other_temperatures(place)})


class LinearHead(BaseModel):
    """A multinomial logistic regression: K rows of coefficients, one for each number that goes in, and intercepts."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    coefficients: tuple[tuple[Finite, ...], ...]
    intercepts: tuple[Finite, ...]


class Stack(Combination):
    """For each head a logistic regression on the logarithms of all members' probabilities, member after member."""

    kind: Literal["stack"] = "stack"
    heads: dict[str, LinearHead]

    def combine(self, objective: "Objective", members: "Tensor") -> "Tensor":
        """Head by head."""
        import torch

        said = {}
        for head, rows in log_probabilities(objective, members).items():
            linear = self.heads[head]
            coefficients = torch.tensor(linear.coefficients, dtype=rows.dtype, device=rows.device)
            intercepts = torch.tensor(linear.intercepts, dtype=rows.dtype, device=rows.device)
            said[head] = torch.log_softmax(rows @ coefficients.T + intercepts, dim=1)
        return objective.from_log_probabilities(said)


AnyCombination: TypeAlias = Annotated[WeightedMean | Vote | Stack, Field(discriminator="kind")]


def tempered(objective: "Objective", members: "Tensor", temperatures: dict[str, tuple[float, ...]]) -> "Tensor":
    """Outputs M×N×K, those of each head divided by the temperature that each member has for it."""
    if not temperatures:
        return members
    import torch

    scales = [
        torch.tensor(temperatures.get(head, (1.0,) * len(members)), dtype=members.dtype)[:, None].expand(-1, width)
        for head, width in objective.heads.items()
    ]
    return members / torch.cat(scales, dim=1)[:, None].to(members.device)


def log_probabilities(objective: "Objective", members: "Tensor") -> "dict[str, Tensor]":
    """For each head the logarithms of the members' probabilities M×N×K as N×(M·K), less their mean over the classes.

    The mean says nothing of the classes, and without it a regression on them takes a tenth of the steps. None counts
    for less than :data:`LEAST_LOG`.
    """
    import torch

    least = torch.finfo(members.dtype).tiny
    each = [objective.probabilities(member) for member in members]
    found = {}
    for head in each[0]:
        logs = [rows[head].clamp(min=least).log().clamp(min=LEAST_LOG) for rows in each]
        found[head] = torch.cat([rows - rows.mean(1, keepdim=True) for rows in logs], dim=1)
    return found
