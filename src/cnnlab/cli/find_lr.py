"""``cnnlab find-lr``."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import check_file, destination
from cnnlab.cli.options import DataDir, Device, Json, Offline, Quiet, Words
from cnnlab.core.errors import UsageError

if TYPE_CHECKING:
    from cnnlab.training import Recipe

_FORMATS = (".png", ".svg", ".pdf")
Lowest = Annotated[float, typer.Option("--lowest", metavar="RATE", help="The learning rate of the first step.")]
Highest = Annotated[
    float, typer.Option("--highest", metavar="RATE", help="That of the last, if the loss stays finite.")
]
Steps = Annotated[int, typer.Option("--steps", metavar="N", min=10, help="Steps of the test.")]
PhaseOption = Annotated[
    int,
    typer.Option("--phase", metavar="N", min=1, help="The phase that is tested; those before it are trained first."),
]
FigureOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        parser=destination,
        help="Where the curve is drawn: .png, .svg or .pdf. By default a .png named after data and model.",
        show_default=False,
    ),
]


def find_lr(
    words: Words = None,
    out: FigureOption = None,
    lowest: Lowest = 1e-6,
    highest: Highest = 10.0,
    steps: Steps = 150,
    phase: PhaseOption = 1,
    data_dir: DataDir = None,
    device: Device = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Test learning rates: one short training in which the rate grows step by step.

    Draws the loss over the rate and suggests one; no run is kept.

        cnnlab find-lr recipe.yaml

        cnnlab find-lr recipe.yaml --phase 2
    """
    from cnnlab.cli.words import read_words
    from cnnlab.core.messages import quietly

    with quietly(quiet):
        from cnnlab import training
        from cnnlab.reports import draw_lr_range_test

    check_file(out, "the curve is drawn")
    if not 0 < lowest < highest:
        raise UsageError(f"--lowest {lowest:g} must be above 0 and below --highest {highest:g}.")
    if out is not None and out.suffix.lower() not in _FORMATS:
        raise UsageError(f"--out {out} cannot be drawn: name a file that ends in {', '.join(_FORMATS)}.")
    recipe, keys = read_words(words, device=device)
    with quietly(quiet):
        whole = training.Recipe.read(recipe, **keys)
        test = training.find_lr(
            whole, lowest=lowest, highest=highest, steps=steps, phase=phase, data_dir=data_dir, offline=offline
        )
        out = out or _usual_place(whole)
        is_there = out.exists()
        draw_lr_range_test(test, out)
    if as_json:
        output.write_json({**test.to_dict(), "image": str(out)})
        return
    output.facts(
        [
            ("suggested learning rate", f"{test.suggestion:g}"),
            ("loss falls fastest at", f"{test.steepest:.2g}"),
            ("loss is about lowest from", f"{test.lowest:.2g}"),
            ("curve", f"{out} (an earlier one is replaced)" if is_there else out),
        ]
    )
    where = f"phases[{phase - 1}]." if whole.phases else ""
    line = shlex.join([*(words or []), f"{where}optimizer.lr={test.suggestion:g}"])
    with quietly(quiet):
        output.advise("next", [f"cnnlab train {line}"])


def _usual_place(recipe: "Recipe") -> Path:
    """A picture in the current folder, named as a run of the recipe would be."""
    return Path(f"find-lr-{re.sub(r'[^A-Za-z0-9._-]+', '-', recipe.title).strip('-')}.png")
