"""``cnnlab paper show``."""

from typing import TYPE_CHECKING

from cnnlab.cli import output
from cnnlab.cli.options import Json, Runs
from cnnlab.cli.paper.options import PaperName, open_paper
from cnnlab.core.number_text import plain_number

if TYPE_CHECKING:
    from cnnlab.papers import Paper
    from cnnlab.papers.entry import Entry


def show(paper: PaperName, runs: Runs = None, as_json: Json = False) -> None:
    """Show what a paper, or one of its entries, did and found, what it left unclear, and what is judged of it."""
    opened, names = open_paper(paper, runs, None, True)
    entries = [opened.entry(name) for name in names]
    is_whole = len(entries) == len(opened.entries)
    if as_json:
        found = [{"entry": entry.name, **entry.file.model_dump(mode="json")} for entry in entries]
        output.write_json({**opened.file.model_dump(mode="json"), "paper": opened.id, "entries": found})
        return
    if is_whole:
        _write_paper(opened)
    for entry in entries:
        _write_entry(entry)


def _write_paper(paper: "Paper") -> None:
    file = paper.file
    output.facts(
        [
            ("paper", f"{paper.id}: {file.title}"),
            ("by", f"{file.authors}{', ' if file.year else ''}{file.year or ''}"),
            ("source", file.source),
            ("licence", file.licence),
            ("data", file.data),
        ]
    )
    output.write(f"\n{' '.join(file.about.split())}")
    for title, texts in (("left unclear", file.unclear), ("references", file.references)):
        if texts:
            output.heading(title)
        for text in texts:
            output.write(f"- {text}")


def _write_entry(entry: "Entry") -> None:
    file = entry.file
    output.heading(f"{entry.full_name}: {file.place}, {file.title}")
    output.write(" ".join(file.about.split()))
    for scale, texts in file.deviations.items():
        for text in texts:
            output.write(f"- differs ({scale}): {text}")
    for one in file.recomputed:
        note = f"; {one.note}" if one.note else ""
        said = "" if one.reported is None else f"{plain_number(one.reported)} there, "
        output.write(f"- {one.what}: {said}{plain_number(one.value)} as the {one.how}{note}")
    for claim in file.claims:
        how = "contradicted by: " if claim.contradicted_by else ""
        rules = f"{how}{' and '.join(claim.rules)}" if claim.rules else f"not judged: {claim.not_judged}"
        output.write(f"- claim: {claim.says}\n  {rules}")
        for scale, reason in claim.not_judged_at.items():
            output.write(f"  not judged at {scale}: {reason}")
