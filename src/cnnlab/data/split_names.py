"""What people call a split, and which one they mean."""

import re
from collections.abc import Callable, Iterable

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "development": "validation",
    "test": "test",
    "testing": "test",
}
"""What people call a split by a word of its own, and its name here."""

_AFFIX = "(?:s|(?:data)?sets?|data|ima?ge?s?|pics?|pictures?|photos?|samples?|split|dir|folder|part)?"
_HELD_OUT = "held out"
"""The kind of a split that is the test split, unless there is one by that name."""
_WORDS = {
    "train": re.compile(f"train(?:ing)?(?:val)?{_AFFIX}"),
    "validation": re.compile(f"(?:val(?:id(?:ation)?)?|dev(?:el(?:opment)?)?){_AFFIX}"),
    "test": re.compile(f"test(?:ing)?{_AFFIX}"),
    _HELD_OUT: re.compile(f"(?:eval(?:uation)?|holdout){_AFFIX}"),
}
_PARTS = {"train": "train", "holdout": _HELD_OUT, "eval": _HELD_OUT, "test": "test", "val": "validation"}
_PARTS |= {"dev": "validation"}


def splits_named(names: Iterable[str]) -> dict[str, str]:
    """The split that each name says by a word in it, as ``seg_train``, ``TestImages`` and ``val2017`` do.

    Names that say none are left out. ``eval`` and ``holdout`` are test, or validation where another name says test.
    """
    return _resolved(names, _kind_by_words)


def splits_hinted(names: Iterable[str]) -> dict[str, str]:
    """The same by any part of a name, as ``mytrain`` has one; so has ``festival``, so that other signs are needed."""
    return _resolved(names, _kind_by_part)


def _resolved(names: Iterable[str], kind_of: Callable[[str], str | None]) -> dict[str, str]:
    kinds = {name: kind for name in names if (kind := kind_of(name))}
    held_out = "validation" if "test" in kinds.values() else "test"
    return {name: held_out if kind == _HELD_OUT else kind for name, kind in kinds.items()}


def _kind_by_words(name: str) -> str | None:
    words = re.findall(r"[^\W\d_]+", _plain(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)))
    kinds = {kind for word in words for kind, pattern in _WORDS.items() if pattern.fullmatch(word)}
    if kinds == {"train", "validation"}:
        return "train"
    return kinds.pop() if len(kinds) == 1 else None


def _kind_by_part(name: str) -> str | None:
    return _kind_by_words(name) or next((kind for part, kind in _PARTS.items() if part in _plain(name)), None)


def _plain(name: str) -> str:
    return re.sub(r"hold[^a-z]?out", "holdout", name.lower())
