"""What commands came to before: found again by their very words, without PyTorch, which takes seconds to load.

A command is known again where it has the same words, in the same folder, by the same code and libraries, and where all
that was looked for or read on the way is as it was. Whoever asks in other words only waits a little longer.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cnnlab.core.digests import digest, file_digest
from cnnlab.core.errors import CnnlabError
from cnnlab.core.files import cache_folder, read_regular, write_text
from cnnlab.core.lookups import Lookups, noting_lookups
from cnnlab.data.file_digests import digest_files
from cnnlab.runs.environment import code_digest

_FORMAT = 1
_MOST_BYTES = 64 << 20
_LIBRARIES = ("torch", "torchvision", "timm", "pytorch-optimizer", "optuna", "scipy", "scikit-learn")
"""Besides cnnlab's own code, what recipes and results depend on."""
_VARIABLES = ("CNNLAB_DATA", "CNNLAB_RUNS")


@dataclass(frozen=True)
class Command:
    """A command by its words.

    :param verb: what is asked for, such as ``train``.
    :param words: as they were typed, in their order.
    :param options: further facts that the answer depends on, such as the folder of runs.
    """

    verb: str
    words: Sequence[str]
    options: Sequence[object] = ()

    @property
    def path(self) -> Path:
        """Where its answer is kept, in the user's cache."""
        asked = {
            "verb": self.verb,
            "words": [_told_apart(word) for word in self.words],
            "options": [str(option) for option in self.options],
            "folder": os.getcwd(),
            "variables": [os.environ.get(name) for name in _VARIABLES],
            "code": code_digest(),
            "libraries": [sys.version, *map(_version, _LIBRARIES)],
        }
        return cache_folder() / "commands" / f"{digest(asked)[:40]}.json"

    def answer(self) -> dict[str, Any] | None:
        """What was kept of it, where everything that it depended on is as it was; None otherwise."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, CnnlabError):
            kept = json.loads(read_regular(self.path, _MOST_BYTES))
            if kept["format"] == _FORMAT and _is_as_it_was(Lookups(**kept["lookups"])):
                return dict(kept["answer"])
        return None

    @contextmanager
    def noting(self) -> Iterator["Answer"]:
        """A block that works the answer out anew; it is kept where one is given in the block and no error leaves it."""
        with noting_lookups() as lookups:
            answer = Answer()
            yield answer
        if answer.facts is None:
            return
        # A cache that cannot be written only makes the next time slower.
        with suppress(CnnlabError, OSError):
            kept = {"format": _FORMAT, "answer": answer.facts, "lookups": lookups.to_dict()}
            if _is_as_it_was(lookups):
                write_text(self.path, json.dumps(kept, ensure_ascii=True) + "\n")


@dataclass
class Answer:
    """What is to be kept of a command.

    :param facts: plain JSON; None where nothing is.
    """

    facts: dict[str, Any] | None = None


def _is_as_it_was(lookups: Lookups) -> bool:
    return (
        all(Path(path).exists() == found for path, found in lookups.looked.items())
        and all(file_digest(Path(path)) == content for path, content in lookups.files.items())
        and all(digest_files([Path(path) for path in paths]) == content for paths, content in lookups.data)
    )


def _told_apart(word: str) -> str:
    """A word; of a file, such as a recipe, with the digest of its content."""
    path = Path(word)
    with suppress(OSError, ValueError):
        return f"{word}\0{file_digest(path)}" if path.is_file() else word
    return word


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
