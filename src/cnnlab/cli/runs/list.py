"""``cnnlab runs list``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Json, Runs
from cnnlab.core.durations import short_duration
from cnnlab.core.number_text import counted
from cnnlab.core.sinks import in_short

if TYPE_CHECKING:
    from cnnlab.runs import RunStore, RunSummary
    from cnnlab.runs.filter_language import Condition

_KEEP = 4
_LONG = 60
"""Letters of what differs, in one line."""
_SHOWN = ("run", "state", "started", "seconds", "epochs_done", "study")
"""Facts that have a column, or a heading, of their own."""
Conditions = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="CONDITION...",
        help="Only runs that fit: model~vgg, epochs=15, test_accuracy>=90%, study=NAME. KEY is a key of a recipe "
        "(optimizer.lr), a score, or run, study, state, started, seconds, epochs_done, digest, repeat; between it and "
        "the value stands =, !=, ~ (contains), <, <=, > or >=. All have to fit. Quote what holds < or >.",
        show_default=False,
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", "-n", metavar="N", min=1, help="Only the first N.", show_default=False)
]
Sort = Annotated[
    str | None,
    typer.Option(
        "--sort",
        metavar="KEY",
        help="Order by a key: of a score the best first, of others the least. Otherwise the run started last first.",
        show_default=False,
    ),
]
Reverse = Annotated[bool, typer.Option("--reverse", help="The other way round.")]
By = Annotated[
    str | None,
    typer.Option("--by", metavar="KEY", help="A table for each value of a key, such as study.", show_default=False),
]


def list_runs(
    conditions: Conditions = None,
    runs: Runs = None,
    sort: Sort = None,
    reverse: Reverse = False,
    by: By = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List the runs, the one started last first, with what tells them apart.

    What differs is told among the runs of a study, and among those that belong to none.

        cnnlab runs list 'model~vgg' --sort test_accuracy

        cnnlab runs list --by study
    """
    from cnnlab.core.memory import without_collection

    with without_collection():
        _list(conditions, runs, sort, reverse, by, limit, as_json)


def _list(
    conditions: Sequence[str] | None,
    runs: Path | None,
    sort: str | None,
    reverse: bool,
    by: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    from cnnlab.runs import RunStore, sort_runs
    from cnnlab.runs.filter_language import check_key, chosen, read_filter

    store, wanted = RunStore(runs or "runs"), read_filter(conditions or ())
    everything = store.list()
    summaries = chosen(everything, wanted)
    if sort is not None:
        summaries = sort_runs(summaries, sort, reverse=reverse)
    elif reverse:
        summaries.reverse()
    summaries = summaries[:limit]
    if by is not None:
        check_key(by, summaries, f"--by {by}")
    told = _told_apart(summaries, everything)
    if as_json:
        output.write_json(
            [{**run.to_dict(), "run": run.name, "study": run.study, "differs": told[run]} for run in summaries]
        )
        return
    if not summaries:
        output.write(_none(store, wanted))
        return
    # What runs are held to or ordered by; a text that they are chosen by is known.
    asked = [condition.key for condition in wanted if condition.sign in ("<", "<=", ">", ">=")]
    asked += [sort] if sort is not None else []
    for title, part in _parts(summaries, by):
        if title:
            output.heading(title)
        output.table(*_table(part, told, asked), keep=_KEEP)
    for summary in summaries:
        if summary.status == "damaged":
            output.write(f"\n{summary.info['reason']}")


def write_table(summaries: "Sequence[RunSummary]", everything: "Sequence[RunSummary]") -> None:
    """A line a run, out of all runs of their store."""
    output.table(*_table(summaries, _told_apart(summaries, everything), ()), keep=_KEEP)


def _none(store: "RunStore", wanted: "Sequence[Condition]") -> str:
    if wanted and len(store):
        fitting = " and ".join(condition.text for condition in wanted)
        there_are = f"there {'is' if len(store) == 1 else 'are'} {counted(len(store), 'run')}"
        return f"No run under {store.root} fits {fitting}; without conditions {there_are}."
    return f"There are no runs under {store.root}. Train one: cnnlab train data=fashion-mnist"


def _told_apart(
    summaries: "Sequence[RunSummary]", everything: "Sequence[RunSummary]"
) -> "dict[RunSummary, dict[str, str]]":
    """By run what differs in the whole of its study, or among those listed that belong to none."""
    from cnnlab.runs.differences import differences

    told: dict[RunSummary, dict[str, str]] = {}
    studies = {run.study for run in summaries}
    alone = [run for run in summaries if run.study is None]
    for study, part in _grouped(everything, lambda run: run.study):
        if study in studies:
            part = alone if study is None else part
            told |= dict(zip(part, differences(part), strict=True))
    return told


def _grouped(summaries: "Sequence[RunSummary]", key: Any) -> "list[tuple[Any, list[RunSummary]]]":
    groups: dict[Any, list[RunSummary]] = {}
    for summary in summaries:
        groups.setdefault(key(summary), []).append(summary)
    return list(groups.items())


def _parts(summaries: "Sequence[RunSummary]", by: str | None) -> "list[tuple[str, list[RunSummary]]]":
    """What goes into one table, with its heading."""
    from cnnlab.runs.filter_language import value_of
    from cnnlab.runs.keys import MISSING

    if by is None:
        return [("", list(summaries))]
    groups = _grouped(summaries, lambda run: None if (value := value_of(run, by)) is MISSING else value)
    return [
        (f"{f'no {by}' if value is None else f'{by} {value}'}: {counted(len(part), 'run')}", part)
        for value, part in groups
    ]


def _table(
    summaries: "Sequence[RunSummary]", told: "Mapping[RunSummary, Mapping[str, str]]", asked: Sequence[str]
) -> tuple[list[str], list[list[object]]]:
    # Read once: a table of thousands of runs is to be there at once.
    infos = [summary.info for summary in summaries]
    judged = [_metric(info) for info in infos]
    is_common = len(set(filter(None, judged))) == 1
    # Where all runs are judged by one metric its name stands in the heading, else beside each score.
    name = next(filter(None, judged)).replace("_", " ") if is_common else ""
    shown = {*_SHOWN, *(f"{split}_{metric}" for split in ("test", "validation") for metric in judged if is_common)}
    further = [key for key in dict.fromkeys(asked) if key not in shown]
    titles = ["run", "state", f"test {name}".strip(), "what differs", *further, f"validation {name}".strip()]
    titles += ["epochs", "started", "training time"]
    frequent = Counter(item for summary in summaries for item in told[summary].items())
    lines: list[list[object]] = []
    for summary, info, metric in zip(summaries, infos, judged, strict=True):
        label, scores = "" if is_common or metric is None else f"{metric} ", info.get("scores") or {}
        values = [output.score((scores.get(split) or {}).get(metric)) for split in ("test", "validation")]
        test, validation = (value and f"{label}{value}" for value in values)
        lines.append(
            [
                *(summary.name, _state(summary), test, _differs(told[summary], frequent)),
                *(_asked(summary, key) for key in further),
                *(validation, _epochs(info), _local(str(info.get("started") or ""))),
                short_duration(info.get("seconds")),
            ]
        )
    return titles, lines


def _state(summary: "RunSummary") -> str:
    return f"{summary.state}, quick trial" if summary.is_quick else summary.state


def _differs(told: Mapping[str, str], frequent: Mapping[tuple[str, str], int]) -> str:
    """As much of it as a line holds, what the fewest others have first where it does not hold all.

    :param frequent: how many of the runs have a value for a key.
    """
    parts = [f"{key}={value}" for key, value in told.items()]
    if len(", ".join(parts)) > _LONG:
        rarest = sorted(told.items(), key=lambda item: frequent.get(item, 0))
        parts = [in_short(f"{key}={value}", _LONG // 2) for key, value in rarest]
    while len(", ".join(parts)) > _LONG and len(parts) > 1:
        parts = [*parts[:-2], "…"] if parts[-1] == "…" else [*parts[:-1], "…"]
    text = ", ".join(parts)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _asked(summary: "RunSummary", key: str) -> str:
    from cnnlab.runs.filter_language import value_of
    from cnnlab.runs.keys import MISSING

    value = value_of(summary, key)
    if value is MISSING:
        return ""
    return output.score(value) if isinstance(value, float) and key.partition("_")[2] else str(value)


def _metric(info: Mapping[str, Any]) -> str | None:
    """The metric that a run is judged by: that of its selection, or accuracy, or the first that it has."""
    scores = info.get("scores") or {}
    scored = [name for name in scores.get("test") or scores.get("validation") or () if name != "n"]
    chosen = str((info.get("selected") or {}).get("metric") or "").partition("_")[2]
    return next((name for name in (chosen, "accuracy", *scored) if name in scored), None)


def _epochs(info: Mapping[str, Any]) -> str:
    if info.get("ensemble") or info.get("transfer"):
        return ""
    done, total = info.get("epochs_done") or 0, info.get("epochs")
    return f"{done}" if total in (None, done) else f"{done} of {total}"


def _local(moment: str) -> str:
    """A time in UTC as the clock on the wall showed it."""
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""
