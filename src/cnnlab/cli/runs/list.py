"""``cnnlab runs list``."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.options import Json, Runs
from cnnlab.core.durations import short_duration

if TYPE_CHECKING:
    from cnnlab.runs import RunSummary

_TITLES = ("run", "state", "test", "validation", "epochs", "started", "time")
_KEEP = 3
Limit = Annotated[
    int | None, typer.Option("--limit", "-n", metavar="N", min=1, help="Only the N started last.", show_default=False)
]


def list_runs(runs: Runs = None, limit: Limit = None, as_json: Json = False) -> None:
    """List the runs, the one started last first."""
    from cnnlab.runs import RunStore

    store = RunStore(runs or "runs")
    summaries = store.list()[:limit]
    if as_json:
        output.write_json([{"run": summary.folder.name, **summary.to_dict()} for summary in summaries])
    elif not summaries:
        output.write(f"There are no runs under {store.root}. Train one: cnnlab train data=fashion-mnist")
    else:
        output.table(*_table(summaries), keep=_KEEP)
        for summary in summaries:
            if summary.status == "damaged":
                output.write(f"\n{summary.info['reason']}")


def _table(summaries: "Sequence[RunSummary]") -> tuple[list[str], list[list[object]]]:
    judged = [_metric(summary) for summary in summaries]
    is_common = len(set(filter(None, judged))) == 1
    # Where all runs are judged by one metric its name stands in the heading, else beside each score.
    name = next(filter(None, judged)).replace("_", " ") if is_common else ""
    titles = [f"{title} {name}".strip() if title in ("validation", "test") else title for title in _TITLES]
    lines: list[list[object]] = []
    for summary, metric in zip(summaries, judged, strict=True):
        label = "" if is_common or metric is None else f"{metric} "
        values = [output.score(summary.scores(split).get(metric or "")) for split in ("test", "validation")]
        lines.append(
            [
                summary.folder.name,
                summary.state,
                *(value and f"{label}{value}" for value in values),
                _epochs(summary),
                _local(summary.started),
                short_duration(summary.seconds),
            ]
        )
    return titles, lines


def _metric(summary: "RunSummary") -> str | None:
    """The metric that a run is judged by: that of its selection, or accuracy, or the first that it has."""
    scored = summary.test or summary.validation
    chosen = str((summary.info.get("selected") or {}).get("metric") or "").partition("_")[2]
    wanted = [chosen, "accuracy", *scored]
    return next((name for name in wanted if name in scored), None)


def _epochs(summary: "RunSummary") -> str:
    if summary.is_ensemble:
        return ""
    total = summary.epochs
    return f"{summary.epochs_done}" if total in (None, summary.epochs_done) else f"{summary.epochs_done} of {total}"


def _local(moment: str) -> str:
    """A time in UTC as the clock on the wall showed it."""
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return ""
