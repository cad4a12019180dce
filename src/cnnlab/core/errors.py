"""The errors a person can cause, each carrying what was wrong, where, and what to do.

The command line prints the message of any of them as one paragraph and leaves with its ``exit_code``:
2 for bad usage or bad data, 1 for a failure on the way.
"""

import difflib
import re
from collections.abc import Iterable, Sequence

from cnnlab.core.sinks import for_message

_MOST_LISTED, _FIRST = 100, 24
_SHORTEST = 3
"""Letters that a word needs for those to be close that begin with it."""


class CnnlabError(Exception):
    """Anything that cnnlab refuses or that fails in a foreseen way; the message is for a person."""

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(for_message(message))


class UsageError(CnnlabError):
    """A recipe, an argument or a name that cannot be meant."""

    exit_code = 2


class SpecError(UsageError):
    """A spec string that cannot be read, pointing at the place.

    :param message: what is wrong and what would be right.
    :param text: the whole spec string, where there is one.
    :param position: index into ``text`` of the offending character.
    :param corrected: the whole spec as it was likely meant, where that is known; it is told as what to write.
    :param key: what the spec is the value of, where ``corrected`` is to be told with it.
    """

    def __init__(
        self,
        message: str,
        text: str | None = None,
        position: int | None = None,
        corrected: str | None = None,
        key: str | None = None,
    ) -> None:
        self.reason, self.text, self.position, self.corrected = message, text, position, corrected
        if text is not None and position is not None:
            message = f"{message.rstrip('.')} (at character {position + 1} of «{_marked(text, position)}»)"
        if corrected is not None:
            line = corrected if key is None else f"{key}={in_quotes(corrected)}"
            message = f"{message.rstrip('.')}{'' if message.endswith('?') else '.'} Write {line}"
        super().__init__(message)

    def corrected_as(self, corrected: str | None, key: str | None = None) -> "SpecError":
        """The same, telling what to write; itself where that is not known."""
        if corrected is None:
            return self
        return SpecError(self.reason, self.text, self.position, corrected, key)

    def under(self, key: str, spec: object) -> "SpecError":
        """The same, telling the whole of what to write where ``spec``, in which it was found, is the value of a key."""
        if self.corrected is None or not isinstance(spec, str):
            return self
        if self.text is None or self.text == spec:
            return self.corrected_as(self.corrected, key)
        # It was found in a spec within the spec, which has to be there once for its place to be known.
        word = rf"(?<![\w-]){re.escape(self.text)}(?![\w-])"
        whole, count = re.subn(word, lambda _: str(self.corrected), spec)
        return self.corrected_as(whole, key) if count == 1 else self


class DataError(CnnlabError):
    """Data that is missing, damaged or contradicts itself."""

    exit_code = 2


class ModelFileError(CnnlabError):
    """A file that was to hold a classifier and does not."""

    exit_code = 2


class RunNotFoundError(UsageError):
    """No run, or more than one, answers to the name given."""


class RunBusyError(CnnlabError):
    """Another process holds the run."""


class RunExistsError(UsageError):
    """A run lies where one was to be made."""


class StorageError(CnnlabError):
    """A file could not be written: the disk is full, or the folder may not be written to."""


class TrainingError(CnnlabError):
    """A training that cannot go on, such as a loss that is no longer a number."""


class CnnlabWarning(UserWarning):
    """Something a person should know that does not stop the work."""


def one_line(error: BaseException, which: int = 0) -> str:
    """What another program's error says, by one of its lines, for a sentence; by its type where it says nothing.

    :param which: 0 for the first; −1 for the last, as where the lines of a traceback come before.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[which].rstrip(".")


def suggestion(word: str, valid: Iterable[str], most: int = 3) -> str:
    """A sentence naming the valid words closest to ``word``, or all of them when none is close.

    Closest are those that begin with it; capitals, hyphens and underscores make no difference. Of more than a hundred
    the first are named, and how many there are.
    """
    choices = sorted(valid)
    close = close_words(word, choices, most)
    if close:
        return f"Did you mean {either(close)}?"
    if not choices:
        return "There is none to choose from."
    if len(choices) <= _MOST_LISTED:
        return f"Valid: {', '.join(choices)}."
    return f"Valid: {', '.join(choices[:_FIRST])} and {len(choices) - _FIRST:,} more."


def close_words(word: str, choices: Sequence[str], most: int = 3) -> list[str]:
    """The words closest to ``word``, best first; none where none is close."""
    wanted = letters(word)
    by_letters: dict[str, list[str]] = {}
    for choice in choices:
        by_letters.setdefault(letters(choice), []).append(choice)
    longer = sorted((key for key in by_letters if len(wanted) >= _SHORTEST and key.startswith(wanted)), key=len)
    similar = difflib.get_close_matches(wanted, by_letters, n=most, cutoff=0.55)
    return [choice for key in dict.fromkeys([*longer, *similar]) for choice in by_letters[key]][:most]


def letters(word: str) -> str:
    """A word by its letters and digits alone, in which spellings such as ``batch-size`` and ``BatchSize`` are one."""
    return re.sub(r"[\s_-]", "", word.lower())


def either(words: Sequence[str]) -> str:
    """Words to choose from: ``a, b or c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def in_quotes(value: str) -> str:
    """A value that stands after ``key=``, in quotes that a shell and Python both read."""
    return f"'{value}'" if "'" not in value else f'"{value}"'


def _marked(text: str, position: int, most: int = 80) -> str:
    """The text with a mark at ``position``; of a long one, the part around it."""
    before, after = text[max(0, position - most) : position], text[position : position + most]
    return f"{'…' if position > most else ''}{before}▸{after}{'…' if len(text) > position + most else ''}"
