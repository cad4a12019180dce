"""``cnnlab paper run``, and how what came out is written for a person."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.options import DataDir, Device, Json, Offline, Quiet, Runs
from cnnlab.cli.paper.options import Keys, PaperName, command, open_paper, read_keys
from cnnlab.cli.program import FAILURE, complain
from cnnlab.cli.study.options import Workers
from cnnlab.core.durations import short_duration
from cnnlab.core.number_text import counted

if TYPE_CHECKING:
    from cnnlab.papers import Paper
    from cnnlab.papers.entry import EntryAt
    from cnnlab.papers.result import ComparedNumber, EntryResult, Measured

Predict = Annotated[
    bool, typer.Option("--predict", help="Ask first what you expect, and keep it beside what comes out.")
]


def run(
    paper: PaperName,
    words: Keys = None,
    runs: Runs = None,
    data_dir: DataDir = None,
    device: Device = None,
    workers: Workers = None,
    predict: Predict = False,
    offline: Offline = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a paper, or one of its tables or figures, and set what comes out beside what was published.

    What is trained already is not trained again, and after an interruption the same command goes on where it was. One
    entry that fails does not keep the others from being run; the command then leaves with 1.

        cnnlab paper run 001/optimizers

        cnnlab paper run 001 scale=smoke

        cnnlab paper run 001/optimizers --predict
    """
    from cnnlab.core.messages import quietly

    scale, keys = read_keys(words, device)
    opened, names = open_paper(paper, runs, data_dir, offline)
    entries = [opened.at(name, scale, _taken(opened, name, keys) if len(names) > 1 else keys) for name in names]
    if predict:
        from cnnlab.cli.paper.predict import ask

        # Of --json standard output holds the document alone.
        with redirect_stdout(sys.stderr) if as_json else nullcontext():
            for entry in entries:
                ask(entry)
    with quietly(quiet):
        results, is_failed = _run_all(entries, workers, is_told=not as_json)
    if as_json:
        found = [result.to_dict() for result in results]
        output.write_json(found[0] if "/" in paper and len(found) == 1 else found)
    elif len(entries) > 1:
        write_summary(results)
    if not as_json:
        output.advise("next", [command("report", opened.id, scale, runs, data_dir, {})])
    if is_failed or any(result.missing for result in results):
        raise typer.Exit(FAILURE)


def _taken(paper: "Paper", name: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys without ``data`` for an entry whose pictures are part of what it is about."""
    return {key: value for key, value in keys.items() if key != "data" or paper.entry(name).file.takes_data}


def _run_all(entries: "Sequence[EntryAt]", workers: int | None, *, is_told: bool) -> "tuple[list[EntryResult], bool]":
    """Each in turn, one of which may fail; of a single one the error is the command's own."""
    from cnnlab.core.errors import CnnlabError
    from cnnlab.papers.carrying_out import run_entry

    results, is_failed = [], False
    for entry in entries:
        try:
            result = run_entry(entry, workers)
        except CnnlabError as error:
            if len(entries) == 1:
                raise
            complain(f"{entry.entry.full_name}: {error}")
            is_failed = True
            continue
        results.append(result)
        if is_told:
            write_result(result)
    return results, is_failed


def write_result(result: "EntryResult") -> None:
    """What came out of an entry."""
    from cnnlab.papers.result import words

    output.heading(f"{result.paper}/{result.entry}: {result.place}, {result.title}")
    output.facts(
        [
            ("scale", result.scale),
            ("differs", "\n".join(result.deviations)),
            ("took", f"{short_duration(result.seconds) or '0 s'}, trainings and commands added up"),
            ("studies", ", ".join(result.studies)),
            ("pictures", counted(len(result.pictures), "picture") if result.pictures else None),
            ("published", _counts(words([result]))),
            ("folder", result.folder),
        ]
    )
    if result.numbers:
        _write_numbers(result.numbers)
    # Of a study, what it is judged by; all else is in `study show`.
    known = [n for n in result.measured if n.mean is not None and (not n.setting or n.name == result.measured[0].name)]
    if known:
        _write_measured(known)
    if result.claims:
        output.heading("claims")
    for claim in result.claims:
        part = f" ({claim.part})" if claim.part else ""
        output.write(f"- {claim.verdict}: {claim.says}{part}\n  {claim.why}")
    for text in result.missing:
        output.write(f"- missing: {text}")


def _write_numbers(numbers: "Sequence[ComparedNumber]") -> None:
    parts = any(number.part for number in numbers)
    output.heading("published beside measured")
    headings = [
        *(["of"] if parts else []),
        "what",
        "metric",
        "published",
        "measured",
        "95% interval of the difference",
        "verdict",
    ]
    output.table(headings, [_line(number, parts) for number in numbers], names=2 if parts else 1)


def _write_measured(numbers: "Sequence[Measured]") -> None:
    from cnnlab.papers.wording import mean_text, range_text

    parts = any(number.part for number in numbers)
    output.heading(f"measured: {numbers[0].label}" if numbers[0].setting else "measured")
    rows = [
        [
            *([number.part] if parts else []),
            *(number.setting or number.label, mean_text(number.mean, number.unit)),
            *(range_text(number.low, number.high, number.unit), len(number.values)),
        ]
        for number in numbers
    ]
    output.table([*(["of"] if parts else []), "what", "mean", "95% interval", "repeats"], rows, names=2 if parts else 1)


def write_summary(results: "Sequence[EntryResult]") -> None:
    """Of many entries, how many claims and numbers came to what."""
    from cnnlab.papers.result import verdicts, words

    output.heading("all entries")
    rows = [[result.entry, result.place, _counts(verdicts([result])), _counts(words([result]))] for result in results]
    output.table(["entry", "place", "claims", "numbers"], rows)
    output.facts([("claims", _counts(verdicts(results))), ("numbers", _counts(words(results)))])


def _counts(counts: "Any") -> str | None:
    return ", ".join(f"{count} {word}" for word, count in counts.most_common()) or None


def _line(number: "ComparedNumber", parts: bool) -> list[object]:
    from cnnlab.papers.wording import mean_text, range_text, value_text

    word = f"{number.word}: {number.reason}" if number.reason else number.word
    published, measured = value_text(number.published, number.metric), mean_text(number.measured, number.metric)
    cells = [number.label, number.metric, published, measured]
    return [
        *([number.part] if parts else []),
        *cells,
        range_text(number.low, number.high, number.metric, sign=True),
        word,
    ]
