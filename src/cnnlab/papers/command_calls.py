"""A command of an entry in one repeat: its words, where what it writes lies, and whether it was carried out."""

import json
import re
import shlex
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cnnlab.core.digests import digest
from cnnlab.core.errors import CnnlabError, UsageError
from cnnlab.core.files import make_folder, write_text
from cnnlab.core.hooks import command_line
from cnnlab.papers.interruption import carry_out_and_kill

IN_BRACES = re.compile(r"\{(\w+)\}")
"""A name that stands for something else."""
_DONE = "done.json"


@dataclass(frozen=True)
class CommandCall:
    """A command of one repeat.

    :param asked: words with the names of runs in them, folders in braces: it is known again by these.
    :param words: with all in the place of names in braces.
    :param folder: what it writes goes there.
    :param killed_after: the epoch after which it is killed; None where it is left to end.
    """

    name: str
    asked: tuple[str, ...]
    words: tuple[str, ...]
    folder: Path
    killed_after: int | None = None

    @property
    def _key(self) -> str:
        return digest({"words": list(self.asked), "killed_after": self.killed_after})

    @property
    def is_done(self) -> bool:
        """Whether the same words were carried out to their end."""
        return self._stored.get("key") == self._key

    @property
    def answer(self) -> Any:
        """What it printed as JSON, with the seconds that it took; None where it printed none."""
        answer = self._stored.get("answer") if self.is_done else None
        return {"seconds": self.seconds, **answer} if isinstance(answer, dict) else answer

    @property
    def seconds(self) -> float:
        """That it took."""
        return float(self._stored.get("seconds") or 0.0)

    @cached_property
    def _stored(self) -> dict[str, Any]:
        try:
            content = json.loads((self.folder / _DONE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def carry_out(self, options: Mapping[str, Any]) -> None:
        """Has cnnlab do it.

        :raises CnnlabError: when it fails, with what it said.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        make_folder(self.folder)
        began = time.monotonic()
        if self.killed_after is not None:
            done = carry_out_and_kill(self.words, self.killed_after, **options)
        else:
            done = command_line(self.words, **options)
        if done.code:
            raise CnnlabError(f"cnnlab {shlex.join(self.words)} left with {done.code}: {done.complaint or 'no word'}")
        facts = {"key": self._key, "answer": done.answer, "text": done.text, "seconds": time.monotonic() - began}
        write_text(self.folder / _DONE, json.dumps(facts, ensure_ascii=False) + "\n")
        self.__dict__.pop("_stored", None)


def split_words(command: str) -> list[str]:
    """A command line as its words.

    :raises UsageError: where a quote is left open.
    """
    try:
        return shlex.split(command)
    except ValueError as error:
        raise UsageError(f"commands: {command!r} leaves a quote open; close it.") from error


def filled(text: str, names: Mapping[str, str]) -> str:
    """Text with the names that stand for those in braces; other braces stay."""
    return IN_BRACES.sub(lambda match: names.get(match[1], match[0]), text)
