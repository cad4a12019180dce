"""Snapshot ensembles: one run, as it was after several epochs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnlab.core.arguments import Count
from cnnlab.core.errors import UsageError
from cnnlab.core.spec import Call, read_one
from cnnlab.ensembles.member_outputs import side_by_side
from cnnlab.ensembles.methods.base import SPLITS, Asked, Made, Method, Surroundings, methods
from cnnlab.ensembles.methods.unfitted import Mean
from cnnlab.evaluation import predictions_on
from cnnlab.runs import Run

_CLOSE = 1e-6


@methods.register("snapshots")
@dataclass(frozen=True)
class Snapshots(Method):
    """The mean of one run as it was after several epochs (Huang and others, Snapshot Ensembles, 2017).

    :param epochs: after which; unless given the ends of the cosines of a run that was trained by
        ``schedule=cosine-restarts``, where the rate is least, and of another run all epochs whose weights were kept.
    :param temperature: whether the logits of each are first divided by a temperature fitted on validation.
    """

    least, most = 1, 1

    epochs: tuple[Count, ...] | None = None
    temperature: bool = False

    def make(self, runs: Sequence[Run], around: Surroundings) -> Made:
        """Every snapshot predicts validation and test now."""
        (run,) = runs
        asked = tuple(Asked(run, epoch) for epoch in kept_epochs(run, self.epochs, "method=snapshots"))
        if len(asked) < 2:
            raise UsageError(
                f"method=snapshots takes two epochs or more, and {run.name} is asked for {asked[0].epoch} alone. Have "
                f"more kept when it is trained, as in {_advice(run)}."
            )
        dataset, names = around.data(run), [each.label for each in asked]
        predictors = [around.predictor(run, run.classifier(epoch=each.epoch)) for each in asked]
        outputs = {
            split: side_by_side([predictions_on(predictor, dataset, split) for predictor in predictors], names)
            for split in SPLITS
            if split in dict(dataset.parts())
        }
        return Mean(temperature=self.temperature).combined(asked, outputs)


def kept_epochs(run: Run, wanted: tuple[int, ...] | None, method: str) -> list[int]:
    """The epochs of a run that are meant, in order.

    :param wanted: as they are asked for; None for the ends of the cosines, or all that were kept.
    :raises UsageError: when the weights of some were not kept.
    """
    stored = [epoch for epoch in run.stored_epochs if epoch > 0]
    ends = cycle_ends(run.recipe, run.epochs_done)
    epochs = list(dict.fromkeys(wanted)) if wanted else ends or stored
    missing = [epoch for epoch in epochs if epoch not in stored]
    if missing:
        known = f"those after {', '.join(map(str, stored))} are stored" if stored else "none are stored"
        raise UsageError(
            f"{method} needs the weights of {run.name} after epoch {', '.join(map(str, missing))}, and {known}. Take "
            f"epochs=[{', '.join(map(str, stored))}], or train with snapshots=[{', '.join(map(str, epochs))}]."
        )
    return sorted(epochs)


def cycle_ends(recipe: Mapping[str, Any], epochs: int) -> list[int]:
    """The epochs after which a schedule of cosine restarts is at its lowest rates; none of another schedule."""
    call = read_one(recipe.get("schedule") or "one-cycle", "A schedule")
    if not isinstance(call, Call) or call.name != "cosine-restarts":
        return []
    period, growth = float(call.kwargs.get("period", 10.0)), float(call.kwargs.get("growth", 1.0))
    end, ends = float(call.kwargs.get("warmup", 0.0)) + period, []
    while end <= epochs + _CLOSE:
        ends.append(round(end))
        period *= growth
        end += period
    return ends


def _advice(run: Run) -> str:
    third = max(1, run.epochs_done // 3)
    return f"schedule=cosine-restarts(period={third}) 'snapshots=[{third}, {2 * third}, {3 * third}]'"
