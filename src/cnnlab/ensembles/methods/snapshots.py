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

    @property
    def fitted_on(self) -> str | None:
        """Temperatures are, where they are asked for."""
        return "validation" if self.temperature else None

    def make(self, runs: Sequence[Run], around: Surroundings) -> Made:
        """Every snapshot predicts validation and test now."""
        (run,) = runs
        asked = tuple(Asked(run, epoch) for epoch in kept_epochs(run, self.epochs, "method=snapshots"))
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
    :raises UsageError: when it is one alone, or the weights of some were not kept.
    """
    stored = [epoch for epoch in run.stored_epochs if epoch > 0]
    ends = cycle_ends(run.recipe, run.epochs_done)
    epochs = list(dict.fromkeys(wanted)) if wanted else ends or stored
    missing = [epoch for epoch in epochs if epoch not in stored]
    if missing:
        known = f"those after {_listed(stored)} are stored" if stored else "none are stored"
        instead = f"Take '{method}(epochs=[{_listed(stored)}])', or train" if len(stored) > 1 else "Train"
        longer = f"epochs={max(epochs)} " if max(epochs) > run.epochs_done else ""
        raise UsageError(
            f"{method} needs the weights of {run.name} after epoch {_listed(missing)}, and {known}. {instead} it anew "
            f"with {longer}'snapshots=[{_listed(sorted(epochs))}]'."
        )
    if len(epochs) < 2:
        raise UsageError(
            f"{method} takes the weights of two epochs or more, and of {run.name} those after {_listed(epochs or [0])} "
            f"alone {'are meant' if len(stored) > 1 else 'were kept'}. {_how_to_have_more(run, stored, method)}"
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


def _how_to_have_more(run: Run, stored: Sequence[int], method: str) -> str:
    """What to do where one epoch is too few: name others, or train anew with the ends of cosines kept."""
    if len(stored) > 1:
        return f"Name more of those that are stored: '{method}(epochs=[{_listed(stored)}])'."
    last = max(2, run.epochs_done)
    schedule = f"cosine-restarts(period={max(1, last // 3)})"
    longer = f"epochs={last} " if last > run.epochs_done else ""
    ends = cycle_ends({"schedule": schedule}, last)
    return (
        f"Train it anew with cosines that begin again, and their ends kept: {longer}'schedule={schedule}' "
        f"'snapshots=[{_listed(ends)}]'. By another schedule have any epochs kept, {longer}'snapshots=[{last - 1}, "
        f"{last}]', and name them: '{method}(epochs=[{last - 1}, {last}])'."
    )


def _listed(epochs: Sequence[int]) -> str:
    return ", ".join(map(str, epochs))
