"""The ensembles that a study file asks for, with their members, checked before anything trains."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnnlab.core.errors import UsageError
from cnnlab.ensembles.methods import methods
from cnnlab.studies.ensemble_keys import AXIS, EnsembleKeys
from cnnlab.studies.planned_settings import FURTHER_SEEDS, PlannedEnsemble, PlannedSetting

Select = Callable[[Mapping[str, Any], str], Sequence[Any]]
"""The settings that have these values, named by axis; and what the place is called in messages."""


def planned_ensembles(
    asked: Mapping[str, EnsembleKeys], settings: Sequence[PlannedSetting], select: Select
) -> tuple[PlannedEnsemble, ...]:
    """The ensembles in the order of the file.

    :param settings: all that are trained.
    :raises UsageError: for members that there are not, or more or fewer than the method takes.
    """
    labels = {setting.label for setting in settings}
    ensembles = []
    for place, (name, keys) in enumerate(asked.items()):
        if name in labels:
            raise UsageError(f"ensemble: {name} is the name of a setting already; give the ensemble another.")
        chosen = {s.key: s for values in keys.choices() for s in select(values, f"ensemble: {name}")}
        members = tuple(s.trained_again(times) for s in chosen.values() for times in range(keys.trainings))
        _check_count(name, keys.method, len(members))
        ensembles.append(PlannedEnsemble(f"e{place}", name, {AXIS: name}, keys.method, members))
    return tuple(ensembles)


def check_seeds(seeds: Sequence[int], ensembles: Sequence[PlannedEnsemble]) -> None:
    """Refuses seeds of which one is that of another repeat's further training: no training is in two repeats.

    :raises UsageError: naming them.
    """
    added = {member.seeds_added for ensemble in ensembles for member in ensemble.members}
    for seed in seeds:
        for more in sorted(added - {0}):
            if seed + more in seeds:
                raise UsageError(
                    f"repeats: with the seed {seed}, members of ensembles are trained with {seed + more} too "
                    f"({FURTHER_SEEDS} more for each further training), which is the seed of another repeat. Choose "
                    "other seeds: no two repeats of an ensemble may share a member."
                )


def _check_count(name: str, method: str, count: int) -> None:
    bound = methods.bind(method)
    built = bound.build()
    if count < built.least:
        raise UsageError(
            f"ensemble: {name} has one member, and method={bound.name} takes {built.least} or more. Name more settings "
            "for members, or have more than one training of each: trainings: 2."
        )
    if built.most is not None and count > built.most:
        raise UsageError(
            f"ensemble: {name} has {count} members, and method={bound.name} takes {built.most}. Name one setting for "
            "members."
        )
