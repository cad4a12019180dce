"""Stacking: a logistic regression on what the members say."""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from cnnlab.core import seeds
from cnnlab.core.arguments import Positive, Range
from cnnlab.core.errors import UsageError
from cnnlab.core.messages import first_few
from cnnlab.ensembles.combinations import AnyCombination, LinearHead, Stack, log_probabilities
from cnnlab.ensembles.logistic_regression import Labels, Rows, fit_regression
from cnnlab.ensembles.member_outputs import MemberOutputs
from cnnlab.ensembles.methods.base import Combining, FittedOn, methods
from cnnlab.ensembles.temperature import fitted_temperatures

_MOST_NUMBERS = 2_000_000
CHOICES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_LOOKED_AT, _FEW = 2000, 1000
_ROUGH = 1e-4


@methods.register("stacking")
@dataclass(frozen=True)
class Stacking(Combining):
    """Multinomial logistic regression on the logarithms of all members' probabilities, fitted on validation.

    Wolpert, Stacked generalization (1992). The logarithms are taken less their mean over the classes. What is said of
    validation pictures is cross-fitted: each is predicted by a regression that was fitted on the other folds, so that
    the validation score is no flattery.

    :param c: scikit-learn's ``C``: the smaller, the nearer to 0 the coefficients are kept. Unless given, the best of
        0.0001, 0.001, … 1 by log loss on parts of the pictures fitted on, of at most 2,000 of these.
    :param folds: of the validation pictures, with about as many of each class; fewer where a class has fewer pictures.
    :param temperature: whether each member's logits are first divided by a temperature fitted on validation.
    :param on: what is fitted on: ``validation``; or ``out-of-fold``, of members trained with folds the training
        pictures, each as the network told it that had not seen it.
    """

    c: Positive | None = None
    folds: Annotated[int, Range(2, 1000)] = 5
    seed: Annotated[int, Range(0)] = 0
    temperature: bool = False
    on: FittedOn = "validation"

    def fit(self, outputs: MemberOutputs) -> AnyCombination:
        """A regression for each head, on all pictures."""
        self._check(outputs, least=1)
        rows, c = log_probabilities(outputs.objective, outputs.outputs.double()), self.c or self._chosen(outputs)
        heads = {}
        for head, (labels, classes) in outputs.objective.labels(outputs.targets).items():
            coefficients, intercepts = fit_regression(rows[head].numpy(), labels.numpy(), classes, c)
            heads[head] = LinearHead(
                coefficients=tuple(map(tuple, coefficients.tolist())), intercepts=tuple(intercepts.tolist())
            )
        return Stack(heads=heads)

    def _chosen(self, outputs: MemberOutputs) -> float:
        """The ``c`` that suits the first head best."""
        rows = log_probabilities(outputs.objective, outputs.outputs.double())
        head, labels = next(iter(outputs.labels.items()))
        return best_c(rows[head].numpy(), labels.numpy(), self.seed)

    def held_out(self, outputs: MemberOutputs) -> Tensor:
        """Each fold by what was fitted on the others, temperatures among it; but for ``c``, one of five, for all."""
        from sklearn.model_selection import StratifiedKFold

        self._check(outputs, least=2)
        first = next(iter(outputs.labels.values())).numpy()
        count = min(self.folds, int(np.bincount(first)[np.unique(first)].min()))
        folds = StratifiedKFold(count, shuffle=True, random_state=seeds.derive(self.seed, "folds") % (1 << 32))
        like_this = replace(self, c=self.c or self._chosen(outputs))
        said = torch.empty(outputs.count, outputs.outputs.shape[2])
        for rest, fold in folds.split(first, first):
            part = outputs.of_pictures(rest)
            temperatures = fitted_temperatures(part) if self.temperature else {}
            fitted = like_this.fit(part.tempered(temperatures)).model_copy(update={"temperatures": temperatures})
            said[torch.from_numpy(fold)] = outputs.of_pictures(fold).combined(fitted)
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
                    f"method=stacking needs two {outputs.split} pictures of every class at the least, and of "
                    f"{outputs.count:,} there are fewer of {rare}. Take method=mean or method=weights, or train with a "
                    "larger validation split."
                )
            if classes**2 * len(outputs) > _MOST_NUMBERS:
                raise UsageError(
                    f"method=stacking would fit {classes**2 * len(outputs):,} numbers to {outputs.count:,} pictures. "
                    "Take method=weights, which fits one for each member."
                )


def best_c(rows: Rows, labels: Labels, seed: int) -> float:
    """Of :data:`CHOICES` the one with the least log loss on pictures that were not fitted on.

    Of few pictures each third in turn; of many, 2,000 are looked at, and one third of them. Where a class has one
    picture alone, which no part could do without, it is the middle one.
    """
    from sklearn.model_selection import StratifiedKFold

    counts = np.bincount(labels)
    if counts[counts > 0].min() < 2:
        return CHOICES[len(CHOICES) // 2]
    chosen = np.random.default_rng(seeds.derive(seed, "c")).permutation(len(labels))[:_LOOKED_AT]
    known = np.bincount(labels[chosen], minlength=len(counts))
    # A class that is rare comes along whole.
    rare = np.flatnonzero((counts > 0) & (known < 2))
    chosen = np.union1d(chosen, np.flatnonzero(np.isin(labels, rare)))
    rows, labels = rows[chosen], labels[chosen]
    parts = min(3, int(np.bincount(labels)[np.unique(labels)].min()))
    folds = StratifiedKFold(parts, shuffle=True, random_state=seeds.derive(seed, "parts") % (1 << 32))
    splits = list(folds.split(rows, labels))[: None if len(labels) <= _FEW else 1]
    best, least = CHOICES[0], np.inf
    for choice in CHOICES:
        loss = sum(_loss(rows[rest], labels[rest], rows[fold], labels[fold], choice) for rest, fold in splits)
        if loss >= least:
            # The loss has one lowest place.
            break
        best, least = choice, loss
    return best


def _loss(rows: Rows, labels: Labels, others: Rows, their_labels: Labels, c: float) -> float:
    """The log loss on pictures that were not fitted on."""
    coefficients, intercepts = fit_regression(rows, labels, int(labels.max()) + 1, c, _ROUGH)
    said = torch.log_softmax(torch.from_numpy(others @ coefficients.T + intercepts), dim=1)
    return float(-said[torch.arange(len(said)), torch.from_numpy(their_labels)].mean())
