"""The report on a paper: one page with its tables and figures, the published numbers beside ours, and its claims."""

import base64
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from cnnlab.core.errors import UsageError
from cnnlab.core.files import make_folder, read_regular, write_text
from cnnlab.core.number_text import counted, plain_number
from cnnlab.core.sinks import for_markup
from cnnlab.core.version import __version__
from cnnlab.papers.carrying_out import carried_out, stored_result
from cnnlab.papers.entry import EntryAt
from cnnlab.papers.expectations import agreement
from cnnlab.papers.format import Scale
from cnnlab.papers.paper import Paper
from cnnlab.papers.result import ComparedNumber, EntryResult, verdicts, words
from cnnlab.papers.studies import StudyEntry, StudyPart
from cnnlab.papers.wording import mean_text, range_text, value_text
from cnnlab.reports.contents.curves import setting_curves
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import Table, TableColumn
from cnnlab.reports.figures.style import style
from cnnlab.reports.sections import SectionFigure, sections_of
from cnnlab.reports.sections.base import StoredPicture
from cnnlab.reports.writing.page import page_environment, page_file
from cnnlab.reports.writing.svg import inline, svg_of

PAGE = "report.html"
_DRAWN = ("settings", "learning_curves")
"""Of a report on a study, by file."""
_MOST_PICTURES = 3_000_000
"""Bytes that all pictures of a page may have, so that it stays under five megabytes with its figures."""
_DIGEST = re.compile(r"-[0-9a-f]{8,}(?=-|$)")
"""What tells files of one kind apart, and nothing to a reader."""
SPACES = re.compile(r"[ \t]+\n")


Subjects = Sequence[tuple[StudyPart, ReportSubject]]


@dataclass(frozen=True)
class _Item:
    """What the page says of an entry."""

    key: str
    place: str
    title: str
    about: str
    notes: tuple[str, ...]
    tables: tuple[Table, ...]
    figures: tuple[SectionFigure, ...]
    pictures: tuple[StoredPicture, ...]
    left_out: str
    command: str


def write_paper_report(paper: Paper, scale: Scale = "laptop", out: Path | None = None, *, public: bool = False) -> Path:
    """Writes the report on what was run of a paper at a scale, and returns the path of its page.

    :param out: a folder for ``report.html``, or the page itself; beside the results under the folder of runs otherwise.
    :param public: leaves out the pictures that entries keep private.
    :raises UsageError: where nothing was run yet at this scale.
    """
    found = [entry.at(scale, paper.place) for entry in paper.entries.values()]
    done = [(at, result) for at in found if (result := stored_result(at)) is not None]
    if not done:
        raise UsageError(
            f"nothing of the paper {paper.id} was run yet at the scale {scale}: "
            f"cnnlab paper run {paper.id} scale={scale}."
        )
    place = Path(out) if out is not None else paper.place.runs / "papers" / f"{paper.id}-{scale}"
    page = place if place.suffix.lower() in (".html", ".htm") else make_folder(place) / PAGE
    write_text(page, _page(paper, scale, done, len(found), public))
    return page


def _page(paper: Paper, scale: Scale, done: Sequence[tuple[EntryAt, EntryResult]], count: int, public: bool) -> str:
    from markupsafe import Markup

    room = _MOST_PICTURES
    items = []
    for at, result in done:
        item = _item(at, result, room, public)
        room -= sum(len(picture.uri) for picture in item.pictures)
        items.append(item)
    drawn: dict[str, Any] = {}
    for item in items:
        for figure in item.figures:
            with style():
                drawn[figure.key] = Markup(inline(svg_of(figure.draw()), f"f{len(drawn)}"))
    results = [result for _, result in done]
    environment = page_environment()
    text = environment.get_template("paper.html").render(
        paper=paper,
        scale=scale,
        answer=answer(results),
        status=_status(results, count),
        items=items,
        summary=_summary(results),
        figures=drawn,
        style=page_file("report.css"),
        script=page_file("report.js"),
        swatch_of=lambda key: ("", ""),
        folder=".",
        version=__version__,
    )
    return for_markup(SPACES.sub("\n", text))


def answer(results: Sequence[EntryResult]) -> str:
    """What became of claims and numbers, counted."""
    claims, numbers = verdicts(results), words(results)
    judged = {word: claims[word] for word in ("supported", "contradicted", "undecided")}
    texts = []
    if any(judged.values()):
        told = ", ".join(f"{count} {word}" for word, count in judged.items())
        left = f"; {claims['not judged']} are not judged at this scale or at all" if claims["not judged"] else ""
        texts.append(f"Of {counted(sum(claims.values()), 'claim')}, {told}{left}.")
    if numbers:
        told = ", ".join(f"{count} {word}" for word, count in numbers.most_common())
        texts.append(f"Of {counted(sum(numbers.values()), 'published number')}, {told}.")
    return " ".join(texts)


def _status(results: Sequence[EntryResult], count: int) -> list[str]:
    from cnnlab.core.durations import short_duration

    whole = sum(result.is_whole for result in results)
    trainings = {run: seconds for result in results for run, seconds in result.trainings.items()}
    commands = sum(result.seconds - sum(result.trainings.values()) for result in results)
    seconds = sum(trainings.values()) + max(0.0, commands)
    processors = dict.fromkeys(str(r.machine["processor"]) for r in results if r.machine.get("processor"))
    return [
        f"{whole} of {count} {'entry' if count == 1 else 'entries'} run",
        f"{short_duration(seconds) or '0 s'} of trainings and commands added up, of which two may have run at a time",
        *processors,
    ]


def _summary(results: Sequence[EntryResult]) -> Table:
    """A row an entry: how many of its claims and numbers came to what."""
    columns = ("place", "what", "supported", "contradicted", "undecided", "not judged", "numbers")
    rows = []
    for result in results:
        claims = verdicts([result])
        numbers = ", ".join(f"{count} {word}" for word, count in words([result]).most_common())
        counts = (claims[word] or None for word in ("supported", "contradicted", "undecided", "not judged"))
        rows.append((result.place, result.title, *counts, numbers or None))
    kinds = {"supported": "count", "contradicted": "count", "undecided": "count", "not judged": "count"}
    made = tuple(TableColumn(name.replace(" ", "_"), name, kinds.get(name, "text")) for name in columns)  # type: ignore[arg-type]
    return Table("summary", "Claims and numbers, entry by entry", made, tuple(rows)).without_empty()


def _item(at: EntryAt, result: EntryResult, room: int, public: bool) -> _Item:
    file = at.entry.file
    private = set(result.private) if public else set()
    pictures, left_out = _pictures(at, [name for name in result.pictures if name not in private], room)
    subjects = tuple(_subjects(at))
    notes = [f"Differs from the paper: {text}" for text in result.deviations]
    notes += [f"Not there yet: {text}" for text in result.missing]
    return _Item(
        at.entry.name,
        file.place,
        file.title,
        " ".join(file.about.split()),
        tuple(notes),
        tuple(table for table in (*_tables(at, result), *_of_studies(subjects, at.scale)) if table.rows),
        tuple(_figures(subjects)),
        pictures,
        _left_out(left_out, len(private)),
        shlex.join(["cnnlab", "paper", "run", at.entry.full_name, f"scale={at.scale}"]),
    )


def _tables(at: EntryAt, result: EntryResult) -> Iterator[Table]:
    key, scale = at.entry.name, f"at the scale {at.scale}"
    yield _numbers_table(f"{key} numbers", f"Published beside measured {scale}", result.numbers)
    claims = tuple(
        (_of(claim.says, claim.part), claim.verdict, claim.why, " and ".join(claim.rules) or None)
        for claim in result.claims
    )
    heads = (("claim", "the paper says"), ("verdict", "here"), ("why", "why"), ("rule", "judged as"))
    yield Table(f"{key} claims", f"Claims {scale}", tuple(TableColumn(*head) for head in heads), claims).without_empty()
    beside = {number.label for number in result.numbers}
    known = [m for m in result.measured if m.mean is not None and not m.setting and m.label not in beside]
    rows = tuple(
        (m.label, mean_text(m.mean, m.unit), range_text(m.low, m.high, m.unit), f"{len(m.values)}") for m in known
    )
    heads = (("what", "what"), ("mean", "measured"), ("interval", "95% interval"), ("repeats", "repeats"))
    yield Table(
        f"{key} measured", f"Measured {scale}", tuple(TableColumn(*head) for head in heads), rows
    ).without_empty()
    yield from _recomputed(at)
    yield from _expected(at, result)


def _numbers_table(key: str, title: str, numbers: Sequence[ComparedNumber]) -> Table:
    rows = tuple(
        (
            _of(number.label, number.part),
            None if number.metric in ("number", "share") else number.metric,
            value_text(number.published, number.metric),
            mean_text(number.measured, number.metric),
            range_text(number.low, number.high, number.metric, sign=True),
            number.word,
            number.reason,
        )
        for number in numbers
    )
    heads = (
        ("what", "what"),
        ("metric", "metric"),
        ("published", "published"),
        ("measured", "measured"),
        ("interval", "difference, 95% interval"),
        ("word", "verdict"),
        ("reason", "why"),
    )
    return Table(key, title, tuple(TableColumn(*head) for head in heads), rows).without_empty()


def _recomputed(at: EntryAt) -> Iterator[Table]:
    """What the paper says beside what its own numbers come to."""
    rows = tuple(
        (
            one.what,
            None if one.reported is None else plain_number(one.reported),
            plain_number(one.value),
            one.how,
            one.note or None,
        )
        for one in at.entry.file.recomputed
    )
    heads = (
        ("what", "what"),
        ("reported", "the paper says"),
        ("value", "its numbers give"),
        ("how", "as the"),
        ("note", "note"),
    )
    columns = tuple(TableColumn(*head) for head in heads)
    yield Table(f"{at.entry.name} recomputed", "What the paper's own numbers come to", columns, rows).without_empty()


def _expected(at: EntryAt, result: EntryResult) -> Iterator[Table]:
    """What somebody expected beside what came out."""
    asked = (result.expected or {}).get("expectations") or []
    if not asked:
        return
    by_part = {found.part: found for found in carried_out(at).comparisons()}
    rows = []
    for one in asked:
        found = by_part.get(one["part"])
        if found is None:
            continue
        means = {label: mean for label, mean in found.means.items() if mean is not None}
        right, pairs = agreement(one["order"], means, found.is_higher_better)
        came = sorted(means, key=lambda label: means[label], reverse=found.is_higher_better)
        apart = max(means.values()) - min(means.values()) if means else None
        late = " (noted after there were results)" if one.get("seen") else ""
        rows.append(
            (
                _of(f"{' > '.join(one['order'])}{late}", one["part"]),
                " > ".join(came),
                f"{right} of {pairs}",
                value_text(one["spread"], found.unit),
                value_text(apart, found.unit),
            )
        )
    heads = (
        ("expected", "expected order"),
        ("came", "order that came"),
        ("pairs", "pairs in that order"),
        ("spread", "first before last, expected"),
        ("apart", "measured"),
    )
    yield Table(
        f"{at.entry.name} expected", "What was expected", tuple(TableColumn(*head) for head in heads), tuple(rows)
    )


def _subjects(at: EntryAt) -> Iterator[tuple[StudyPart, ReportSubject]]:
    """Of each study that trained something, what a report on it is made of."""
    entry = carried_out(at)
    for part, result, runs in entry.results() if isinstance(entry, StudyEntry) else ():
        if any(setting.finished for setting in result.settings):
            yield part, ReportSubject(result, runs, data_dir=at.place.data_dir)


def _figures(subjects: Subjects) -> Iterator[SectionFigure]:
    """Of each study the settings, and the learning curves where trainings have more than the one epoch of a point."""
    for part, subject in subjects:
        drawn = _DRAWN if any(curve.epochs > 1 for curve in setting_curves(subject)) else _DRAWN[:1]
        for figure in (figure for section in sections_of(subject, drawn) for figure in section.figures):
            yield replace(figure, key=f"{part.name} {figure.key}", title=_of(figure.title, part.label))


def _of_studies(subjects: Subjects, scale: Scale) -> Iterator[Table]:
    """Of each study what came of its settings, and what was seen of trainings that learned nothing."""
    for part, subject in subjects:
        for section in sections_of(subject, ("settings", "diagnosis")):
            for table in section.tables:
                title = section.title if table.key != "settings" else f"Measured at the scale {scale}"
                yield replace(table, key=f"{part.name} {table.key}", title=_of(title, part.label))


def _pictures(at: EntryAt, names: Sequence[str], room: int) -> tuple[tuple[StoredPicture, ...], int]:
    """What commands drew, as long as there is room, and how many are left out."""
    made, left_out = [], 0
    for name in names:
        path = at.folder / name
        try:
            content = read_regular(path, _MOST_PICTURES)
        except OSError:
            continue
        uri = _svg_uri(content) if path.suffix == ".svg" else _lossless_uri(content)
        if len(uri) > room:
            left_out += 1
            continue
        room -= len(uri)
        title = _DIGEST.sub("", path.stem).replace("-", " ")
        made.append(StoredPicture(title, f"{title} of {at.entry.full_name}", uri))
    return tuple(made), left_out


def _svg_uri(content: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(content).decode()}"


def _lossless_uri(content: bytes) -> str:
    """The same pixels as WebP, which takes half of the bytes of a PNG or less; as they are where it takes more."""
    from PIL import Image

    kind, packed = "png", BytesIO()
    with Image.open(BytesIO(content)) as picture:
        picture.save(packed, "webp", lossless=True, exact=True)
    if len(packed.getvalue()) < len(content):
        kind, content = "webp", packed.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _left_out(count: int, private: int) -> str:
    """What is said of pictures that are not on the page."""
    texts = []
    if count:
        texts.append(f"{counted(count, 'more picture')} {'lies' if count == 1 else 'lie'} in the folder of results.")
    if private:
        are = "is" if private == 1 else "are"
        texts.append(f"{counted(private, 'picture')} {are} not shown here, as the data has no licence for that.")
    return " ".join(texts)


def _of(text: str, part: str) -> str:
    return f"{text} ({part})" if part else text
