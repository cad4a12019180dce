"""``cnnlab arithmetic conv``."""

from typing import Annotated, Any

import typer

from cnnlab.cli.arithmetic.common import NoBias, Padding, Picture, read_padding, read_picture, tell
from cnnlab.cli.options import Json

Filters = Annotated[int, typer.Option("--filters", metavar="N", min=1, help="How many.", show_default=False)]
Kernel = Annotated[int, typer.Option("--kernel", metavar="N", min=1, help="Height and width of each.")]
Stride = Annotated[int, typer.Option("--stride", metavar="N", min=1, help="Pixels from window to window.")]
Dilation = Annotated[int, typer.Option("--dilation", metavar="N", min=1, help="Pixels between the weights.")]


def conv(
    picture: Picture,
    filters: Filters,
    kernel: Kernel = 3,
    stride: Stride = 1,
    padding: Padding = "0",
    dilation: Dilation = 1,
    no_bias: NoBias = False,
    as_json: Json = False,
) -> None:
    """Work out the output of a convolution, its parameters and its cost.

    cnnlab arithmetic conv 128x128x32 --filters 16 --kernel 3 --stride 2
    """
    from cnnlab.models import arithmetic

    edge: Any = read_padding(padding)
    tell(arithmetic.conv(read_picture(picture), filters, kernel, stride, edge, dilation, not no_bias), as_json)
