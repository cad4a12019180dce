"""What classifiers are fitted to: the features of training pictures, and those of augmented draws of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnlab.core.feature_cache import Features
from cnnlab.transfer.fitting import Labels


@dataclass(frozen=True, eq=False)
class TrainingPart:
    """Pictures with the draws of each, which stay together however the part is divided.

    :param pictures: N×K, their features, which are what is scored on.
    :param draws: for each augmented draw the same of that.
    :param classes: N class indices.
    """

    pictures: Features
    classes: Labels
    draws: Sequence[Features] = ()

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def features(self) -> Features:
        """(1 + draws)·N×K: all that a classifier is fitted to, the pictures themselves first."""
        return np.concatenate([self.pictures, *self.draws]) if self.draws else self.pictures

    @property
    def labels(self) -> Labels:
        """The class of each row of these."""
        return np.tile(self.classes, 1 + len(self.draws))

    def at(self, places: NDArray[np.bool_] | NDArray[np.int64]) -> "TrainingPart":
        """Some of the pictures with all their draws."""
        return TrainingPart(self.pictures[places], self.classes[places], [each[places] for each in self.draws])
