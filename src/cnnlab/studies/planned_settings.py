"""What a study compares: settings that are trained with every seed, and ensembles that are made of these trainings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cnnlab.training import Recipe

FURTHER_SEEDS = 1000
"""What is added to the seed of a repeat for each further training that ensembles have of a setting in it."""


@dataclass(frozen=True)
class PlannedSetting:
    """One combination of values.

    :param key: ``s0``, ``s1``, … in the order of the design, or of the search.
    :param values: axis to label of its value.
    :param recipe: with the first seed.
    :param seeds_added: to the seed of each repeat; not 0 where it is trained once more for ensembles.
    """

    key: str
    label: str
    values: Mapping[str, str]
    recipe: Recipe
    seeds_added: int = 0

    @property
    def trained_as(self) -> str:
        """The key of the setting of which it is a training."""
        return self.key.partition("-")[0]

    def trained_again(self, times: int) -> "PlannedSetting":
        """The setting trained a further time in every repeat, for ensembles; 0 is the setting itself."""
        if not times:
            return self
        key, label = f"{self.key}-{times + 1}", f"{self.label} ({times + 1})"
        return replace(self, key=key, label=label, seeds_added=times * FURTHER_SEEDS)


@dataclass(frozen=True)
class PlannedEnsemble:
    """A setting that is made of others' trainings, anew in every repeat, and not trained.

    :param key: ``e0``, ``e1``, …
    :param values: its name on the axis ``ensemble``.
    :param method: as for ``cnnlab ensemble``.
    :param members: in the order in which they are combined.
    """

    key: str
    label: str
    values: Mapping[str, str]
    method: str
    members: tuple[PlannedSetting, ...]


def further_trainings(ensembles: Iterable[PlannedEnsemble]) -> tuple[PlannedSetting, ...]:
    """The members that are no settings of the study themselves, each once."""
    members = (member for ensemble in ensembles for member in ensemble.members if member.seeds_added)
    return tuple({member.key: member for member in members}.values())


def seeds_first(settings: Sequence[PlannedSetting], seeds: Sequence[int]) -> list[tuple[PlannedSetting, int]]:
    """Every trial, all settings with the first seed before any with the second, so that a part says something too."""
    return [(setting, seed) for seed in seeds for setting in settings]
