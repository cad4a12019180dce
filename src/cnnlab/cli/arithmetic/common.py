"""What the verbs of ``cnnlab arithmetic`` share."""

from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.shape import read_sizes
from cnnlab.core.errors import UsageError

if TYPE_CHECKING:
    from cnnlab.models.arithmetic import Answer

Picture = Annotated[
    str, typer.Argument(metavar="H×W×C", help="Height, width and channels: 128x128x32.", show_default=False)
]
Padding = Annotated[
    str, typer.Option("--padding", metavar="N|same|valid", help="Pixels on every side; same keeps the size.")
]
NoBias = Annotated[bool, typer.Option("--no-bias", help="Without biases.")]


def read_picture(text: str) -> tuple[int, int, int]:
    """Height, width and channels, as textbooks write them.

    :raises UsageError: for anything else.
    """
    numbers = read_sizes(text)
    if len(numbers) != 3:
        raise UsageError(f"a picture is height×width×channels here, such as 128x128x32; got {text}.")
    height, width, channels = numbers
    return height, width, channels


def read_padding(text: str) -> int | str:
    """A number of pixels, or a word that is checked later."""
    return int(text) if text.isdecimal() and len(text) < 10 else text


def tell(answer: "Answer", as_json: bool) -> None:
    """The answer on standard output."""
    if as_json:
        output.write_json(answer.to_dict())
        return
    output.write(str(answer))
