"""``cnnlab models draw``."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.models.subject import Classes, Input, Model, read_subject
from cnnlab.cli.options import DataDir, Json, Offline

Picture = Annotated[Path, typer.Option("--out", metavar="FILE", help="The picture: .png, .svg or .pdf.")]


def draw(
    words: Model = None,
    shape: Input = None,
    out: Picture = Path("network.png"),
    classes: Classes = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Draw a model as papers do: a box for each feature map, as large as that is, with its shape.

    cnnlab models draw vgg-like --input 1x28x28 --out network.png
    """
    from cnnlab.models import canonical
    from cnnlab.reports import draw_network

    subject = read_subject(words, shape, classes, data_dir, offline)
    found = subject.outline()
    draw_network(found, out)
    if as_json:
        output.write_json({"picture": out, "model": canonical(subject.model), "shape": list(subject.shape)})
    else:
        output.facts([("model", subject.model), ("pictures", "×".join(map(str, subject.shape))), ("drawn", out)])
