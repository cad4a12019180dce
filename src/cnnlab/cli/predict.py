"""``cnnlab predict``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import check_file, destination
from cnnlab.cli.options import Device, Json, ModelName, Offline, Quiet, Runs
from cnnlab.core.number_text import counted, deciding_digits, fixed, with_minus

if TYPE_CHECKING:
    from cnnlab.evaluation import ImagePredictions

PathsArgument = Annotated[
    list[Path], typer.Argument(metavar="PICTURES...", help="Files, and folders of pictures.", show_default=False)
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        parser=destination,
        help="Write a CSV, with the probability of each class where classes are told apart.",
        show_default=False,
    ),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out what cannot be read, naming each, and go on.")]


def predict(
    run: ModelName,
    images: PathsArgument,
    out: Out = None,
    skip_bad: SkipBad = False,
    runs: Runs = None,
    device: Device = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say what is in pictures of your own, by the stored classifier of RUN.

    cnnlab predict last photos/ --out predictions.csv
    """
    from cnnlab.core.messages import quietly

    check_file(out, "predictions are written as CSV", ".csv", ".txt")
    with quietly(quiet):
        from cnnlab import evaluation

    with quietly(quiet):
        model = evaluation.open_model(run, runs=runs or "runs", offline=offline)
        result = evaluation.predict(model, images, on_bad="skip" if skip_bad else "refuse", device=device)
    if out is not None:
        result.save_csv(out)
    if as_json:
        output.write_json(result.to_dict() if out is None else {**_counts(result), "out": str(out)})
    elif out is not None:
        left_out = f", {len(result.unreadable):,} left out" if result.unreadable else ""
        output.write(f"{counted(len(result), 'picture')} predicted{left_out}: {out}")
    else:
        _write(result)


def _counts(result: "ImagePredictions") -> dict[str, object]:
    return {"predicted": len(result), "unreadable": list(result.unreadable)}


def _write(result: "ImagePredictions") -> None:
    titles, parts = ["path"], [list(result.paths)]
    for name, column in result.columns.items():
        prefix = "" if len(result.columns) == 1 else f"{name} "
        titles.append(f"{prefix}predicted")
        parts.append([value if isinstance(value, str) else with_minus(f"{value:.6g}") for value in column.predicted])
        if len(column.confidence):
            titles.append(f"{prefix}confidence")
            parts.append([_share(float(value)) for value in column.confidence])
    output.table(titles, list(zip(*parts, strict=True)), names=2)


def _share(value: float) -> str:
    """Three digits, or as many as show that it is not certainty."""
    return fixed(value, deciding_digits([value], [1.0], 3))
