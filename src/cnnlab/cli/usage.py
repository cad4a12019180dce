"""What to say about a command line that cannot be read: an option, a command or an argument that is not there."""

import re
import shlex
from collections.abc import Sequence
from typing import Any

from cnnlab.cli.completion.words import words as words_to_complete
from cnnlab.core.counterparts import commands, explained_commands, explained_keys, keys, subcommands
from cnnlab.core.errors import letters, suggestion
from cnnlab.core.messages import quietly
from cnnlab.core.sinks import in_short

_FLAGS = {"runs", "data_dir", "offline", "quiet", "again", "json"}
"""Words that are flags, not keys of a recipe."""
_IN_BRACES = re.compile(r"\{(.+?)\}")
_WORDINGS = (
    (r"Input should be a valid integer.*", "it takes a whole number"),
    (r"Input should be a valid number.*", "it takes a number"),
    (r"Input should be greater than or equal to (\S+)", r"it takes at least \1"),
    (r"Input should be less than or equal to (\S+)", r"it takes at most \1"),
    (r"Value error, (.*)", r"\1"),
)
"""What typer takes over from the library that reads its values, and what that means on a command line."""


def explain(error: Exception, words: Sequence[str]) -> str | None:
    """One paragraph on what typer says of a command line; None where the error is not of that kind.

    :param words: of the command line, without that of the program.
    """
    if not hasattr(error, "format_message"):
        return None
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "cnnlab"
    return f"{_reason(error, context, words)} See: {path} --help"


def _reason(error: Any, context: Any, words: Sequence[str]) -> str:
    option = getattr(error, "option_name", None)
    if option is not None and hasattr(error, "possibilities"):
        return _no_option(str(option), context, words)
    message = str(error.format_message()).strip()
    known = getattr(getattr(context, "command", None), "commands", None)
    if known and message.startswith("No such command"):
        word = message.split("'")[1] if "'" in message else message
        return f"there is no command {word!r}{_command_meant(word, known, context.command_path, words)}"
    # The message proper, after what typer says of the option that it is about.
    proper = str(getattr(error, "message", ""))
    message = " ".join(f"{message.removesuffix(proper)}{_in_our_words(proper)}".split())
    return f"{message[:1].lower()}{message[1:]}".rstrip(".") + "."


def _in_our_words(message: str) -> str:
    for theirs, ours in _WORDINGS:
        match = re.fullmatch(theirs, message.strip())
        if match is not None:
            return match.expand(ours)
    return message


def _command_meant(word: str, known: Sequence[str], path: str, words: Sequence[str]) -> str:
    """What to type in the place of a command that there is not, with what was typed after it."""
    rest = list(words[words.index(word) + 1 :]) if word in words else []
    if path == "cnnlab":
        why = explained_commands.best(word)
        if why is not None:
            return f": {why}."
        line = commands.best(word)
    else:
        line = next((ours for ours in (*_alike(word, known), *subcommands.of(word)) if ours in known), None)
    if line is None:
        return f". {suggestion(word, known)}"
    # What was typed takes the place of all braces, after which a word may stand that stays.
    fixed, _, after = line.partition("{")
    end = after.rpartition("}")[2]
    parts = [path, fixed.strip(), shlex.join(rest or _IN_BRACES.findall(line)), end.strip()]
    return f". Write: {' '.join(filter(None, parts))}."


def _alike(word: str, known: Sequence[str]) -> list[str]:
    return [name for name in known if letters(name) == letters(word)]


def _no_option(option: str, context: Any, words: Sequence[str]) -> str:
    known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    key = option.lstrip("-").replace("-", "_")
    path = context.command_path
    if not _takes_words(context):
        # What other programs have as options of the whole, such as --install-completion, are commands here.
        meant = _moved_behind(option, context.command, path, words)
        if meant is None:
            meant = _command_meant(option, known, path, words) if path == "cnnlab" else f". {suggestion(option, known)}"
        return f"{path} has no option {in_short(option)}{meant}"
    value = _value_of(option, words)
    if _is_about_the_experiment(key, context):
        line = f"{key}=…" if value is None else in_short(shlex.quote(f"{key}={value}"))
        return f"{key} is about the experiment, so it is written as a word: {line}, not {option}."
    remedy = (
        None if context.command.name == "evaluate" or letters(option) in map(letters, known) else _key_meant(key, value)
    )
    return f"{path} has no option {in_short(option)}{remedy or f'. {suggestion(option, known)}'}"


def _moved_behind(option: str, group: Any, path: str, words: Sequence[str]) -> str | None:
    """What to type where an option stands before the command that has it; None where that has no such option."""
    place = next((place for place, word in enumerate(words) if word.partition("=")[0] == option), len(words))
    behind = list(words[place + 1 :])
    command, names = group, list[str]()
    while getattr(command, "commands", None):
        at = next((at for at, word in enumerate(behind) if word in command.commands), None)
        if at is None:
            return None
        names.append(behind[at])
        command, between = command.commands[behind[at]], behind[:at]
        behind = [*between, *behind[at + 1 :]]
    if not any(option in parameter.opts for parameter in command.params):
        return None
    return f": it stands after the command. Write: {path} {shlex.join([*names, words[place], *behind])}."


def _value_of(option: str, words: Sequence[str]) -> str | None:
    """What was typed as the value of an option, after it or after its equals sign."""
    for place, word in enumerate(words):
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
        if word == option and place + 1 < len(words) and not words[place + 1].startswith("-"):
            return words[place + 1]
    return None


def _key_meant(key: str, value: str | None) -> str | None:
    """What to write for an option of another library's command that is a key here."""
    if not (keys.of(key) or explained_keys.of(key)):
        return None
    with quietly():
        from cnnlab.training import key_remedy

    return f"{key_remedy(key, {key: value or ''}).rstrip('.')}."


def _takes_words(context: Any) -> bool:
    return any(parameter.name == "words" for parameter in context.command.params)


def _is_about_the_experiment(key: str, context: Any) -> bool:
    if context.command.name == "evaluate":
        return key in ("data", "split")
    return key in words_to_complete()["keys"]


def flag_for(key: str) -> str | None:
    """The flag meant by a key that is about the invocation, such as ``--data-dir``; None for other keys."""
    return f"--{key.replace('_', '-')}" if key.replace("-", "_") in _FLAGS else None
