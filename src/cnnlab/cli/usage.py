"""What to say about a command line that cannot be read: an option, a command or an argument that is not there."""

import re
from typing import Any

from cnnlab.core.errors import suggestion
from cnnlab.core.sinks import in_short

_FLAGS = {"runs", "data_dir", "offline", "quiet", "again", "json"}
"""Words that are flags, not keys of a recipe."""
_WORDINGS = (
    (r"Input should be a valid integer.*", "it takes a whole number"),
    (r"Input should be a valid number.*", "it takes a number"),
    (r"Input should be greater than or equal to (\S+)", r"it takes at least \1"),
    (r"Input should be less than or equal to (\S+)", r"it takes at most \1"),
    (r"Value error, (.*)", r"\1"),
)
"""What typer takes over from the library that reads its values, and what that means on a command line."""


def explain(error: Exception) -> str | None:
    """One paragraph on what typer says of a command line; None where the error is not of that kind."""
    if not hasattr(error, "format_message"):
        return None
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "cnnlab"
    return f"{_reason(error, context)} See: {path} --help"


def _reason(error: Any, context: Any) -> str:
    option = getattr(error, "option_name", None)
    if option is not None and hasattr(error, "possibilities"):
        return _no_option(str(option), context)
    message = str(error.format_message()).strip()
    commands = getattr(getattr(context, "command", None), "commands", None)
    if commands and message.startswith("No such command"):
        word = message.split("'")[1] if "'" in message else message
        return f"there is no command {word!r}. {suggestion(word, commands)}"
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


def _no_option(option: str, context: Any) -> str:
    known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    key = option.lstrip("-").replace("-", "_")
    if _is_about_the_experiment(key, context):
        return f"{key} is about the experiment, so it is written as a word: {key}=…, not {option}."
    return f"{context.command_path} has no option {in_short(option)}. {suggestion(option, known)}"


def _is_about_the_experiment(key: str, context: Any) -> bool:
    takes_words = any(parameter.name == "words" for parameter in context.command.params)
    if not takes_words:
        return False
    if context.command.name == "evaluate":
        return key in ("data", "split")
    from cnnlab.training import Recipe

    return key in Recipe.model_fields


def flag_for(key: str) -> str | None:
    """The flag meant by a key that is about the invocation, such as ``--data-dir``; None for other keys."""
    return f"--{key.replace('_', '-')}" if key.replace("-", "_") in _FLAGS else None
