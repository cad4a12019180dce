"""How the shells ask what may come next, and how they are told: their quotes and their breaks of words."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnlab.cli.completion.candidates import candidates
from cnnlab.cli.completion.words import Candidate

ASKED = "_CNNLAB_COMPLETE"
"""The variable of the environment that says which shell asks."""
SHELLS = ("bash", "zsh", "fish")
_SPECIAL = set(" \t\n'\"\\|&;<>()$`*?[]{}#!~^")
_IN_DOUBLE_QUOTES = set('"$`\\!')
_SEPARATORS = "|&;\n"
_GOES_ON = "/=@:.,-"
"""Signs after which fish puts no space."""
_LISTED = 63
"""What bash sets COMP_TYPE to where it lists what there is, and puts nothing into the line."""


@dataclass
class TypedWord:
    """A word as it stands on the line.

    :param raw: with its quotes; ``text`` what it means.
    :param quote: the quote that is open at its end, and ``opened`` where in ``raw``; empty where none is.
    :param meant: how much of ``text`` each position of ``raw`` has given.
    """

    raw: str = ""
    text: str = ""
    quote: str = ""
    opened: int = 0
    meant: tuple[int, ...] = ()


def script(shell: str) -> str:
    """What a shell reads to complete command lines."""
    return Path(__file__).with_name(f"cnnlab.{shell}").read_text(encoding="utf-8")


def answer(shell: str) -> None:
    """Writes what a shell has asked for, by its variables and by the words of the line up to the cursor."""
    if shell == "bash":
        line, point = os.environ.get("COMP_LINE", ""), os.environ.get("COMP_POINT", "")
        typed = line.encode()[: int(point)].decode(errors="ignore") if point.isdigit() else line
        lines = for_bash(typed, os.environ.get("_CNNLAB_BREAKS", ""), os.environ.get("COMP_TYPE") == str(_LISTED))
    else:
        lines = for_zsh(sys.argv[-1]) if shell == "zsh" else for_fish(sys.argv[-1])
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def for_bash(typed: str, breaks: str, is_listing: bool = False) -> list[str]:
    """What replaces the part of the line that bash takes for the word: from its last break, or its open quote, on.

    :param is_listing: whether they are shown only, and may be followed by what they are.
    """
    words = read_line(typed)
    found = _found(words)
    if not found:
        return []
    word = words[-1]
    start = word.opened + 1 if word.quote else _last_break(word, breaks)
    kept = word.meant[start - 1] if start else 0
    texts = [_written(each.text[kept:], word.quote) for each in found]
    if is_listing and len(found) > 1:
        width = max(map(len, texts))
        return [f"{text:{width}}  {each.about}".rstrip() for text, each in zip(texts, found, strict=True)]
    if len(found) > 1:
        return texts
    # Alone, bash would close the quote behind it, and the word goes on.
    return texts if found[0].is_final else [texts[0], f"{texts[0]}…"] if word.quote else [f"{texts[0]}\t"]


def for_zsh(typed: str) -> list[str]:
    """By line, apart by tabs: the whole word as it is meant, what is shown for it, and a space where one follows.

    zsh writes it with backslashes, or within the quote that was opened.
    """
    found, lines = _found(read_line(typed)), []
    width = max((len(each.text) for each in found), default=0)
    for each in found:
        shown = f"{each.text:{width}}  -- {each.about}" if each.about else each.text
        lines.append(f"{each.text}\t{shown}\t{' ' if each.is_final else ''}")
    return lines


def for_fish(typed: str) -> list[str]:
    """By line, apart by a tab: the whole word as it is meant, which fish writes with quotes, and what it is."""
    found = _found(read_line(typed))
    if len(found) == 1 and not found[0].is_final and found[0].text[-1] not in _GOES_ON:
        # Alone, fish would put a space behind it.
        found.append(Candidate(f"{found[0].text}…"))
    return [f"{each.text}\t{each.about}" for each in found]


def _found(words: Sequence[TypedWord]) -> list[Candidate]:
    texts = [word.text for word in words]
    # A line may begin with variables, or with what runs another command.
    program = next((place for place, text in enumerate(texts) if text.rpartition("/")[2] == "cnnlab"), 0)
    return candidates(texts[program + 1 : -1], texts[-1]) if len(texts) > program + 1 else []


def read_line(typed: str) -> list[TypedWord]:
    """The words of the last command of a line, of which the last is being typed and may be empty."""
    words, at = [TypedWord()], 0
    meant: list[int] = []
    while at < len(typed):
        sign, word, size = typed[at], words[-1], 1
        if not word.quote and sign in _SEPARATORS:
            words, meant = [TypedWord()], []
        elif not word.quote and sign.isspace():
            if word.raw:
                word.meant, meant = tuple(meant), []
                words.append(TypedWord())
        else:
            if sign == "\\" and word.quote != "'" and at + 1 < len(typed):
                is_kept = word.quote == '"' and typed[at + 1] not in _IN_DOUBLE_QUOTES
                word.text, size = word.text + (sign if is_kept else "") + typed[at + 1], 2
            elif sign in "'\"" and word.quote in ("", sign):
                word.opened = len(word.raw)
                word.quote = "" if word.quote else sign
            else:
                word.text += sign
            word.raw += typed[at : at + size]
            meant += [len(word.text)] * size
        at += size
    words[-1].meant = tuple(meant)
    return words


def _last_break(word: TypedWord, breaks: str) -> int:
    """Where the part begins that bash replaces: after the last of its breaks that is neither quoted nor escaped."""
    quote, start, at = "", 0, 0
    while at < len(word.raw):
        sign = word.raw[at]
        if sign == "\\" and quote != "'":
            at += 1
        elif sign in "'\"" and quote in ("", sign):
            quote = "" if quote else sign
        elif not quote and sign in breaks:
            start = at + 1
        at += 1
    return start


def _written(text: str, quote: str) -> str:
    """A part of a word as it stands within a quote, or without one."""
    if quote == "'":
        return text.replace("'", "'\\''")
    special = _IN_DOUBLE_QUOTES if quote else _SPECIAL
    return "".join(f"\\{sign}" if sign in special else sign for sign in text)
