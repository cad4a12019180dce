"""What the verbs of ``cnnlab arithmetic`` share."""

import json
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.shape import read_sizes
from cnnlab.core.errors import UsageError

if TYPE_CHECKING:
    from cnnlab.models.arithmetic import Answer, Slide

InputShape = Annotated[
    str | None, typer.Argument(metavar="[H×W×C]", help="Height, width and channels: 128x128x32.", show_default=False)
]
Picture = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="MATRIX",
        help="A picture itself, in the place of its size: [[1, 2], [3, 4]], or a list of channels.",
        show_default=False,
    ),
]
Padding = Annotated[
    str, typer.Option("--padding", metavar="N|H×W|same|valid", help="Pixels on every side; same keeps the size.")
]
NoBias = Annotated[bool, typer.Option("--no-bias", help="Without biases.")]


def read_input_shape(text: str) -> tuple[int, int, int]:
    """Height, width and channels, as textbooks write them.

    :raises UsageError: for anything else.
    """
    numbers = read_sizes(text)
    if len(numbers) != 3:
        raise UsageError(f"a picture is height×width×channels here, such as 128x128x32; got {text}.")
    height, width, channels = numbers
    return height, width, channels


def read_matrix(text: str, flag: str) -> list[Any]:
    """Rows of numbers, or channels of rows.

    :raises UsageError: for anything else.
    """
    try:
        matrix = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{flag} takes rows of numbers, such as [[1, 2], [3, 4]]: {error}.") from error
    if not isinstance(matrix, list):
        raise UsageError(f"{flag} takes rows of numbers, such as [[1, 2], [3, 4]]; got {text}.")
    return matrix


def refuse_both(size: object, picture: object) -> None:
    """A picture is given by its size or by its numbers.

    :raises UsageError: for both, and for neither.
    """
    if (size is None) == (picture is None):
        raise UsageError("give the size of the picture, such as 128x128x32, or its numbers: --input [[1,2],[3,4]].")


def read_sides(text: str, flag: str) -> int | tuple[int, int]:
    """A number for height and width alike, or one for each, as in ``3x5``.

    :raises UsageError: for anything else.
    """
    numbers = read_sizes(text)
    if len(numbers) not in (1, 2):
        raise UsageError(f"{flag} takes a whole number of at least 1, or height and width such as 3x5; got {text}.")
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def read_padding(text: str) -> int | tuple[int, ...] | str:
    """Pixels on every side, or those along the height and along the width; or a word that is checked later."""
    if not re.fullmatch(r"[0-9]{1,9}([x×][0-9]{1,9})?", text):
        return text
    numbers = tuple(map(int, re.split("[x×]", text)))
    return numbers if len(numbers) > 1 else numbers[0]


def tell(answer: "Answer | Slide", as_json: bool) -> None:
    """The answer on standard output."""
    if as_json:
        output.write_json(answer.to_dict())
        return
    output.write(str(answer))
