"""What pages say to type: their blocks of code, the command lines in these, and how they are run in short."""

import re
import shlex
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from cnnlab.cli.app import app

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(r"^```(\w*)(?: title=\"([^\"]*)\")?\n(.*?)^```", re.DOTALL | re.MULTILINE)
_COMMAND = r"cnnlab |make |pip |uv |uvx |pytest |mkdocs |[A-Z_]+=\S+ "
_TRAINING = ("train", "find-lr", "study")


@dataclass(frozen=True)
class Block:
    """A block of code with the word for its language and its title, either of which may be empty."""

    language: str
    title: str
    text: str

    @property
    def is_ours(self) -> bool:
        """Whether it is to run here: blocks of other libraries bear their names."""
        return self.title in ("", "cnnlab")


def read(page: str) -> str:
    """The text of a page of the repository."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str) -> list[Block]:
    """The blocks of a page, in order."""
    return [Block(*found) for found in _FENCE.findall(text)]


def python_of(text: str) -> list[str]:
    """The blocks of Python that are to run."""
    return [block.text for block in blocks(text) if block.language == "python" and block.is_ours]


def shown(block: str) -> list[str]:
    """The command lines of a block; where some begin with a prompt, all others are what was answered."""
    lines = re.sub(r"\\\n\s*", "", block).splitlines()
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return prompted or [line for line in lines if re.match(_COMMAND, line)]


def commands(text: str) -> list[str]:
    """All command lines of a page, of its blocks and within its sentences, in order and each once."""
    lines: list[str] = []
    for fence, title, block, span in re.findall(
        rf"^```(\w*)(?: title=\"([^\"]*)\")?\n(.*?)^```|(?<!`)`((?:{_COMMAND})[^`]+)`", text, re.DOTALL | re.MULTILINE
    ):
        ours = Block(fence, title, block).is_ours and fence in ("", "sh")
        lines += [" ".join(span.split())] if span else shown(block) if ours else []
    return list(dict.fromkeys(re.sub(r"\s+#.*", "", line) for line in lines))


def cut(words: Iterable[str], small: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The words of a command; one that holds a word of ``small`` has what stands there put in the place of its own."""
    words = list(words)
    for keys in [small[word] for word in words if word in small]:
        kept = [word for word in words if word.partition("=")[0] not in keys]
        words = [*kept, *(f"{key}={value}" for key, value in keys.items())]
    return words


def call(command: str, small: Mapping[str, Mapping[str, str]]) -> Result:
    """What comes of a command line; one that trains is cut short."""
    words = shlex.split(command)[1:]
    words = cut(words, small) if words[0] in _TRAINING else words
    return CliRunner().invoke(app, words, prog_name="cnnlab")


def own_pictures(folder: Path) -> None:
    """What a reader brings along: ``new-pictures`` in a folder, and ``photos.zip`` with the same by class."""
    (folder / "new-pictures").mkdir()
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        for number in range(40):
            path = folder / "new-pictures" / f"{number}.png"
            Image.new("RGB", (30, 20), (number, 6 * number, 200 * (number % 2))).save(path)
            archive.write(path, f"{('cats', 'dogs')[number % 2]}/{number}.png")


def unknown_words(command: str) -> list[str]:
    """The words of a command line that name no command or option there is."""
    here: Any = typer.main.get_command(app)
    words = shlex.split(command)[1:]
    while isinstance(here, click.Group) or hasattr(here, "commands"):
        if not words or words[0].startswith("-"):
            break
        if words[0] not in here.commands:
            return words[:1]
        here, words = here.commands[words[0]], words[1:]
    options = {name for parameter in here.params for name in parameter.opts} | {"--help", "--version"}
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in options]
