"""``cnnlab arithmetic pool``."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from cnnlab.cli.arithmetic.common import (
    InputShape,
    Padding,
    Picture,
    read_input_shape,
    read_matrix,
    read_padding,
    read_sides,
    refuse_both,
    tell,
)
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
    image: InputShape = None,
    size: Size = "2",
    stride: Stride = None,
    padding: Padding = "0",
    ceil: Ceil = False,
    kind: Kinds = PoolKind.max,
    picture: Picture = None,
    as_json: Json = False,
) -> None:
    """Work out the output of maximum or average pooling.

    cnnlab arithmetic pool 7x7x256 --ceil

    cnnlab arithmetic pool --input '[[1,2],[3,4]]'
    """
    from cnnlab.models import arithmetic

    refuse_both(image, picture)
    edge: Any = read_padding(padding)
    window, step = read_sides(size, "--size"), None if stride is None else read_sides(stride, "--stride")
    if picture is not None:
        slide = arithmetic.max_pool if kind is PoolKind.max else arithmetic.average_pool
        matrix = read_matrix(picture, "--input")
        tell(slide(matrix, window, stride=step, padding=edge, ceil=ceil), as_json)
        return
    tell(arithmetic.pool(read_input_shape(image or ""), window, step, edge, ceil, kind.value), as_json)
