"""What a transfer compared, in words and tables."""

from itertools import groupby
from typing import TYPE_CHECKING

from cnnlab.cli import output

if TYPE_CHECKING:
    from cnnlab.runs import Run
    from cnnlab.transfer import TransferResult

_CANDIDATES = 10
"""Of a search, shown at the most."""


def write_findings(run: "Run") -> None:
    """The tables of the transfer that a run was made by."""
    from cnnlab.transfer import TransferResult

    result = TransferResult(run)
    output.heading("transfer")
    output.facts(result.facts[1:])
    write_tables(result)


def write_tables(result: "TransferResult") -> None:
    """Scores, times, and the features."""
    record, details = result.record, result.details
    output.heading(f"{record.metric.replace('_', ' ')} on validation{_of_intervals(result)}")
    output.table(*result.rows_as_text)
    output.heading("seconds to fit, and to predict the validation pictures")
    several = len(record.columns) > 1
    rows = [
        [line.classifier, *([line.features] if several else []), line.fit_seconds, line.predict_seconds]
        for line in details.itertuples()
    ]
    output.table(["classifier", *(["features"] if several else []), "fit", "predict"], rows, names=2 if several else 1)
    _write_features(result)
    found = zip(details.classifier, details.features, details.fitted, strict=True)
    told = [f"{name} on {features}: {fitted}" for name, features, fitted in found if name != fitted]
    if told:
        output.heading("found by cross-validation inside the training part")
        for line in told:
            output.write(line)
    _write_searched(result)
    output.write()
    for text in [*(each.sentence for each in result.differences if each.verdict in ("better", "worse"))]:
        output.write(text)
    output.write(result.caution)


def _write_searched(result: "TransferResult") -> None:
    """The best candidates of each search, on all training pictures and on the subsample before."""
    from cnnlab.transfer.searched import LOSS, searched

    record, rows, left_out = result.record, [], 0
    for (row, pictures), several in groupby(searched(record), key=lambda each: (each.row, each.pictures)):
        stage = list(several)
        left_out += max(0, len(stage) - _CANDIDATES)
        rows += [
            [
                each.classifier,
                *([record.columns[record.rows[row].column].label] if len(record.columns) > 1 else []),
                pictures,
                "log loss" if each.metric == LOSS else each.metric.replace("_", " "),
                output.score(each.mean),
                output.score(each.deviation),
                each.seconds,
                *([each.repeats] if len(record.choices) > 1 else []),
            ]
            for each in stage[:_CANDIDATES]
        ]
    if not rows:
        return
    output.heading("what was searched, mean and standard deviation over the folds")
    features = ["features"] if len(record.columns) > 1 else []
    repeats = ["repeats"] if len(record.choices) > 1 else []
    heads = ["candidate", *features, "pictures", "judged by", "mean", "deviation", "seconds", *repeats]
    output.table(heads, rows, names=1 + len(features))
    if left_out:
        output.write(f"and {left_out:,} more, which --json and the report have")


def _of_intervals(result: "TransferResult") -> str:
    count = len(result.record.choices)
    return "" if count == 1 else f", mean of {count} repeats, in brackets 95% intervals"


def _write_features(result: "TransferResult") -> None:
    output.heading("features")
    rows = [
        [
            column.label,
            column.layer,
            column.features,
            "×".join(map(str, column.shape)),
            column.computed,
            column.seconds,
            column.precision if column.kernels == "torch" else f"{column.precision}, {column.kernels} kernels",
        ]
        for column in result.record.columns
    ]
    output.table(["backbone", "layer", "numbers", "pictures", "computed", "seconds", "format"], rows, names=2)
