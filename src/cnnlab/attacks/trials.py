"""Pictures on which several attacks are tried one after another, on all of them or on some."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cnnlab.attacks.adversarial import Adversarial, Row
from cnnlab.attacks.attack import Attack
from cnnlab.attacks.perturbed import Attacked, label_words, opened, perturb
from cnnlab.core.registry import BoundCall
from cnnlab.evaluation import Predictor
from cnnlab.models import given_pixels


@dataclass(frozen=True, eq=False)
class Trials:
    """What all attacks have in common that are tried on the same pictures.

    :param pixels: N×C×H×W; ``labels`` the right class of each, by name or number; ``numbers`` those that are drawn by.
    :param options: the rest of what :func:`~cnnlab.attacks.perturb` takes.
    """

    predictor: Predictor
    pixels: Tensor
    labels: Sequence[str | int]
    numbers: Sequence[int]
    options: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        model: Attacked,
        images: Any,
        labels: Any,
        pictures: Sequence[int] | None,
        device: str | None,
        **options: Any,
    ) -> "Trials":
        """The model opened once, and what is given read; see :func:`~cnnlab.attacks.perturb`."""
        predictor = opened(model, device)
        pixels = given_pixels(images, predictor.classifier.shape)
        numbers = list(range(len(pixels))) if pictures is None else list(pictures)
        return cls(predictor, pixels, label_words(labels, len(pixels)), numbers, options)

    def __len__(self) -> int:
        return len(self.pixels)

    def __call__(self, spec: BoundCall[Attack], rows: Row) -> Adversarial:
        """What an attack comes to on the pictures at these places."""
        return perturb(
            self.predictor,
            self.pixels[rows],
            [self.labels[row] for row in rows],
            spec,
            pictures=[self.numbers[row] for row in rows],
            **self.options,
        )
