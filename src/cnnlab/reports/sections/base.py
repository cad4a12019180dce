"""What a section of a report is, and how one gets into it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from cnnlab.reports.contents.mistakes import Gallery
from cnnlab.reports.contents.report_subject import ReportSubject
from cnnlab.reports.contents.tables import Table, listed

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class SectionFigure:
    """A figure with all that goes with it.

    :param alt: what it shows, for those who cannot see it.
    :param table: its numbers.
    """

    key: str
    title: str
    caption: str
    alt: str
    table: Table
    draw: "Callable[[], Figure]"


@dataclass(frozen=True)
class StoredPicture:
    """A figure that was drawn before, with its caption in it.

    :param alt: what it shows, for those who cannot see it.
    :param uri: the picture itself, as an address that holds it.
    """

    title: str
    alt: str
    uri: str


@dataclass(frozen=True)
class Section:
    """A part of a report.

    :param key: by which it is linked to.
    :param text: what a reader should know first.
    :param files: tables that are written to files alone.
    :param pictures: figures that were drawn before.
    """

    key: str
    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    figures: tuple[SectionFigure, ...] = ()
    gallery: Gallery | None = None
    files: tuple[Table, ...] = field(default=())
    pictures: tuple[StoredPicture, ...] = ()


SectionMaker: TypeAlias = Callable[[ReportSubject], Iterable[Section]]
_makers: dict[int, SectionMaker] = {}


def section(place: int) -> Callable[[SectionMaker], SectionMaker]:
    """A decorator: the function gives sections of a report, none where there is nothing to say.

    :param place: in the order of the report, lowest first; no two have the same.
    """

    def decorate(maker: SectionMaker) -> SectionMaker:
        if place in _makers and _makers[place].__module__ != maker.__module__:
            raise ValueError(f"place {place} of a report is taken by {_makers[place].__module__}")
        _makers[place] = maker
        return maker

    return decorate


def sections_of(subject: ReportSubject, files: Collection[str] | None = None) -> tuple[Section, ...]:
    """The sections of a report, in order.

    :param files: only those made in these files of this folder; others may take their time, or ask for the data.
    """
    makers = [
        maker for _, maker in sorted(_makers.items()) if files is None or maker.__module__.rpartition(".")[2] in files
    ]
    return tuple(part for maker in makers for part in maker(subject))


def told_apart(tables: Iterable[Table]) -> tuple[Table, ...]:
    """Each under a key of its own: two sources may have published the same metric."""
    distinct: list[Table] = []
    for table in tables:
        same = sum(earlier.key.startswith(table.key) for earlier in distinct)
        distinct.append(replace(table, key=f"{table.key} {same + 1}") if same else table)
    return tuple(distinct)


def what_was_scored(subject: ReportSubject, split: str, seeds: Sequence[int]) -> str:
    """In a sentence: which setting, on which pictures, and over which repeats. It is the best one."""
    if subject.best is None:
        return ""
    words = listed([str(seed) for seed in seeds])
    words = f"seeds {words} counted together" if len(seeds) > 1 else f"seed {words}"
    text = f"{subject.label(subject.best.key)} on the {split} pictures, {words}."
    if split == "test" and len(subject.result.settings) > 1:
        text += " It was chosen by these very numbers, so they flatter it a little."
    return text
