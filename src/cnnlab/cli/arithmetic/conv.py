"""``cnnlab arithmetic conv``."""

from typing import Annotated, Any

import typer

from cnnlab.cli.arithmetic.common import InputShape, NoBias, Padding, read_input_shape, read_padding, read_sides, tell
from cnnlab.cli.options import Json

Filters = Annotated[int, typer.Option("--filters", metavar="N", min=1, help="How many.", show_default=False)]
Kernel = Annotated[str, typer.Option("--kernel", metavar="N|H×W", help="Height and width of each.")]
Stride = Annotated[str, typer.Option("--stride", metavar="N|H×W", help="Pixels from window to window.")]
Dilation = Annotated[str, typer.Option("--dilation", metavar="N|H×W", help="Pixels between the weights.")]


def conv(
    image: InputShape,
    filters: Filters,
    kernel: Kernel = "3",
    stride: Stride = "1",
    padding: Padding = "0",
    dilation: Dilation = "1",
    no_bias: NoBias = False,
    as_json: Json = False,
) -> None:
    """Work out the output of a convolution, its parameters and its cost.

    cnnlab arithmetic conv 128x128x32 --filters 16 --kernel 3 --stride 2

    cnnlab arithmetic conv 40x400x1 --filters 16 --kernel 3x9
    """
    from cnnlab.models import arithmetic

    edge: Any = read_padding(padding)
    shape, size, step = read_input_shape(image), read_sides(kernel, "--kernel"), read_sides(stride, "--stride")
    tell(arithmetic.conv(shape, filters, size, step, edge, read_sides(dilation, "--dilation"), not no_bias), as_json)
