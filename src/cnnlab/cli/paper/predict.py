"""Asking what somebody expects of an entry before it is run."""

import sys
from typing import TYPE_CHECKING, Any

import typer

from cnnlab.cli import output
from cnnlab.core.errors import UsageError

if TYPE_CHECKING:
    from cnnlab.papers.entry import EntryAt
    from cnnlab.papers.expectations import Expectation, Question


def ask(at: "EntryAt") -> None:
    """Asks for the order of the settings of each study of an entry and for the distance of the first from the last.

    What was noted once is not asked for again, and says when it was noted after there were results.
    """
    from cnnlab.papers.carrying_out import questions
    from cnnlab.papers.expectations import expected, note_expected

    if expected(at.folder) is not None:
        output.write(f"{at.entry.full_name}: what you expected is noted already, in {at.folder}.")
        return
    asked = questions(at)
    if not asked:
        output.write(f"{at.entry.full_name} compares no settings, so there is no order to expect.")
        return
    try:
        answers = [_answer(question) for question in asked]
    except typer.Abort as error:
        if sys.stdin.isatty():
            raise
        raise UsageError(
            f"{at.entry.full_name}: --predict asks, and nobody answers to the end. Run it in a terminal, or give the "
            "answers on standard input, each on a line of its own: an order, then a difference."
        ) from error
    note_expected(at.folder, answers)


def _answer(question: "Question") -> "Expectation":
    from cnnlab.papers.expectations import read_order, read_spread

    part = f" ({question.part})" if question.part else ""
    output.heading(f"{question.title}{part}: {question.metric}")
    for place, label in enumerate(question.settings, 1):
        output.write(f"{place:3}  {label}")
    while True:
        try:
            order = read_order(
                _asked("Which order do you expect, the best first, such as 2 > 1 > 3"), question.settings
            )
            break
        except UsageError as error:
            output.write(str(error))
    while True:
        try:
            spread = read_spread(
                _asked("How far is the first ahead of the last, such as 2% or 2 points (empty: no idea)", default="")
            )
            break
        except UsageError as error:
            output.write(str(error))
    return question.answered(order, spread)


def _asked(text: str, **options: Any) -> str:
    """The answer, after which a line is ended where nobody ends it with the key for that."""
    try:
        return str(typer.prompt(text, **options))
    finally:
        if not sys.stdin.isatty():
            output.write()
