"""``cnnlab paper list``."""

from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli import output
from cnnlab.cli.options import DataDir, Json, Offline, Runs
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
            [cost.entry, cost.place, cost.title, *(_time(cost, scale) for scale in SCALES), ", ".join(cost.needs)]
            for cost in known[paper.id]
        ]
        output.table(["entry", "place", "what", *SCALES, "full needs"], rows, names=3, keep=3)
    output.write(
        "\nMore of one: cnnlab paper show NAME. A time with a + leaves out commands and transfers that were not run "
        "yet."
    )
    if any(time is None for found in known.values() for cost in found for time in cost.seconds.values()):
        output.write("What a ? stands for was neither run nor timed here: cnnlab paper list --probe times a few steps.")


def _time(cost: "Cost", scale: str) -> str:
    seconds = cost.seconds.get(scale)
    if seconds is None:
        return "?"
    return f"{short_duration(seconds) or '0 s'}{'+' if cost.is_partial.get(scale) else ''}"
