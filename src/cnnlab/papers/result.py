"""What came out of an entry: the paper's claims with their verdicts, its numbers beside the measured ones.

It is stored as ``verdict.json``, for whoever reads it by a script.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from cnnlab.core.displays import html_facts, html_table
from cnnlab.core.errors import CnnlabError
from cnnlab.core.files import make_folder, write_text
from cnnlab.papers.format import Scale
from cnnlab.runs.record import json_value
from cnnlab.studies.result import Word

VERDICT = "verdict.json"
FORMAT = 1
Judgement = Literal["supported", "contradicted", "undecided", "not judged"]


@dataclass(frozen=True)
class JudgedClaim:
    """What the paper asserts, and what became of it.

    :param rules: by which it was judged; empty where no number could decide it.
    :param why: the reasons, with their numbers.
    :param part: of an entry of several studies, which one.
    """

    says: str
    verdict: Judgement
    why: str
    rules: tuple[str, ...] = ()
    part: str = ""


@dataclass(frozen=True)
class ComparedNumber:
    """A number of the paper beside ours.

    :param low: lower end of the 95% interval of the measured number minus the published one.
    :param word: what that says; ``not measured`` also where the paper gives no number that ours could stand beside.
    """

    label: str
    metric: str
    published: float | None
    measured: float | None
    difference: float | None
    low: float | None
    high: float | None
    word: Word
    reason: str | None = None
    part: str = ""


@dataclass(frozen=True)
class Measured:
    """A number of ours, over the repeats.

    :param name: of the number, or of the metric of a study.
    :param values: by repeat.
    :param low: lower end of the 95% interval of the mean, where it has one.
    :param setting: of a study, which one it is of; ``part``, of which study, where an entry is several.
    """

    name: str
    label: str
    unit: str
    values: tuple[float, ...]
    mean: float | None
    low: float | None
    high: float | None
    setting: str = ""
    part: str = ""


@dataclass(frozen=True)
class EntryResult:
    """All that came out of an entry at one scale.

    :param studies: the studies that it is, by the folder of each under ``runs/studies``.
    :param pictures: that its commands drew, relative to ``folder``.
    :param private: those that are not to be shown to others.
    :param missing: what is not there yet, in sentences.
    :param seconds: that the trainings and commands took.
    :param trainings: seconds of each training among them, by the name of its run, which entries may share.
    :param expected: what somebody expected before it was run.
    :param judged_by: digest of the entry as it was then.
    """

    paper: str
    entry: str
    scale: Scale
    place: str
    title: str
    claims: tuple[JudgedClaim, ...] = ()
    numbers: tuple[ComparedNumber, ...] = ()
    measured: tuple[Measured, ...] = ()
    deviations: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    seconds: float = 0.0
    trainings: Mapping[str, float] = field(default_factory=dict)
    folder: str = ""
    expected: Mapping[str, Any] | None = None
    machine: Mapping[str, Any] = field(default_factory=dict)
    judged_by: str = ""
    format: int = FORMAT

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    def _repr_html_(self) -> str:
        head = [("entry", f"{self.paper}/{self.entry}: {self.place}, {self.title}"), ("scale", self.scale)]
        numbers = [(n.label, n.published, n.measured, n.word) for n in self.numbers]
        claims = [(claim.says, claim.verdict, claim.why) for claim in self.claims]
        tables = [html_table(["published number", "theirs", "ours", "verdict"], numbers)] if numbers else []
        tables += [html_table(["the paper says", "here", "why"], claims)] if claims else []
        return html_facts(head) + "".join(tables)

    def to_dict(self) -> dict[str, Any]:
        """As ``verdict.json`` has it."""
        return {**json_value(asdict(self)), "finished": self.is_whole, "verdicts": dict(verdicts([self]))}


def verdicts(results: Sequence[EntryResult]) -> Counter[str]:
    """How many claims came to which verdict."""
    return Counter(claim.verdict for result in results for claim in result.claims)


def words(results: Sequence[EntryResult]) -> Counter[str]:
    """How many published numbers came to which word."""
    return Counter(number.word for result in results for number in result.numbers if number.published is not None)


def store(result: EntryResult) -> Path:
    """Writes it into its folder."""
    path = make_folder(Path(result.folder)) / VERDICT
    write_text(path, json.dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return path


_READ = TypeAdapter(EntryResult)


def stored(folder: Path) -> EntryResult | None:
    """What was stored in a folder; None where there is nothing that this version reads."""
    try:
        content = json.loads((folder / VERDICT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return None
    try:
        return _READ.validate_python({k: v for k, v in content.items() if k not in ("finished", "verdicts")})
    except ValidationError as error:
        raise CnnlabError(f"{folder / VERDICT} is damaged; run the entry again and it is written anew.") from error
