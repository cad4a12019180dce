"""``cnnlab arithmetic conv``."""

from typing import Annotated, Any

import typer

from cnnlab.cli.arithmetic.common import (
    InputShape,
    NoBias,
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
from cnnlab.core.errors import UsageError

Filters = Annotated[int | None, typer.Option("--filters", metavar="N", min=1, help="How many.", show_default=False)]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights", metavar="MATRIX", help="The filter itself, of a picture given by --input.", show_default=False
    ),
]
Kernel = Annotated[str, typer.Option("--kernel", metavar="N|H×W", help="Height and width of each.")]
Stride = Annotated[str, typer.Option("--stride", metavar="N|H×W", help="Pixels from window to window.")]
Dilation = Annotated[str, typer.Option("--dilation", metavar="N|H×W", help="Pixels between the weights.")]


def conv(
    image: InputShape = None,
    filters: Filters = None,
    kernel: Kernel = "3",
    stride: Stride = "1",
    padding: Padding = "0",
    dilation: Dilation = "1",
    no_bias: NoBias = False,
    picture: Picture = None,
    weights: Weights = None,
    as_json: Json = False,
) -> None:
    """Work out the output of a convolution, its parameters and its cost.

    cnnlab arithmetic conv 128x128x32 --filters 16 --kernel 3 --stride 2

    cnnlab arithmetic conv 40x400x1 --filters 16 --kernel 3x9

    With the numbers of a picture and of one filter it works out the map itself, window by window.

    cnnlab arithmetic conv --input '[[1,2,3],[4,5,6],[7,8,9]]' --weights '[[1,0],[0,1]]'
    """
    from cnnlab.models import arithmetic

    refuse_both(image, picture)
    edge: Any = read_padding(padding)
    step, apart = read_sides(stride, "--stride"), read_sides(dilation, "--dilation")
    if picture is not None:
        if weights is None:
            raise UsageError("the numbers of a picture need those of a filter: --weights '[[1,0],[0,1]]'.")
        matrices = read_matrix(picture, "--input"), read_matrix(weights, "--weights")
        tell(arithmetic.convolve(*matrices, padding=edge, stride=step, dilation=apart), as_json)
        return
    if filters is None:
        raise UsageError("how many filters are there? --filters 16.")
    shape, size = read_input_shape(image or ""), read_sides(kernel, "--kernel")
    tell(arithmetic.conv(shape, filters, size, step, edge, apart, not no_bias), as_json)
