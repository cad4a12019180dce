"""``cnnlab arithmetic dense``."""

from typing import Annotated

import typer

from cnnlab.cli.arithmetic.common import NoBias, tell
from cnnlab.cli.options import Json
from cnnlab.cli.shape import read_sizes
from cnnlab.core.errors import UsageError

Inputs = Annotated[
    str, typer.Argument(metavar="N|H×W×C", help="A number of inputs, or a picture to flatten.", show_default=False)
]
Units = Annotated[int, typer.Option("--units", metavar="N", min=1, help="How many outputs.", show_default=False)]


def dense(inputs: Inputs, units: Units, no_bias: NoBias = False, as_json: Json = False) -> None:
    """Work out the parameters and the cost of a dense layer.

    cnnlab arithmetic dense 4x4x256 --units 1024
    """
    from cnnlab.models import arithmetic

    sizes = read_sizes(inputs)
    if len(sizes) not in (1, 3):
        raise UsageError(f"a dense layer takes a number of inputs, or a picture such as 4x4x256; got {inputs}.")
    tell(arithmetic.dense(sizes, units, not no_bias), as_json)
