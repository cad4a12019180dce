"""``cnnlab data check``."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli import output
from cnnlab.cli.options import DataDir, Json, Offline, Quiet
from cnnlab.core.sinks import in_short

if TYPE_CHECKING:
    from cnnlab.data import CheckReport

REFUSED = 2
_MOST_CLASSES = 20
What = Annotated[
    str, typer.Argument(metavar="DATA", help="A path, a name or a spec, as after data=.", show_default=False)
]


def check(
    data: What, data_dir: DataDir = None, offline: Offline = False, quiet: Quiet = False, as_json: Json = False
) -> None:
    """Look through data as a training would: unreadable files, missing classes, duplicates, imbalance, sizes.

    Leaves with exit code 2 where a training would refuse the data.

        cnnlab data check photos/
    """
    from cnnlab.core.messages import quietly

    with quietly(quiet):
        from cnnlab.data import check_data

        report = check_data(data, data_dir=data_dir, offline=offline)
    if as_json:
        output.write_json(report.to_dict())
    else:
        _write(report)
    if not report.is_usable:
        raise typer.Exit(REFUSED)


def _write(report: "CheckReport") -> None:
    numbers = report.statistics
    output.facts([("data", report.name), *_facts(numbers)])
    for column, names in (numbers.get("classes") or {}).items():
        output.heading(f"pictures by {column}")
        counts = [part[column] for part in numbers["counts"].values() if column in part]
        splits = [split for split, part in numbers["counts"].items() if column in part]
        shown = names[:_MOST_CLASSES]
        output.table(
            ["class", *splits], [[in_short(name), *(f"{count[name]:,}" for count in counts)] for name in shown]
        )
        if len(shown) < len(names):
            output.write(f"… and {len(names) - len(shown):,} more classes")
    output.heading("found")
    for finding in report.findings:
        output.write(f"{finding.level}: {finding.text}")
    if not report.findings:
        output.write("nothing to remark on")
    output.write(
        "\nA training would refuse this data." if not report.is_usable else "\nA training would take this data."
    )


def _facts(numbers: "Mapping[str, Any]") -> list[tuple[str, str]]:
    if not numbers:
        return []
    survey = numbers.get("files") or {}
    return [
        ("pictures", ", ".join(f"{split} {count:,}" for split, count in numbers["images"].items())),
        ("shape", "×".join(map(str, numbers["shape"]))),
        ("modes", ", ".join(f"{mode} {count:,}" for mode, count in survey.get("modes", {}).items())),
        ("width", _span(survey.get("width"))),
        ("height", _span(survey.get("height"))),
        ("white", ", ".join(f"{value:,.10g} of {kind}" for kind, value in numbers["white"].items())),
        ("mean", ", ".join(f"{value:.4f}" for value in numbers["mean"])),
        ("SD", ", ".join(f"{value:.4f}" for value in numbers["std"])),
    ]


def _span(values: Sequence[int] | None) -> str:
    """Least, median and largest."""
    if not values or values[0] == values[-1]:
        return f"{values[0]}" if values else ""
    return f"{values[0]} to {values[-1]}, median {values[len(values) // 2]}"
