"""``cnnlab arithmetic pool``."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from cnnlab.cli.arithmetic.common import Padding, Picture, read_padding, read_picture, tell
from cnnlab.cli.options import Json


class Kind(StrEnum):
    """What a window gives."""

    max = "max"
    avg = "avg"


Size = Annotated[int, typer.Option("--size", metavar="N", min=1, help="Height and width of the window.")]
Stride = Annotated[
    int | None,
    typer.Option("--stride", metavar="N", min=1, help="Pixels from window to window.", show_default="the size"),
]
Ceil = Annotated[bool, typer.Option("--ceil", help="Sizes round up: a last window may hang over the edge.")]
Kinds = Annotated[Kind, typer.Option("--kind", help="The maximum or the average of the window.")]


def pool(
    picture: Picture,
    size: Size = 2,
    stride: Stride = None,
    padding: Padding = "0",
    ceil: Ceil = False,
    kind: Kinds = Kind.max,
    as_json: Json = False,
) -> None:
    """Work out the output of maximum or average pooling.

    cnnlab arithmetic pool 7x7x256 --ceil
    """
    from cnnlab.models import arithmetic

    edge: Any = read_padding(padding)
    tell(arithmetic.pool(read_picture(picture), size, stride, edge, ceil, kind.value), as_json)
