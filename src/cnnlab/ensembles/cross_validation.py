"""What a cross-validation came to: the score of the recipe on pictures that its networks had not seen."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cnnlab.core import metric_names
from cnnlab.evaluation import FoldScore, corrected_interval, cross_validated, unit_of

if TYPE_CHECKING:
    from cnnlab.objectives import Objective

Number = Annotated[float, Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CrossValidatedScore(_Strict):
    """A metric over the folds.

    :param value: the mean over folds, each counted by its pictures; ``folds`` that of each fold, in order.
    :param low: lower end of the 95% interval, which does not take folds for independent; ``high`` the upper one.
    """

    value: Number
    low: Number | None = None
    high: Number | None = None
    folds: tuple[Number, ...]


class CrossValidation(_Strict):
    """A recipe judged by k networks, each on the fold that it was not trained on.

    :param metric: the one that the recipe is judged by; ``scores`` has all, by name.
    :param held_out: pictures of each fold; ``trained`` those that its network was trained on.
    :param chosen_on: the split by which the epoch of each network was chosen; None where it is the last one.
    :param sentence: the score in words.
    """

    metric: str
    scores: dict[str, CrossValidatedScore]
    held_out: tuple[Annotated[int, Field(ge=0)], ...]
    trained: tuple[Annotated[int, Field(ge=0)], ...]
    chosen_on: str | None = None
    sentence: str

    @model_validator(mode="after")
    def _of_the_same_folds(self) -> "CrossValidation":
        lengths = {len(self.held_out), len(self.trained), *(len(score.folds) for score in self.scores.values())}
        if len(lengths) > 1:
            raise ValueError("its numbers are of different numbers of folds")
        return self

    @property
    def judged(self) -> CrossValidatedScore | None:
        """By the metric; None where that was not a number on some fold."""
        return self.scores.get(self.metric)

    @property
    def how_chosen(self) -> str:
        """By which pictures the weights were chosen, as a sentence."""
        if self.chosen_on is None:
            return "Each network has the weights of its last epoch: nothing was chosen."
        if self.chosen_on == "validation":
            return (
                "The epoch of each network was chosen on the validation split, which is in no fold, so that the score "
                "is not flattered by the choice."
            )
        return f"The epoch of each network was chosen on what it was trained on ({self.chosen_on}), not on its fold."


def judge(
    each: Sequence[Mapping[str, float]],
    held_out: Sequence[int],
    trained: Sequence[int],
    objective: "Objective",
    chosen_on: str | None,
) -> CrossValidation:
    """From the scores of each network on its fold, of how many pictures that is, and on how many it was trained."""
    found = {}
    for metric in objective.measured:
        values = [float(scores.get(metric, math.nan)) for scores in each]
        if all(map(math.isfinite, values)):
            found[metric] = _score(metric, values, held_out, trained)
    return CrossValidation(
        metric=objective.select,
        scores=found,
        held_out=tuple(held_out),
        trained=tuple(trained),
        chosen_on=chosen_on,
        sentence=_sentence(objective.select, found.get(objective.select), held_out, trained),
    )


def _score(metric: str, values: list[float], held_out: Sequence[int], trained: Sequence[int]) -> CrossValidatedScore:
    folds = [FoldScore(*facts) for facts in zip(values, held_out, trained, strict=True)]
    is_share = metric_names.unit(metric) == "share"
    # A fold is counted in whole pictures.
    step = len(folds) / sum(held_out) if is_share else 0.0
    interval = corrected_interval(folds, within=(0, 1) if is_share else None, step=step)
    ends = {} if interval is None else {"low": interval.low, "high": interval.high}
    return CrossValidatedScore(value=cross_validated(folds), folds=tuple(values), **ends)


def _sentence(metric: str, score: CrossValidatedScore | None, held_out: Sequence[int], trained: Sequence[int]) -> str:
    count, total, each = len(held_out), sum(held_out), round(sum(trained) / len(trained))
    if score is None:
        return f"The {metric.replace('_', ' ')} is not a number on some fold, so there is no cross-validated one."
    unit = unit_of(metric)
    low, high = score.low, score.high
    ends = "" if low is None or high is None else f" (95% interval {unit.value(low)} to {unit.value(high)})"
    return (
        f"The cross-validated {metric.replace('_', ' ')} is {unit.value(score.value)}{ends}: {count} networks, trained "
        f"on about {each:,} pictures each, were asked about those of the {total:,} that they had not seen. They share "
        "most of what they were trained on, so that their scores scatter less than those of independent trainings; the "
        "interval allows for that. It is about the recipe, trained on as many other pictures like these, and not about "
        "the ensemble of these networks."
    )
