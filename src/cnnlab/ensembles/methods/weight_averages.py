"""Averages of weights: one network in the place of several, at the cost of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cnnlab.core.arguments import Count
from cnnlab.core.errors import UsageError
from cnnlab.data import Dataset
from cnnlab.ensembles.member_outputs import MemberOutputs, side_by_side
from cnnlab.ensembles.methods.base import SPLITS, Asked, Made, Method, Surroundings, methods, stored_outputs
from cnnlab.ensembles.methods.snapshots import kept_epochs
from cnnlab.ensembles.weight_averaging import averaged_classifier, has_batch_norm, renew_batch_norm
from cnnlab.evaluation import metrics_of, predictions_on
from cnnlab.models import Classifier
from cnnlab.runs import Predictions, Run

BatchNorm: TypeAlias = Literal["anew", "averaged"]


@methods.register("average")
@dataclass(frozen=True)
class Average(Method):
    """One network with the mean of the weights of several epochs of a run, or of runs that have one origin.

    Izmailov and others, Averaging Weights Leads to Wider Optima and Better Generalization (2018).

    :param epochs: of one run; unless given as for ``snapshots``.
    :param batch_norm: ``anew`` takes the statistics of batch normalisation anew, over all training pictures as they
        are; ``averaged`` takes the mean of those that were stored. Either can be the better one.
    """

    least = 1

    epochs: tuple[Count, ...] | None = None
    batch_norm: BatchNorm = "anew"

    def make(self, runs: Sequence[Run], around: Surroundings) -> Made:
        """Weights are averaged, and the network predicts validation and test now."""
        if len(runs) > 1 and self.epochs:
            raise UsageError("method=average takes epochs= of one run; of several the weights that were selected.")
        if len(runs) > 1:
            check_one_origin(runs, "method=average")
            for split in SPLITS:
                if all(split in run.splits for run in runs):
                    stored_outputs(runs, split)
            asked = tuple(map(Asked, runs))
        else:
            asked = tuple(Asked(runs[0], epoch) for epoch in kept_epochs(runs[0], self.epochs, "method=average"))
        return _Averaging(runs[0], around, self.batch_norm).made(asked)


@methods.register("soup")
@dataclass(frozen=True)
class Soup(Method):
    """One network with the mean of the weights of those fine-tuned runs that make it no worse on validation.

    Wortsman and others, Model soups (2022), recipe 1: from the best run on validation to the worst, each is taken into
    the mean if that is not the worse for it. The runs must have been fine-tuned from one origin.

    :param batch_norm: as for ``average``.
    """

    batch_norm: BatchNorm = "anew"

    @property
    def fitted_on(self) -> str:
        """Which runs are taken is chosen there."""
        return "validation"

    def make(self, runs: Sequence[Run], around: Surroundings) -> Made:
        """Every mean on the way predicts validation; the last one test, too."""
        check_one_origin(runs, "method=soup")
        averaging = _Averaging(runs[0], around, self.batch_norm)
        stored = stored_outputs(runs, "validation") if all("validation" in run.splits for run in runs) else None
        if stored is None or not stored.targets:
            raise UsageError(
                "method=soup chooses on validation pictures, and some of these runs have no scored predictions of such "
                "stored. Take method=average, which takes all of them."
            )
        scores = [averaging.judged(stored.predictions(outputs)) for outputs in stored.outputs]
        order = sorted(range(len(runs)), key=lambda place: -scores[place])
        taken, best = [order[0]], scores[order[0]]
        for place in order[1:]:
            tried = averaging.classifier([Asked(runs[each]) for each in (*taken, place)])
            score = averaging.judged(averaging.predictions(tried, "validation"))
            if score >= best:
                taken, best = [*taken, place], score
        left = [runs[place].name for place in order if place not in taken]
        notes = (f"left out, for the mean was worse with them: {', '.join(left)}",) if left else ()
        return averaging.made(tuple(Asked(runs[place]) for place in sorted(taken)), notes)


def check_one_origin(runs: Sequence[Run], method: str) -> None:
    """Refuses runs whose weights cannot be averaged.

    :raises UsageError: saying why.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.recipe.get("model") != first.recipe.get("model"):
            raise UsageError(
                f"{method} averages weights, and {first.name} is a {_model(first)} and {run.name} a {_model(run)}: "
                "their weights do not belong together. Combine what they say instead, as method=mean does."
            )
    origins = [_origin(run) for run in runs]
    for run, origin in zip(runs, origins, strict=True):
        if origin is None or origin != origins[0]:
            raise UsageError(
                f"{method} averages the weights of runs that were fine-tuned from one origin, and "
                f"{run.name if origin is None else f'{first.name} and {run.name}'} "
                f"{'started from random weights' if origin is None else 'did not start from the same weights'}. "
                "Networks from different random beginnings keep the same features in different places, and the mean of "
                "their weights is no network that was trained. Combine what they say instead, as method=mean does."
            )


def _model(run: Run) -> str:
    return str(run.recipe.get("model"))


def _origin(run: Run) -> object:
    """What tells the weights that a run started from; None where they were random.

    A network that is put on other classes than its weights were trained on begins with a new last layer, which is a
    function of the seed: it is a part of the origin.
    """
    weights = run.info.get("weights")
    if isinstance(weights, dict):
        return "weights", weights.get("sha256"), run.recipe.get("seed")
    parent = run.info.get("parent")
    return None if parent is None else ("parent", str(run.folder.parent.resolve()), str(parent))


class _Averaging:
    """Averages of runs like the first, with what it takes to have them predict."""

    def __init__(self, first: Run, around: Surroundings, batch_norm: BatchNorm) -> None:
        self.first, self.around, self.batch_norm = first, around, batch_norm
        self.dataset: Dataset = around.data(first)

    def classifier(self, asked: Sequence[Asked]) -> Classifier:
        """The average of these; of one alone that one, its statistics as they are."""
        if len(asked) == 1:
            alone: Classifier = asked[0].run.classifier(epoch=asked[0].epoch)
            return alone
        mean = averaged_classifier([(each.label, each.run.classifier(epoch=each.epoch)) for each in asked])
        if self.batch_norm == "anew" and has_batch_norm(mean):
            renew_batch_norm(mean, self.dataset.train)
        return mean

    def predictions(self, classifier: Classifier, split: str) -> Predictions:
        """What it says of a split."""
        return predictions_on(self.around.predictor(self.first, classifier), self.dataset, split)

    def _outputs(self, asked: Sequence[Asked], split: str) -> MemberOutputs:
        """What each says by itself: as stored, or as a snapshot predicts it now."""
        said = [
            each.run.predictions(split)
            if each.epoch is None and split in each.run.splits
            else self.predictions(each.run.classifier(epoch=each.epoch), split)
            for each in asked
        ]
        return side_by_side(said, [each.label for each in asked])

    def judged(self, predictions: Predictions) -> float:
        """By the metric of the objective, higher being better."""
        from cnnlab.evaluation.metrics.stored_predictions import objective_of

        objective = objective_of(predictions)
        score = metrics_of(predictions)[objective.select]
        return score if objective.better(objective.select) == "higher" else -score

    def made(self, asked: tuple[Asked, ...], notes: tuple[str, ...] = ()) -> Made:
        """The ensemble of these."""
        mean = self.classifier(asked)
        splits = [split for split in SPLITS if split in dict(self.dataset.parts())]
        how = "taken anew over all training pictures" if self.batch_norm == "anew" else "averaged like weights"
        is_told = has_batch_norm(mean) and len(asked) > 1
        told = (f"statistics of batch normalisation were {how}",) if is_told else ()
        return Made(
            asked,
            {split: self.predictions(mean, split) for split in splits},
            {split: self._outputs(asked, split) for split in splits},
            classifier=mean,
            notes=(*notes, *told),
        )
