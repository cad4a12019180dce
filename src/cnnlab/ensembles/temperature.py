"""Temperatures: what a member's logits are divided by, so that it is as sure as it is right."""

from cnnlab.core.errors import UsageError
from cnnlab.ensembles.member_outputs import MemberOutputs
from cnnlab.evaluation.temperature import best_temperature, two_logits


def fitted_temperatures(outputs: MemberOutputs) -> dict[str, tuple[float, ...]]:
    """For each head that tells classes apart the temperature of each member with the least log loss.

    :raises UsageError: where no head tells classes apart.
    """
    if not outputs.labels:
        raise UsageError(
            "temperature=true makes probabilities as sure as they are right, and "
            f"objective={outputs.pictures.objective} has none. Leave it out."
        )
    found = {}
    for head, labels in outputs.labels.items():
        members = [outputs.objective.split(member)[head] for member in outputs.outputs]
        found[head] = tuple(best_temperature(two_logits(rows), labels) for rows in members)
    return found
