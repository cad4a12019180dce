"""``cnnlab models draw``."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.destinations import check_file, destination
from cnnlab.cli.models.model_for_input import ClassesOption, Input, ModelArgument, read_model_for_input
from cnnlab.cli.options import DataDir, Json, Offline, Runs

FigureOption = Annotated[
    Path, typer.Option("--out", metavar="FILE", parser=destination, help="The picture: .png, .svg or .pdf.")
]


def draw(
    words: ModelArgument = None,
    shape: Input = None,
    out: FigureOption = Path("network.png"),
    classes: ClassesOption = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    runs: Runs = None,
    as_json: Json = False,
) -> None:
    """Draw a model as papers do: a box for each feature map, as large as that is, with its shape.

    cnnlab models draw vgg-like --input 1x28x28 --out network.png
    """
    from cnnlab.core.messages import announcing
    from cnnlab.reports import draw_network

    check_file(out, "the picture is written")
    target = read_model_for_input(words, shape, classes, data_dir, offline, runs)
    with announcing(f"drawing {target.model}"):
        draw_network(target.summary(), out)
    if as_json:
        output.write_json({"image": out, "model": target.canonical, "shape": list(target.shape)})
    else:
        output.facts([("model", target.model), ("pictures", "×".join(map(str, target.shape))), ("drawn", out)])
