"""Pictures made to fool one model, and how many of them fool others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cnnlab.attacks import checks
from cnnlab.attacks.adversarial import Adversarial, Row
from cnnlab.attacks.attack import ATTACKS
from cnnlab.attacks.perturbed import Attacked, class_head, label_words, opened, perturb, victim
from cnnlab.core.errors import UsageError, suggestion
from cnnlab.core.sinks import in_short
from cnnlab.evaluation import Interval, Predictor, wilson
from cnnlab.models import batch_for, given_pixels, on_device, require_gradient


@dataclass(frozen=True, eq=False)
class TransferMatrix:
    """How often pictures made on one model (rows, R) fool another (columns, M), rounded to 8 bits.

    Counted are pictures that both models get right as they are, whether or not they fool the model they were made on.

    :param attack: its canonical spec.
    :param made_on, tried_on: what the models are called.
    :param pictures: how many were given.
    :param counts: R×M, how many both get right; ``fooled`` how many of these the model of the column errs on, or takes
        for the target.
    :param warnings: what casts doubt on the attack, in sentences.
    """

    attack: str
    made_on: tuple[str, ...]
    tried_on: tuple[str, ...]
    pictures: int
    counts: Row
    fooled: Row
    warnings: tuple[str, ...] = ()

    @property
    def success(self) -> NDArray[np.float64]:
        """The shares, R×M; nan where no picture is right for both."""
        shares: NDArray[np.float64] = np.where(self.counts > 0, self.fooled / np.maximum(self.counts, 1), np.nan)
        return shares

    def interval(self, row: int, column: int) -> Interval | None:
        """Of one of them, over pictures: Wilson's, 95%."""
        return wilson(int(self.fooled[row, column]), int(self.counts[row, column]))

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain JSON."""
        return {
            "attack": self.attack,
            "pictures": self.pictures,
            "transfers": [
                {
                    "made_on": made_on,
                    "tried_on": tried_on,
                    "pictures": int(self.counts[row, column]),
                    "success": float(self.success[row, column]) if self.counts[row, column] else None,
                    "interval": None if (found := self.interval(row, column)) is None else found.to_dict(),
                }
                for row, made_on in enumerate(self.made_on)
                for column, tried_on in enumerate(self.tried_on)
            ],
            "warnings": list(self.warnings),
        }

    def __repr__(self) -> str:
        return f"TransferMatrix({self.attack}: {len(self.made_on)}×{len(self.tried_on)}, {self.pictures} pictures)"


def transfer_matrix(
    models: Mapping[str, Attacked] | Sequence[Attacked],
    images: Any,
    labels: Any,
    attack: object = "pgd",
    *,
    made_on: Sequence[str] | None = None,
    column: str | None = None,
    seed: int = 0,
    pictures: Sequence[int] | None = None,
    batch_size: int | None = None,
    device: str | None = None,
) -> TransferMatrix:
    """Makes pictures on each of several models and tries them on all.

    :param models: by what they are to be called, or in a sequence, by their own names; two at least, of the same shape
        and classes.
    :param images: N×C×H×W or C×H×W of the models' shape, uint8 or float in [0, 1], tensor or array.
    :param labels: the right class of each, by its name or number.
    :param attack: a spec, one picture of each: any but ``target=all``.
    :param made_on: names of the models to make pictures on; unless given all, but for those without a gradient where
        the attack goes by it.
    :param column: of several heads with classes, which is attacked; the first unless given.
    :param pictures: a number for each, by which random numbers are drawn; their places unless given.
    :param batch_size: how many are attacked at once; as many as are quick unless given.
    :param device: another device than the models' own.
    :raises UsageError: for models that do not go together, and as of :func:`cnnlab.attacks.perturb`.
    """
    bound = ATTACKS.bind(attack)
    built = bound.build()
    if built.target == "all":
        raise UsageError("a transfer matrix counts each picture once, and target=all changes it once for each class.")
    predictors = _opened(models, device)
    _require_alike(predictors, column)
    makers = _makers(predictors, made_on, f"{built.name} goes by the gradient" if built.needs_gradient else None)
    pixels = given_pixels(images, next(iter(predictors.values())).classifier.shape)
    label_words(labels, len(pixels))
    options: dict[str, Any] = {"column": column, "seed": seed, "pictures": pictures, "batch_size": batch_size}
    made = {name: perturb(predictors[name], pixels, labels, bound, **options) for name in makers}
    both, fooled = _tried(made, predictors, pixels, column)
    warnings = [f"{maker}: {warning}" for maker, found in made.items() for warning in found.warnings]
    warnings += _stronger(both, fooled, makers, list(predictors))
    return TransferMatrix(
        attack=str(bound),
        made_on=tuple(makers),
        tried_on=tuple(predictors),
        pictures=len(pixels),
        counts=both.sum(2),
        fooled=fooled.sum(2),
        warnings=tuple(warnings),
    )


def _tried(
    made: Mapping[str, Adversarial], predictors: Mapping[str, Predictor], pixels: torch.Tensor, column: str | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pictures maker (R) and other (M) both get right, R×M×N, and which of these fool the other, rounded."""
    shape = (len(made), len(predictors), len(pixels))
    both, fooled = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    for place, predictor in enumerate(predictors.values()):
        asked = _predicted(predictor, pixels, column)
        for row, found in enumerate(made.values()):
            said = _predicted(predictor, torch.from_numpy(found.rounded), column)
            goal = said != found.labels if found.targets is None else said == found.targets
            both[row, place, found.places] = found.right & (asked[found.places] == found.labels)
            fooled[row, place, found.places] = both[row, place, found.places] & goal
    return both, fooled


def _opened(models: Mapping[str, Attacked] | Sequence[Attacked], device: str | None) -> dict[str, Predictor]:
    if isinstance(models, Mapping):
        found = {str(name): opened(model, device) for name, model in models.items()}
    else:
        each = [(model, opened(model, device)) for model in models]
        names = [str(model) if isinstance(model, str) else predictor.label for model, predictor in each]
        found = {}
        for place, (name, (_, predictor)) in enumerate(zip(names, each, strict=True)):
            found[name if names.count(name) == 1 else f"{name} {place + 1}"] = predictor
    if len(found) < 2:
        raise UsageError(f"a transfer is from one model to another: give two models at least, and not {len(found)}.")
    return found


def _require_alike(predictors: Mapping[str, Predictor], column: str | None) -> None:
    (first, one), *others = predictors.items()
    for name, other in others:
        if tuple(other.classifier.shape) != tuple(one.classifier.shape):
            raise UsageError(
                f"pictures of one shape are tried on all models, and {in_short(first)} takes "
                f"{tuple(one.classifier.shape)}, {in_short(name)} {tuple(other.classifier.shape)}."
            )
        if class_head(other.classifier, column).names != class_head(one.classifier, column).names:
            raise UsageError(f"{in_short(first)} and {in_short(name)} tell other classes, or in another order.")


def _makers(predictors: Mapping[str, Predictor], made_on: Sequence[str] | None, reason: str | None) -> list[str]:
    """Names of the models to make pictures on; of all that can be, unless some are wanted."""
    if made_on is None:
        able = [name for name, each in predictors.items() if reason is None or each.classifier.has_gradient]
        if able:
            return able
    wanted = list(predictors if made_on is None else made_on)
    for name in wanted:
        if name not in predictors:
            raise UsageError(f"made_on names {in_short(name)}. {suggestion(name, predictors)}")
        if reason is not None:
            require_gradient(predictors[name].classifier, reason)
    return wanted


def _predicted(predictor: Predictor, pixels: torch.Tensor, column: str | None) -> Row:
    """The class that a model predicts for each picture, N."""
    with victim(predictor, column) as placed, torch.no_grad():
        size = batch_for(placed.model.shape)
        parts = [pixels[start : start + size] for start in range(0, len(pixels), size)]
        return np.concatenate([placed.logits(on_device(part, placed.model)).argmax(1).cpu().numpy() for part in parts])


def _stronger(
    both: NDArray[np.bool_], fooled: NDArray[np.bool_], makers: Sequence[str], tried_on: Sequence[str]
) -> list[str]:
    """Where pictures made on another model fool more than those made on the model itself."""
    found = []
    for column, name in enumerate(tried_on):
        for row, maker in enumerate(makers):
            if maker == name or name not in makers:
                continue
            shared = both[row, column]
            own = int((fooled[makers.index(name), column] & shared).sum())
            brought = int((fooled[row, column] & shared).sum())
            if checks.is_notable(brought - own, int(shared.sum())):
                found.append(
                    f"Pictures made on {maker} fooled {name} more often than those made on {name} itself, {brought} "
                    f"against {own} of {int(shared.sum())}: its own gradient misleads, and it is weaker than it looks."
                )
    return found
