"""What the entries of a paper take, timed on this machine or known from having been run."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cnnlab.core.digests import digest
from cnnlab.core.errors import CnnlabError
from cnnlab.core.files import cache_folder, make_folder, write_text
from cnnlab.core.messages import note, track
from cnnlab.core.version import __version__
from cnnlab.papers.carrying_out import carried_out
from cnnlab.papers.entry import Entry, EntryAt
from cnnlab.papers.format import SCALES
from cnnlab.papers.needed_data import needed_data
from cnnlab.papers.paper import Paper
from cnnlab.papers.result import stored

_FOLDER = "paper-costs"


@dataclass(frozen=True)
class Cost:
    """An entry, and what it takes at each scale.

    :param seconds: by scale; None where it was neither run nor timed.
    :param is_partial: whether commands or transfers are left out whose time is not known.
    :param needs: weights that the scale full asks for.
    :param data: by scale the data sets that it takes, and whether each is on this machine.
    """

    entry: str
    place: str
    title: str
    seconds: Mapping[str, float | None]
    is_partial: Mapping[str, bool]
    needs: tuple[str, ...] = ()
    data: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def costs(paper: Paper, probe: bool) -> list[Cost]:
    """The entries of a paper with what they take.

    :param probe: time a few steps of those of which nothing is known, with the data and weights at hand.
    """
    entries, hindered = list(paper.entries.values()), dict[str, list[str]]()
    found = [_cost(paper, entry, probe, hindered) for entry in track(entries, f"timing {paper.id}", len(entries))]
    for reason, names in hindered.items():
        note(f"{', '.join(names)} cannot be timed: {reason}")
    return found


def _cost(paper: Paper, entry: Entry, probe: bool, hindered: dict[str, list[str]]) -> Cost:
    # Nothing is downloaded to tell what it would take.
    place = replace(paper.place, offline=True)
    found = {scale: _seconds(entry.at(scale, place), probe, hindered) for scale in SCALES}
    return Cost(
        entry.name,
        entry.file.place,
        entry.file.title,
        {scale: seconds for scale, (seconds, _) in found.items()},
        {scale: is_partial for scale, (_, is_partial) in found.items()},
        entry.file.needs,
        {scale: needed_data(entry.at(scale, place)) for scale in SCALES},
    )


def _seconds(at: EntryAt, probe: bool, hindered: dict[str, list[str]]) -> tuple[float | None, bool]:
    """Of an entry at a scale: as it was run, or timed; and whether commands are left out.

    :param hindered: what cannot be timed, by the reason; it is added to.
    """
    result = stored(at.folder)
    if result is not None and result.is_whole:
        return result.seconds, False
    path = _path(at)
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return float(known["seconds"]), bool(known["is_partial"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    if not probe:
        return None, False
    try:
        plans = carried_out(at).plans(probe=True)
    except CnnlabError as error:
        hindered.setdefault(str(_first(error)), []).append(f"{at.entry.full_name} at the scale {at.scale}")
        return None, False
    seconds = sum(plan.estimate.seconds for plan in plans if plan.estimate is not None)
    # Commands and transfers take time of their own, which a few steps of training tell nothing of.
    is_partial = at.entry.file.kind != "study"
    make_folder(path.parent)
    write_text(path, json.dumps({"seconds": seconds, "is_partial": is_partial}) + "\n")
    return seconds, is_partial


def _first(error: BaseException) -> BaseException:
    """What was wrong to begin with, which settings and entries have in common."""
    return error if not isinstance(error.__cause__, CnnlabError) else _first(error.__cause__)


def _path(at: EntryAt) -> Path:
    """Where the time of an entry is kept: by its content and this version, on this machine."""
    from cnnlab.runs.environment import processor

    what = {
        "entry": at.entry.path.read_text(encoding="utf-8"),
        "bases": [base.read_text(encoding="utf-8") for base in sorted(at.entry.path.parent.glob("_*.yaml"))],
        "scale": at.scale,
        "version": __version__,
        "processor": processor(),
    }
    return cache_folder() / _FOLDER / f"{digest(what)[:32]}.json"
