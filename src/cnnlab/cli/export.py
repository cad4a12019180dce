"""``cnnlab export``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import destination
from cnnlab.cli.options import DataDir, Json, ModelName, Offline, Quiet, Runs
from cnnlab.core.number_text import with_minus

if TYPE_CHECKING:
    from cnnlab.export import Exported

OutArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        parser=destination,
        help="model.onnx; model.pt2 for PyTorch alone; or a folder for the Hugging Face Hub, which has no suffix.",
        show_default=False,
    ),
]
ResizeOption = Annotated[
    bool, typer.Option("--resize", help="Have the file take pictures of any size, and resize them inside.")
]
Int8 = Annotated[
    bool,
    typer.Option("--int8", help="Compute in whole numbers of 8 bits, fitted to the validation pictures; ONNX only."),
]


def export(
    run: ModelName,
    out: OutArgument,
    resize: ResizeOption = False,
    int8: Int8 = False,
    runs: Runs = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the classifier of RUN as a file that other programs run, checked against PyTorch.

    Normalisation is inside; class names and recipe are in the file, and pictures with their answers lie beside it.

        cnnlab export last model.onnx

        cnnlab export last small.onnx --int8

        cnnlab export last my-model
    """
    from cnnlab.core.messages import quietly

    with quietly(quiet):
        from cnnlab.export.api import export as exported

        made = exported(run, out, resize=resize, int8=int8, runs=runs or "runs", data_dir=data_dir, offline=offline)
    if as_json:
        output.write_json(made.to_dict())
    else:
        _write(made)


def _write(made: "Exported") -> None:
    facts = made.facts
    rows: list[tuple[str, Any]] = [("exported", "\n".join(map(str, made.files)))]
    if "difference" in facts.check:
        same = ", and the same classes" if facts.check["same_classes"] else ""
        rows += [("takes", facts.preprocessing)]
        rows += [("checked", f"{facts.check['images']} pictures: {facts.check['source']}")]
        rows += [("beside PyTorch", f"{_apart(facts.check['difference'])}{same}")]
    else:
        rows += [("checked", "opened again, with the same weights")]
    if facts.resizing is not None:
        rows += [("beside Pillow", _drift(facts.resizing))]
    if facts.int8 is not None:
        rows += [("in 8 bits", _scores(facts.int8, bool(facts.classes)))]
    output.facts(rows)


def _apart(difference: float) -> str:
    return f"outputs at most {difference:.2g} apart" if difference else "the same outputs, to the bit"


def _drift(found: dict[str, Any]) -> str:
    return (
        f"pixels at most {found['largest']:.0f} of 255 apart, {found['mean']:.2g} on average, outputs at most "
        f"{found['outputs']:.2g}; {found['same_classes']:.1%} of {found['images']} pictures have the same classes"
    )


def _scores(found: dict[str, Any], has_classes: bool) -> str:
    same = f", and {found['same_classes']:.1%} of the classes the same" if has_classes else ""
    parts = [
        with_minus(f"{name.replace('_', ' ')} {value:.4g} before and {found['after'][name]:.4g} after")
        for name, value in found["before"].items()
        if value is not None and found["after"].get(name) is not None
    ]
    fitted = found["calibrated_on"]
    which = "all" if fitted == found["images"] else f"the first {fitted:,}"
    parts += [f"on {found['images']:,} pictures of the {found['split']} split; ranges from {which} of them"]
    return "\n".join([*parts, f"outputs at most {found['difference']:.2g} from PyTorch's{same}"])
