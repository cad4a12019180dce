"""The words of a command line: perhaps a file, of a recipe or a transfer, then ``key=value``."""

import os
from collections.abc import Mapping, Sequence
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
    name, pairs = _parted(words or [], "recipe")
    return recipe_file(name) if name is not None else None, read_pairs(pairs, **flags)


def read_pairs(words: Sequence[str], **flags: str | None) -> dict[str, Any]:
    """The keys of ``key=value`` words, and those given as flags."""
    _refuse_flags(words)
    from cnnlab.training import parse_pairs

    return _with_flags(parse_pairs(words), flags)


def read_transfer_words(words: Sequence[str] | None, **flags: str | None) -> tuple[str | None, dict[str, Any]]:
    """The file of a transfer, or the name of one that comes with cnnlab, where one is named; and keys as above."""
    name, pairs = _parted(words or [], "transfer")
    _refuse_flags(pairs)
    from cnnlab.transfer.request import parse_words

    return name, _with_flags(parse_words(pairs), flags)


def _parted(words: Sequence[str], what: str) -> tuple[str | None, list[str]]:
    """The word that names a file of that kind, where there is one, and the others."""
    files = [word for word in words if _is_file(word)]
    if len(files) > 1:
        raise UsageError(f"{files[0]} and {files[1]} are two {what} files; give one, and the rest as key=value.")
    return (files[0] if files else None), [word for word in words if word not in files]


def _with_flags(keys: dict[str, Any], flags: Mapping[str, str | None]) -> dict[str, Any]:
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


def _refuse_flags(words: Sequence[str]) -> None:
    for key in (word.partition("=")[0] for word in words):
        flag = flag_for(key)
        if flag is None:
            continue
        raise UsageError(f"{key} is about the invocation, not the experiment: write {flag}, not {key}=….")
