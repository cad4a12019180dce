"""The mean of what members say, and their vote: nothing is fitted, unless temperatures are."""

from dataclasses import dataclass
from typing import Literal

from cnnlab.core.errors import UsageError
from cnnlab.ensembles.combinations import AnyCombination, Vote, WeightedMean
from cnnlab.ensembles.member_outputs import MemberOutputs
from cnnlab.ensembles.methods.base import Combining, methods


@methods.register("mean")
@dataclass(frozen=True)
class Mean(Combining):
    """The mean of the members' probabilities; of numbers their mean, on the circle where they go round one.

    :param of: ``probabilities``, or ``logits``: the mean of these is the geometric mean of the probabilities.
    :param temperature: whether each member's logits are first divided by a temperature fitted on validation.
    """

    of: Literal["probabilities", "logits"] = "probabilities"
    temperature: bool = False

    @property
    def needs_validation(self) -> bool:
        """Nothing is fitted."""
        return False

    def fit(self, outputs: MemberOutputs) -> AnyCombination:
        """All alike."""
        return WeightedMean(of=self.of, weights=(1.0,) * len(outputs))


@methods.register("vote")
@dataclass(frozen=True)
class Majority(Combining):
    """A vote each for the class that a member finds most likely; the mean probability settles ties. No gradient."""

    @property
    def needs_validation(self) -> bool:
        """Nothing is fitted."""
        return False

    def fit(self, outputs: MemberOutputs) -> AnyCombination:
        """The vote.

        :raises UsageError: where something is predicted that is no class.
        """
        without = [head for head in outputs.objective.heads if head not in outputs.probabilities]
        if without:
            raise UsageError(
                f"method=vote is between classes, and {', '.join(without)} is predicted as a number. Take method=mean."
            )
        return Vote()
