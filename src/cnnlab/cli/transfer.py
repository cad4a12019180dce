"""``cnnlab transfer``."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.options import DataDir, Device, Json, Name, Offline, Quiet, Runs
from cnnlab.core.durations import short_duration

if TYPE_CHECKING:
    from cnnlab.transfer import TransferResult

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="KEY=VALUE...",
        help="data and backbones; and layer, classifiers, search, subsample, cv, metric, objective, validation, test, "
        "subset, seed, repeats, vary, precision. Quote what holds ( ) or spaces.",
        show_default=False,
    ),
]
Again = Annotated[bool, typer.Option("--again", help="Make another one of a transfer that is there already.")]


def transfer(
    words: Words,
    name: Name = None,
    runs: Runs = None,
    again: Again = False,
    data_dir: DataDir = None,
    device: Device = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Fit classifiers of scikit-learn to features of pretrained networks, and store the best like a run.

    Features are computed once for each picture and kept in the cache. The best is chosen on validation, and it alone is
    scored on test; cnnlab predict and evaluate take it like any run.

        cnnlab transfer data=photos.zip backbones=efficientnet-lite0

        cnnlab transfer data=photos.zip 'backbones=efficientnet-lite0, resnet50v2' classifiers=all repeats=5

        cnnlab transfer data=photos.zip backbones=efficientnet-lite0 'search=svc(C=[1, 10, 100])' subsample=0.2
    """
    from cnnlab.core.messages import quietly

    with quietly(quiet):
        from cnnlab.transfer.api import transfer as make
        from cnnlab.transfer.request import parse_words

        made = make(
            **parse_words(words),
            name=name,
            runs=runs,
            again=again,
            data_dir=data_dir,
            offline=offline,
            device=device,
        )
    if as_json:
        output.write_json(made.to_dict())
        return
    write_result(made)
    where = f" --runs {shlex.quote(str(runs))}" if runs is not None and Path(runs) != Path("runs") else ""
    folder = shlex.quote(made.run.folder.name)
    commands = ["runs show {}", "predict {} PICTURES... --out predictions.csv", "evaluate {} data=OTHER"]
    output.advise("next", [f"cnnlab {command.format(folder)}{where}" for command in commands])


def write_result(made: "TransferResult") -> None:
    """What was chosen, the table, and how it came about."""
    record = made.record
    output.facts([*made.facts, ("time", short_duration(made.run.seconds)), ("folder", made.run.folder)])
    output.heading(f"{record.metric.replace('_', ' ').capitalize()} on validation")
    heads, lines = made.rows_as_text
    output.table(heads, lines)
    output.heading("Time to fit, and to predict the validation pictures, in seconds")
    details = made.details
    several = len(record.columns) > 1
    rows = [
        [line.classifier, *([line.features] if several else []), line.fit_seconds, line.predict_seconds]
        for line in details.itertuples()
    ]
    output.table(["classifier", *(["features"] if several else []), "fit", "predict"], rows, names=2 if several else 1)
    output.heading("Features")
    output.table(
        ["features", "numbers", "pictures", "computed", "seconds", "format"],
        [
            [
                column.label,
                column.features,
                "×".join(map(str, column.shape)),
                column.computed,
                column.seconds,
                column.precision if column.kernels == "torch" else f"{column.precision}, {column.kernels} kernels",
            ]
            for column in record.columns
        ],
    )
    for line in dict.fromkeys(f"{c}: {f}" for c, f in zip(details.classifier, details.fitted, strict=True) if c != f):
        output.write(f"Found: {line}")
    output.write()
    output.write(made.caution)
