"""Stacking: a logistic regression on what the members say."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cnnlab.core import seeds
from cnnlab.core.arguments import Positive, Range
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import first_few
from cnnlab.ensembles.combinations import AnyCombination, LinearHead, Stack, log_probabilities
from cnnlab.ensembles.member_outputs import MemberOutputs
from cnnlab.ensembles.methods.base import Combining, methods
from cnnlab.ensembles.temperature import fitted_temperatures

_MOST_NUMBERS = 2_000_000
_STEPS = 1000


@methods.register("stacking")
@dataclass(frozen=True)
class Stacking(Combining):
    """Multinomial logistic regression on the logarithms of all members' probabilities, fitted on validation.

    Wolpert, Stacked generalization (1992). The logarithms are taken less their mean over the classes. What is said of
    validation pictures is cross-fitted: each is predicted by a regression that was fitted on the other folds, so that
    the validation score is no flattery.

    :param c: scikit-learn's ``C``: the smaller, the nearer to 0 the coefficients are kept.
    :param folds: of the validation pictures, with about as many of each class; fewer where a class has fewer pictures.
    :param temperature: whether each member's logits are first divided by a temperature fitted on validation.
    """

    c: Positive = 1e-3
    folds: Annotated[int, Range(2)] = 5
    seed: Annotated[int, Range(0)] = 0
    temperature: bool = False

    def fit(self, outputs: MemberOutputs) -> AnyCombination:
        """A regression for each head, on all pictures."""
        self._check(outputs, least=1)
        rows = log_probabilities(outputs.objective, outputs.outputs.double())
        heads = {
            head: regression(rows[head].numpy(), labels.numpy(), self.c) for head, labels in outputs.labels.items()
        }
        return Stack(heads=heads)

    def held_out(self, validation: MemberOutputs) -> Tensor:
        """Each fold by what was fitted on the others, temperatures among it."""
        from sklearn.model_selection import StratifiedKFold

        self._check(validation, least=2)
        first = next(iter(validation.labels.values())).numpy()
        count = min(self.folds, int(np.bincount(first)[np.unique(first)].min()))
        folds = StratifiedKFold(count, shuffle=True, random_state=seeds.derive(self.seed, "folds") % (1 << 32))
        said = torch.empty(validation.count, validation.outputs.shape[2])
        for rest, fold in folds.split(first, first):
            part = validation.of_pictures(rest)
            temperatures = fitted_temperatures(part) if self.temperature else {}
            fitted = self.fit(part.tempered(temperatures)).model_copy(update={"temperatures": temperatures})
            said[torch.from_numpy(fold)] = validation.of_pictures(fold).combined(fitted)
        return said

    def _check(self, outputs: MemberOutputs, least: int) -> None:
        """Refuses what no regression can be fitted to: there must be so many pictures of each class."""
        without = [head for head in outputs.objective.heads if head not in outputs.labels]
        if without:
            raise UsageError(
                f"method=stacking tells classes apart, and {', '.join(without)} is predicted as a number. Take "
                "method=weights."
            )
        for head, (labels, classes) in outputs.objective.labels(outputs.targets).items():
            counts = np.bincount(labels.numpy(), minlength=classes)
            if counts.min() < least:
                names = outputs.pictures.classes.get(head) or tuple(map(str, range(classes)))
                rare = first_few([names[place] for place in np.flatnonzero(counts < least)])
                raise UsageError(
                    f"method=stacking needs two validation pictures of every class at the least, and of "
                    f"{outputs.count:,} there are fewer of {rare}. Take method=mean or method=weights, or train with a "
                    "larger validation split."
                )
            if classes**2 * len(outputs) > _MOST_NUMBERS:
                raise UsageError(
                    f"method=stacking would fit {classes**2 * len(outputs):,} numbers to {outputs.count:,} pictures. "
                    "Take method=weights, which fits one for each member."
                )


def regression(rows: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], c: float) -> LinearHead:
    """Scikit-learn's multinomial logistic regression, as plain numbers.

    :param rows: N×F; ``labels`` N, of all K classes.
    """
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=c, max_iter=_STEPS).fit(rows, labels)
    coefficients, intercepts = fitted.coef_, fitted.intercept_
    if len(coefficients) == 1:
        # Of two classes it gives the odds of the second.
        coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
        intercepts = np.concatenate([np.zeros_like(intercepts), intercepts])
    return LinearHead(
        coefficients=tuple(tuple(map(float, row)) for row in coefficients), intercepts=tuple(map(float, intercepts))
    )
