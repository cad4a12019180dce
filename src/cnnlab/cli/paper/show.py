"""``cnnlab paper show``."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnnlab.cli import output
from cnnlab.cli.options import Json, Runs
from cnnlab.cli.paper.options import SCALE, PaperName, command, open_paper
from cnnlab.core.number_text import plain_number

if TYPE_CHECKING:
    from cnnlab.papers import Paper
    from cnnlab.papers.entry import Entry
    from cnnlab.papers.format import EntryFile, PaperClaim, Recomputed

_COLUMNS = {"label": "what", "value": "value", "std": "SD", "n": "repeats", "note": "note"}
"""Keys of a published row that say nothing of which setting it is of, in the order of columns, with their titles."""

_WORKED_OUT = "worked out from its own numbers"


def show(paper: PaperName, runs: Runs = None, as_json: Json = False) -> None:
    """Show what a paper, or one of its entries, did and found.

    Of a paper, that is also what it left unclear, and what each of its entries claims; of an entry how ours differs,
    the rules by which its claims are judged, and the published numbers.

    cnnlab paper show 001

    cnnlab paper show 001/optimizers
    """
    from cnnlab.papers.paper import read_name

    opened, names = open_paper(paper, runs, None, True)
    entries = [opened.entry(name) for name in names]
    if as_json:
        found = [{"entry": entry.name, **entry.file.model_dump(mode="json")} for entry in entries]
        output.write_json({**opened.file.model_dump(mode="json"), "paper": opened.id, "entries": found})
    elif read_name(paper)[1] is None:
        _write_paper(opened)
        for entry in entries:
            _write_in_short(entry)
        first = f"{paper.rstrip('/')}/{names[0]}"
        output.advise("next", [command("show", first, SCALE, runs, None, {})])
    else:
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
    output.write(f"\n{_paragraph(file.about)}")
    _write_list("left unclear", file.unclear)
    _write_list("references", file.references)


def _write_in_short(entry: "Entry") -> None:
    """What an entry is about and claims, as one of many."""
    file = entry.file
    output.heading(f"{entry.full_name}: {file.place}, {file.title}")
    output.write(_paragraph(file.about))
    _write_list("claims", [claim.says for claim in file.claims], indent=2)
    _write_list(_WORKED_OUT, [_recomputed(one) for one in file.recomputed], indent=2)


def _write_entry(entry: "Entry") -> None:
    """All that there is to know of an entry before it is run."""
    file = entry.file
    output.heading(f"{entry.full_name}: {file.place}, {file.title}")
    output.write(_paragraph(file.about))
    _write_list("how ours differs", _by_scale(file.deviations))
    _write_claims("claims, and the rules by which each is judged", file.claims)
    for scale in ("laptop", "full"):
        if "claims" in (file.scales[scale] or {}):
            _write_claims(f"claims at the scale {scale}, in the place of these", file.claims_at(scale))
    _write_published(file)
    _write_list("not comparable", _by_scale(file.not_comparable))
    _write_list(_WORKED_OUT, [_recomputed(one) for one in file.recomputed])


def _write_claims(title: str, claims: "Sequence[PaperClaim]") -> None:
    """Each claim with its rules, of which all must hold."""
    if claims:
        output.heading(title)
    for claim in claims:
        output.write(f"- {claim.says}")
        for rule in claim.rules:
            output.write(f"  {'contradicted by: ' if claim.contradicted_by else ''}{rule}")
        if claim.not_judged:
            output.write(f"  not judged: {claim.not_judged}")
        for scale, told in claim.not_judged_at.items():
            reasons = {"judged": told} if isinstance(told, str) else told
            for word, reason in reasons.items():
                output.write(f"  not {word} at {scale}: {reason}")


def _write_published(file: "EntryFile") -> None:
    """Tables of studies and transfers each with its metric; numbers of commands in one."""
    tables = [table for table in file.published if isinstance(table.get("rows"), list)]
    for table in tables:
        on = " on ".join(str(table[key]) for key in ("metric", "data") if table.get(key))
        output.heading(f"published: {on}" if on else "published")
        _write_rows(table["rows"])
        if reason := table.get("not_comparable"):
            output.write(f"not comparable: {reason}")
    rows = [row for row in file.published if not isinstance(row.get("rows"), list)]
    if rows:
        output.heading("published")
        _write_rows([{"number": row.get("number"), "label": _label(file, row), **row} for row in rows])


def _label(file: "EntryFile", row: Mapping[str, Any]) -> str | None:
    """What a number of commands is called, where its entry says it."""
    number = (file.content.get("numbers") or {}).get(row.get("number"))
    return number.get("label") if isinstance(number, Mapping) else None


def _write_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Published rows, a column for each key that any of them has: what it is of, then the value as it was published."""
    keys = dict.fromkeys(key for row in rows for key, value in row.items() if value is not None)
    axes = [key for key in keys if key not in (*_COLUMNS, "tolerance")]
    shown = [*axes, *(key for key in _COLUMNS if key in keys)]
    titles = [_COLUMNS.get(key, key) for key in shown]
    output.table(titles, [[_cell(row.get(key)) for key in shown] for row in rows], names=len(axes))


def _cell(value: object) -> object:
    """Numbers as they were published, which has no more digits than that."""
    return plain_number(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _recomputed(one: "Recomputed") -> str:
    said = "" if one.reported is None else f"{plain_number(one.reported)} there, "
    return f"{one.what}: {said}{plain_number(one.value)} as the {one.how}{f'; {one.note}' if one.note else ''}"


def _by_scale(said: Mapping[Any, Sequence[str]]) -> list[str]:
    return [text if scale == "all" else f"{scale}: {text}" for scale, texts in said.items() for text in texts]


def _paragraph(text: str) -> str:
    return " ".join(text.split())


def _write_list(title: str, texts: Sequence[str], indent: int = 0) -> None:
    """A title with texts under it; nothing where there are none."""
    if texts and indent:
        output.write(f"{' ' * indent}{title}")
    elif texts:
        output.heading(title)
    for text in texts:
        output.write(f"{' ' * indent}- {text}")
