"""``cnnlab arithmetic pool``."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from cnnlab.cli.arithmetic.common import InputShape, Padding, read_input_shape, read_padding, read_sides, tell
from cnnlab.cli.options import Json


class PoolKind(StrEnum):
    """What a window gives."""

    max = "max"
    avg = "avg"


Size = Annotated[str, typer.Option("--size", metavar="N|H×W", help="Height and width of the window.")]
Stride = Annotated[
    str | None,
    typer.Option("--stride", metavar="N|H×W", help="Pixels from window to window.", show_default="the size"),
]
Ceil = Annotated[bool, typer.Option("--ceil", help="Sizes round up: a last window may hang over the edge.")]
Kinds = Annotated[PoolKind, typer.Option("--kind", help="The maximum or the average of the window.")]


def pool(
    image: InputShape,
    size: Size = "2",
    stride: Stride = None,
    padding: Padding = "0",
    ceil: Ceil = False,
    kind: Kinds = PoolKind.max,
    as_json: Json = False,
) -> None:
    """Work out the output of maximum or average pooling.

    cnnlab arithmetic pool 7x7x256 --ceil
    """
    from cnnlab.models import arithmetic

    edge: Any = read_padding(padding)
    window, step = read_sides(size, "--size"), None if stride is None else read_sides(stride, "--stride")
    tell(arithmetic.pool(read_input_shape(image), window, step, edge, ceil, kind.value), as_json)
