"""The errors a person can cause, each carrying what was wrong, where, and what to do.

The command line prints the message of any of them as one paragraph and leaves with its ``exit_code``:
2 for bad usage or bad data, 1 for a failure on the way.
"""

import difflib
from collections.abc import Iterable

from cnnlab.core.sinks import for_message


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
    """

    def __init__(self, message: str, text: str | None = None, position: int | None = None) -> None:
        self.reason, self.text, self.position = message, text, position
        if text is not None and position is not None:
            message = f"{message.rstrip('.')} (at character {position + 1} of «{_marked(text, position)}»)"
        super().__init__(message)


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


class StorageError(CnnlabError):
    """A file could not be written: the disk is full, or the folder may not be written to."""


class TrainingError(CnnlabError):
    """A training that cannot go on, such as a loss that is no longer a number."""


class CnnlabWarning(UserWarning):
    """Something a person should know that does not stop the work."""


def suggestion(word: str, valid: Iterable[str], most: int = 3) -> str:
    """A sentence naming the valid words closest to ``word``, or all of them when few and none is close."""
    choices = sorted(valid)
    close = difflib.get_close_matches(word.lower(), choices, n=most, cutoff=0.55)
    if close:
        return f"Did you mean {_either(close)}?"
    if not choices:
        return "There is none to choose from."
    shown = ", ".join(choices[:24])
    return f"Valid: {shown}{', …' if len(choices) > 24 else ''}."


def _marked(text: str, position: int, most: int = 80) -> str:
    """The text with a mark at ``position``; of a long one, the part around it."""
    before, after = text[max(0, position - most) : position], text[position : position + most]
    return f"{'…' if position > most else ''}{before}▸{after}{'…' if len(text) > position + most else ''}"


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
