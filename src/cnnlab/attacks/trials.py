"""Pictures on which several attacks are tried one after another, on all of them or on some."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from cnnlab.attacks.adversarial import Adversarial, Row
from cnnlab.attacks.attack import Attack
from cnnlab.attacks.perturbed import Attacked, label_words, opened, perturb
from cnnlab.core.registry import BoundCall
from cnnlab.evaluation import Predictor
from cnnlab.models import given_pixels


class Trials(ABC):
    """A model and pictures, the same for all attacks."""

    @abstractmethod
    def __len__(self) -> int:
        """How many pictures there are."""

    @abstractmethod
    def __call__(self, spec: BoundCall[Attack], rows: Row) -> Adversarial:
        """What an attack comes to on the pictures at these places; of what comes the places are those among all."""


@dataclass(frozen=True, eq=False)
class GivenPictures(Trials):
    """Pictures that were handed over; what comes of them is not kept.

    :param pixels: N×C×H×W; ``labels`` the right class of each, by name or number; ``numbers`` those that are drawn by.
    :param targets: the class that each is to be taken for, N; None for what the specs say.
    :param options: the rest of what :func:`~cnnlab.attacks.perturb` takes.
    """

    predictor: Predictor
    pixels: Tensor
    labels: Sequence[str | int]
    numbers: Sequence[int]
    targets: Row | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        model: Attacked,
        images: Any,
        labels: Any,
        pictures: Sequence[int] | None = None,
        device: str | None = None,
        **options: Any,
    ) -> "GivenPictures":
        """The model opened once, and what is given read; see :func:`~cnnlab.attacks.perturb`."""
        predictor = opened(model, device)
        pixels = given_pixels(images, predictor.classifier.shape)
        numbers = list(range(len(pixels))) if pictures is None else list(pictures)
        return cls(predictor, pixels, label_words(labels, len(pixels)), numbers, None, options)

    def __len__(self) -> int:
        return len(self.pixels)

    def __call__(self, spec: BoundCall[Attack], rows: Row) -> Adversarial:
        """By :func:`~cnnlab.attacks.perturb`."""
        found = perturb(
            self.predictor,
            self.pixels[rows],
            [self.labels[row] for row in rows],
            spec,
            pictures=[self.numbers[row] for row in rows],
            targets=None if self.targets is None else self.targets[rows].tolist(),
            **self.options,
        )
        return replace(found, places=rows[found.places])
