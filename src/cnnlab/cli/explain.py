"""``cnnlab explain``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import destination
from cnnlab.cli.options import DataDir, Device, Json, ModelName, Offline, Quiet, Runs
from cnnlab.core.errors import UsageError
from cnnlab.core.number_text import counted
from cnnlab.core.sinks import in_short

if TYPE_CHECKING:
    from cnnlab.reports.explanations.write import WrittenExplanations

_USUAL = "gradcam"
What = Annotated[
    list[str] | None,
    typer.Option(
        "--what",
        metavar="METHOD",
        help="filters, activations, maximize, dead-units, embedding, embedding-epochs, mistakes, honesty, seeds, or "
        "any attribution, such as gradcam, guided, saliency, occlusion or 'smoothgrad(n=20)'; several joined by | are "
        "shown side by side. `all` makes a page of everything. `cnnlab list explanations` and `cnnlab list "
        "attributions` have all.",
        show_default=_USUAL,
    ),
]
Images = Annotated[
    list[str] | None,
    typer.Option(
        "--images",
        metavar="PICTURES",
        help="Pictures by split and place, as in test:12,57; test:wrong or test:right for some of the kind; files and "
        "folders. May be given again.",
        show_default="some rightly and wrongly predicted ones of test",
    ),
]
Layer = Annotated[
    str | None,
    typer.Option(
        "--layer",
        metavar="NAME",
        help="Of which layer, by its name in `cnnlab models show`; guided and deconvnet are then of its channels.",
        show_default="a usual one of each method",
    ),
]
Target = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="CLASS",
        help="Which class is explained, by its name or number; of several heads HEAD=CLASS. Given again, classes are "
        "shown side by side.",
        show_default="what is predicted",
    ),
]
Channels = Annotated[
    str | None,
    typer.Option(
        "--channels",
        metavar="N,N",
        help="Which channels of the layer, as in 3,7: of guided and deconvnet, activations, filters, maximize.",
        show_default="the most active, or the first",
    ),
]
Beside = Annotated[
    list[str] | None,
    typer.Option(
        "--beside",
        metavar="RUN",
        help="What RUN is set beside: for seeds other trainings of its recipe, for embedding another run or a data "
        "set. May be given again.",
        show_default=False,
    ),
]
Raw = Annotated[bool, typer.Option("--raw", help="Show raw values, signed, with their scale, beside each map.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        parser=destination,
        help="The folder that pictures are written into.",
        show_default="explain in the run's own folder",
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Of what is drawn: pictures, maps, noise.", min=0)]


def explain(
    run: ModelName,
    what: What = None,
    images: Images = None,
    layer: Layer = None,
    target: Target = None,
    channels: Channels = None,
    beside: Beside = None,
    raw: Raw = False,
    out: Out = None,
    seed: Seed = 0,
    runs: Runs = None,
    data_dir: DataDir = None,
    device: Device = None,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show what RUN looks at and what it learned: heat maps, filters, activations, maps of pictures, mistakes.

    Writes PNG and SVG with captions. A second call replaces its own pictures, and no other files.

        cnnlab explain last --what gradcam --images test:12,57

        cnnlab explain last --what 'saliency|smoothgrad(n=20)|occlusion' --images photo.jpg

        cnnlab explain last --what guided --layer conv4 --channels 3,7

        cnnlab explain last --what all
    """
    from cnnlab.core.messages import quietly

    with quietly(quiet):
        from cnnlab.reports import write_explanations

    with quietly(quiet):
        written = write_explanations(
            run,
            what or [_USUAL],
            out,
            images=images or (),
            layer=layer,
            targets=target or (),
            channels=_numbers(channels),
            beside=beside or (),
            raw=raw,
            seed=seed,
            runs=runs or "runs",
            device=device,
            data_dir=data_dir,
            offline=offline,
        )
    if as_json:
        output.write_json(written.to_dict())
    else:
        _write(written)


def _numbers(text: str | None) -> list[int]:
    """``3,7`` as numbers.

    :raises UsageError: for anything else.
    """
    words = [] if text is None else [word.strip() for word in text.split(",")]
    wrong = [word for word in words if not (word.isascii() and word.isdecimal())]
    if wrong:
        raise UsageError(f"{in_short(wrong[0]) or 'nothing'} is no number of a channel: write --channels 3,7.")
    return [int(word) for word in words]


def _write(written: "WrittenExplanations") -> None:
    output.facts([("explained", written.name), ("folder", written.folder), ("page", written.page)])
    rows = [(figure.title, written.files[figure.key][0].name) for one in written.explanations for figure in one.figures]
    if rows:
        output.heading(f"{counted(len(rows), 'figure')}, each as PNG and SVG")
        output.table(("what", "file"), rows, names=2)
    notes = [note for one in written.explanations for note in one.notes]
    notes += [f"{what} is left out: {why}" for what, why in (written.left_out or {}).items()]
    for note in notes:
        output.write(note)
