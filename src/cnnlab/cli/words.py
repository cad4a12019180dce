"""The words of a command line: perhaps a recipe, then ``key=value``."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnlab.cli.usage import flag_for
from cnnlab.core.errors import UsageError
from cnnlab.core.packaged import recipe_file

_RECIPES = {".yaml", ".yml"}


def read_words(words: Sequence[str] | None, **flags: str | None) -> tuple[Path | None, dict[str, Any]]:
    """The file of the recipe, where one is named, and the keys to put over it.

    :param flags: keys that may be given as flags too, such as ``device``.
    :raises UsageError: for words that cannot be read, and keys given twice.
    """
    words = list(words or [])
    files = [word for word in words if _is_file(word)]
    if len(files) > 1:
        raise UsageError(f"{files[0]} and {files[1]} are two recipe files; give one, and the rest as key=value.")
    recipe = recipe_file(files[0]) if files else None
    return recipe, read_pairs([word for word in words if word not in files], **flags)


def read_pairs(words: Sequence[str], **flags: str | None) -> dict[str, Any]:
    """The keys of ``key=value`` words, and those given as flags."""
    for word in words:
        _refuse_flag(word.partition("=")[0])
    from cnnlab.training import parse_pairs

    keys: dict[str, Any] = parse_pairs(words)
    for key, value in flags.items():
        if value is not None and key in keys:
            raise UsageError(f"{key} is given twice, as {key}={keys[key]} and as --{key} {value}.")
        if value is not None:
            keys[key] = value
    return keys


def tried_quickly(words: Sequence[str] | None, quick: bool) -> list[str]:
    """The words, with the key for which ``--quick`` stands where that was given."""
    return [*(words or []), *(["quick=true"] if quick else [])]


def _is_file(word: str) -> bool:
    return "=" not in word or (Path(word).suffix in _RECIPES and os.path.isfile(word))


def _refuse_flag(key: str) -> None:
    flag = flag_for(key)
    if flag is not None:
        raise UsageError(f"{key} is about the invocation, not the experiment: write {flag}, not {key}=….")
