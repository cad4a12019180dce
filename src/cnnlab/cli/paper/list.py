"""``cnnlab paper list``."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.options import DataDir, Json, Offline, Runs
from cnnlab.cli.paper.options import SCALE
from cnnlab.core.durations import short_duration

if TYPE_CHECKING:
    from cnnlab.papers.costs import Cost

Probe = Annotated[bool, typer.Option("--probe", help="Time a few steps of what is not timed yet on this machine.")]
PaperNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PAPER...]", help="Papers, or folders; those that come with cnnlab otherwise.", show_default=False
    ),
]


def list_papers(
    papers: PaperNames = None,
    probe: Probe = False,
    runs: Runs = None,
    data_dir: DataDir = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """List papers with their entries, the data they need, and what each takes at every scale.

    How long an entry takes is known once a few of its steps were timed here, by --probe, or once it was run.
    """
    from cnnlab.papers import Paper
    from cnnlab.papers.costs import costs
    from cnnlab.papers.format import SCALES
    from cnnlab.papers.paper import packaged_papers

    opened = [Paper(name, runs=runs, data_dir=data_dir, offline=offline) for name in papers or packaged_papers()]
    known = {paper.id: costs(paper, probe) for paper in opened}
    if as_json:
        output.write_json(
            [
                {
                    "paper": paper.id,
                    **paper.file.model_dump(mode="json", include={"title", "authors", "year", "data"}),
                    "entries": [cost.to_dict() for cost in known[paper.id]],
                }
                for paper in opened
            ]
        )
        return
    for paper in opened:
        output.heading(f"{paper.id}: {paper.file.title}, by {paper.file.authors}; {paper.file.data}")
        rows = [
            [cost.entry, *(_time(cost, scale) for scale in SCALES), _needs(cost), cost.place, cost.title]
            for cost in known[paper.id]
        ]
        # On a narrow terminal what show tells too goes before a time or the data.
        output.table(["entry", *SCALES, "needs", "place", "what"], rows, keep=len(SCALES) + 2)
    output.write(
        "\nMore of one: cnnlab paper show NAME. A time with a + leaves out commands and transfers that were not run "
        "yet."
    )
    found = [cost for several in known.values() for cost in several]
    if any(time is None for cost in found for time in cost.seconds.values()):
        output.write("What a ? stands for was neither run nor timed here: cnnlab paper list --probe times a few steps.")
    _write_missing(found)


def _time(cost: "Cost", scale: str) -> str:
    seconds = cost.seconds.get(scale)
    if seconds is None:
        return "?"
    return f"{short_duration(seconds) or '0 s'}{'+' if cost.is_partial.get(scale) else ''}"


def _needs(cost: "Cost") -> str:
    """The data at the usual scale; of full what it takes besides, or in the place of that."""
    usual, full = (_marked(cost.data.get(scale, {})) for scale in (SCALE, "full"))
    only_full = [*(full if full != usual else ()), *([f"weights of {' and '.join(cost.needs)}"] if cost.needs else ())]
    return "; ".join(filter(None, [", ".join(usual), f"full: {', '.join(only_full)}" if only_full else ""]))


def _marked(data: Mapping[str, bool]) -> list[str]:
    return [name if is_here else f"{name}*" for name, is_here in data.items()]


def _write_missing(found: "Sequence[Cost]") -> None:
    """What is not here of what the table shows, and whether it comes by itself."""
    from cnnlab.data import named_sets

    shown = [cost.data.get(scale, {}) for cost in found for scale in (SCALE, "full")]
    missing = sorted({name for data in shown for name, is_here in data.items() if not is_here})
    known = {entry.name for entry in named_sets() if entry.is_downloadable}
    ways = {
        "downloaded once it is needed": [name for name in missing if name in known],
        "to be brought (cnnlab data list)": [name for name in missing if name not in known],
    }
    told = [f"{', '.join(names)}, {way}" for way, names in ways.items() if names]
    if told:
        output.write(f"Data with a * is not on this machine: {'; '.join(told)}.")
