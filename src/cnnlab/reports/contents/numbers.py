"""How the best setting does on a number that it predicts: how far off, and where; over all its repeats."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnlab.evaluation import NumberPredictions, number_predictions
from cnnlab.reports.contents.report_subject import Repeat
from cnnlab.reports.contents.tables import Table, TableColumn, with_unit

_PARTS = 12
_SHARES = (0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
_HOUR = 60
CLOCK = "time"


@dataclass(frozen=True, eq=False)
class NumberDetails:
    """One number as the best setting predicts it.

    :param split: on which; ``seeds`` of the repeats that are counted together.
    :param predictions: of all repeats, one after the other.
    """

    split: str
    seeds: tuple[int, ...]
    predictions: NumberPredictions

    @property
    def name(self) -> str:
        """What is predicted."""
        return self.predictions.name

    def text(self, value: float) -> str:
        """The number itself for a person; a time as clocks show it."""
        return number_text(self.predictions, value)


def number_details(repeats: Sequence[Repeat]) -> tuple[NumberDetails, ...]:
    """One for each number that is predicted; none for objectives of classes alone."""
    if not repeats:
        return ()
    split, seeds = repeats[0].predictions.split, tuple(repeat.trial.seed for repeat in repeats)
    parts = zip(*(number_predictions(repeat.predictions) for repeat in repeats), strict=True)
    return tuple(NumberDetails(split, seeds, _together(predictions)) for predictions in parts)


def _together(repeats: Sequence[NumberPredictions]) -> NumberPredictions:
    first = repeats[0]
    truth, predicted = (
        np.concatenate([getattr(repeat, name) for repeat in repeats]) for name in ("truth", "predicted")
    )
    return NumberPredictions(first.name, truth, predicted, first.period, first.unit)


def number_text(numbers: NumberPredictions, value: float) -> str:
    """A number of this kind for a person: 205 minutes of a clock are 3:25."""
    if numbers.unit != "minutes":
        return with_unit(float(value), "number")
    minutes = round(float(value)) % round(numbers.period or 24 * _HOUR)
    return f"{minutes // _HOUR or 12}:{minutes % _HOUR:02}"


def shares_table(details: NumberDetails) -> Table:
    """Within which distance so many of the predictions are."""
    columns = (
        TableColumn("share", "of the predictions", "share"),
        TableColumn("distance", "are within", details.predictions.unit),
    )
    far = np.quantile(details.predictions.distances, _SHARES, method="inverted_cdf")
    rows = tuple((share, float(distance)) for share, distance in zip(_SHARES, far, strict=True))
    return Table(f"distances {details.name}", "How far off", columns, rows)


def parts_table(details: NumberDetails) -> Table:
    """A row for each twelfth of the range of true numbers: how far off there, and to which side."""
    predictions = details.predictions
    low, high = (
        (0.0, predictions.period)
        if predictions.period
        else (float(predictions.truth.min()), float(predictions.truth.max()))
    )
    edges = np.linspace(low, high, _PARTS + 1)
    place = np.clip(np.searchsorted(edges, predictions.truth, side="right") - 1, 0, _PARTS - 1)
    columns = (
        *(TableColumn("low", "true from"), TableColumn("high", "to"), TableColumn("count", "predictions", "count")),
        TableColumn("mean_distance", "mean error", predictions.unit),
        TableColumn("median_distance", "median error", predictions.unit),
        TableColumn("mean_error", "mean with its sign", predictions.unit, True),
    )
    rows = []
    for part in range(_PARTS):
        chosen = place == part
        far, apart = predictions.distances[chosen], predictions.errors[chosen]
        numbers = (float(far.mean()), float(np.median(far)), float(apart.mean())) if len(far) else (None, None, None)
        rows.append((details.text(edges[part]), details.text(edges[part + 1]), len(far), *numbers))
    return Table(f"numbers {details.name}", "Predicted and true", columns, tuple(rows))
