"""``cnnlab predict``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import check_file, destination
from cnnlab.cli.options import Device, Json, ModelName, Offline, Quiet, Runs
from cnnlab.core.errors import UsageError
from cnnlab.core.files import user_path
from cnnlab.core.number_text import counted, deciding_digits, fixed, with_minus

if TYPE_CHECKING:
    from cnnlab.evaluation import ImagePredictions, PredictedFile


class FileFormat(StrEnum):
    """What a file of predictions looks like."""

    TABLE = "table"
    KAGGLE = "kaggle"


PathsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="PICTURES...",
        help="Files, folders of pictures, archives of such, and CSV files that name some.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        parser=destination,
        help="Write a CSV, with the probability of each class where classes are told apart, or a .parquet. Any number "
        "of pictures; the same command goes on after an interruption.",
        show_default=False,
    ),
]
Format = Annotated[
    FileFormat | None,
    typer.Option(
        "--format", help="What --out looks like: a table, or a submission as Kaggle takes it.", show_default="table"
    ),
]
Top = Annotated[
    int | None,
    typer.Option(
        "--top", metavar="N", min=1, help="Tell so many classes of each picture, the likeliest first.", show_default="1"
    ),
]
Probabilities = Annotated[
    bool | None,
    typer.Option("--probabilities/--no-probabilities", help="A column for each class, or none.", show_default=False),
]
Like = Annotated[
    Path | None,
    typer.Option(
        "--like",
        metavar="SAMPLE",
        parser=user_path,
        help="A sample submission, whose ids, order and header are taken.",
        show_default=False,
    ),
]
On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="PLACE",
        help="Where --out is predicted other than here: ray, for the nodes of a Ray cluster, or ray://HOST:PORT.",
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Workers at once on a cluster; otherwise as many as there is room for.",
        show_default=False,
    ),
]
Cpus = Annotated[
    int | None,
    typer.Option(
        "--cpus",
        metavar="N",
        min=1,
        help="Cores of each worker on a cluster; otherwise the threads of the run, or one.",
        show_default=False,
    ),
]
Gpus = Annotated[
    float | None,
    typer.Option(
        "--gpus",
        metavar="SHARE",
        min=0,
        help="GPUs of each worker on a cluster, or a share of one, such as 0.25; otherwise one where the model is run "
        "on a GPU.",
        show_default=False,
    ),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out what cannot be read, naming each, and go on.")]


def predict(
    run: ModelName,
    images: PathsArgument,
    out: Out = None,
    file_format: Format = None,
    top: Top = None,
    probabilities: Probabilities = None,
    like: Like = None,
    skip_bad: SkipBad = False,
    on: On = None,
    workers: Workers = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
    runs: Runs = None,
    device: Device = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Say what is in pictures of your own, by the stored classifier of RUN.

    cnnlab predict last photos/ --out predictions.csv

    cnnlab predict last test/ --out submission.csv --format kaggle --like sampleSubmission.csv

    cnnlab predict last test/ --out predictions.csv --on ray
    """
    from cnnlab.core.messages import quietly

    check_file(out, "predictions are written as CSV or Parquet", ".csv", ".txt", ".parquet")
    place = _place(out, on, workers=workers, cpus=cpus, gpus=gpus)
    if out is None:
        _refuse_without_file(format=file_format, top=top, probabilities=probabilities, like=like)
    on_bad: Literal["refuse", "skip"] = "skip" if skip_bad else "refuse"
    with quietly(quiet):
        from cnnlab import evaluation

        model = evaluation.open_model(run, runs=runs or "runs", offline=offline)
        if out is not None:
            written = evaluation.predict_to_file(
                model,
                images,
                out,
                format="kaggle" if file_format is FileFormat.KAGGLE else "table" if file_format else None,
                top=top or 1,
                probabilities=probabilities,
                like=like,
                on_bad=on_bad,
                device=device,
                **place,
            )
        else:
            result = evaluation.predict(model, images, on_bad=on_bad, device=device)
    if out is not None:
        _tell(written, as_json=as_json)
    elif as_json:
        output.write_json(result.to_dict())
    else:
        _write(result)


def _refuse_without_file(**options: object) -> None:
    given = next((name for name, value in options.items() if value is not None), None)
    if given is not None:
        raise UsageError(f"--{given} says what a file looks like. Name it, as in --out submission.csv.")


def _place(out: Path | None, on: str | None, **asked: Any) -> dict[str, Any]:
    """What is asked of a place other than this machine."""
    named = [f"--{name}" for name, value in asked.items() if value is not None]
    if on is None and named:
        raise UsageError(f"{' '.join(named)}: this is asked of a cluster. Name it, as in --on ray, or leave it out.")
    if on is not None and out is None:
        raise UsageError(
            f"--on {on} has a cluster predict many pictures into a file. Name it, as in --out predictions.csv, or "
            "leave --on out to have a few told here."
        )
    return {"on": on, **asked}


def _tell(written: "PredictedFile", *, as_json: bool) -> None:
    """What there is to say of a file of predictions."""
    if as_json:
        facts = {"predicted": written.predicted, "unreadable": list(written.unreadable), "out": str(written.path)}
        output.write_json({**facts, "was_there": written.was_there})
        return
    left_out = f", {len(written.unreadable):,} left out" if written.unreadable else ""
    before = " before, and nothing has changed" if written.was_there else ""
    output.write(f"{counted(written.predicted, 'picture')} predicted{before}{left_out}: {written.path}")


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
