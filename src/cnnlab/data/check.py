"""What is wrong with a data set, and what it is like: said before a training finds it out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from cnnlab.core.errors import DataError
from cnnlab.core.number_text import counted
from cnnlab.core.sinks import in_short
from cnnlab.data.cache import CacheEntry
from cnnlab.data.cached_loading import inspect
from cnnlab.data.dataset import Dataset
from cnnlab.data.duplicates import count_shared, repeated
from cnnlab.data.imageset import ImageSet, statistics
from cnnlab.data.ingest import MixedSizesError
from cnnlab.data.loading import is_spec, load_data
from cnnlab.data.paths import as_call
from cnnlab.data.reading import Reading, SearchPath, readers
from cnnlab.data.splits import default_counts, none_set_aside

Severity = Literal["error", "warning", "info"]
_UNBALANCED = 3.0
_FEW = 10
_MOST_NAMED = 20
_STAND_IN = 64


@dataclass(frozen=True)
class Finding:
    """One thing found: an ``error`` keeps the data from use, a ``warning`` is to be known, an ``info`` may help."""

    level: Severity
    text: str

    def __str__(self) -> str:
        return f"{self.level}: {self.text}"


@dataclass(frozen=True)
class CheckReport:
    """The findings on a data set, the gravest first, and its numbers."""

    name: str
    findings: tuple[Finding, ...]
    statistics: Mapping[str, Any]

    @property
    def is_usable(self) -> bool:
        """Whether nothing keeps it from use."""
        return not any(finding.level == "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON."""
        findings = [{"level": finding.level, "text": finding.text} for finding in self.findings]
        return {
            "name": self.name,
            "usable": self.is_usable,
            "findings": findings,
            "statistics": dict(self.statistics),
        }

    def __str__(self) -> str:
        return "\n".join([self.name, *map(str, self.findings)])


def check_data(spec: Any, *, data_dir: str | Path | None = None, offline: bool = False) -> CheckReport:
    """Examines a data set: a spec or path as :func:`~cnnlab.data.load_data` takes it, or the data itself.

    :raises UsageError: when the spec cannot be meant.
    :raises DataError: when there are no such files.
    """
    place = SearchPath.at(data_dir, offline)
    if not is_spec(spec):
        dataset = load_data(spec, validation=0, test=0) if not isinstance(spec, Dataset) else spec
        told = [Finding("info", text) for text in dataset.source.get("notes", ())]
        return _report(dataset.name, told, CacheEntry(dict(dataset.parts()), dataset.source))
    reading: Reading = readers.bind(as_call(spec, place)).build(place=place)
    name, findings = reading.source.name, []
    try:
        try:
            entry = inspect(reading)
        except MixedSizesError as error:
            findings.append(Finding("error", str(error)))
            entry = inspect(replace(reading, options=replace(reading.options, size=_STAND_IN)))
    except DataError as error:
        return CheckReport(name, (Finding("error", str(error)),), {})
    level: Severity = "warning" if reading.options.on_bad == "skip" else "error"
    problems = [*entry.facts["problems"], *entry.facts["training_problems"]]
    findings += [Finding("error", text) for text in problems]
    findings += [
        Finding(level, f"{in_short(item)} cannot be read: {in_short(reason)}.")
        for item, reason in entry.facts["skipped"]
    ]
    findings += [Finding("warning", text) for text in entry.facts["warnings"]]
    findings += [Finding("info", text) for text in entry.facts["notes"]]
    return _report(name, findings, entry)


def _report(name: str, findings: list[Finding], entry: CacheEntry) -> CheckReport:
    for split, part in entry.parts.items():
        findings += _findings_of(split, part)
    findings += _findings_across(Dataset.of(name, entry.parts, {}))
    order = ("error", "warning", "info")
    findings.sort(key=lambda finding: order.index(finding.level))
    return CheckReport(name, tuple(findings), _numbers(entry))


def _findings_of(split: str, part: ImageSet) -> Iterator[Finding]:
    if split == "train":
        for column, names in part.classes.items():
            yield from _balance(part, column, names)
    copies = repeated(part)
    if copies:
        at_odds = _contradictions(part)
        told = f", and {counted(at_odds, 'picture')} {_have(at_odds)} copies with another target" if at_odds else ""
        yield Finding(
            "warning" if at_odds else "info",
            f"{split} holds {copies:,} exact cop{'y' if copies == 1 else 'ies'} of other pictures in it{told}.",
        )
    pixels = part.shape[1] * part.shape[2]
    uniform = int((part.moments[..., 1] * pixels == part.moments[..., 0] ** 2).all(1).sum())
    if uniform:
        yield Finding("warning", f"{counted(uniform, 'picture')} of {split} {_are(uniform)} of one single colour.")


def _balance(part: ImageSet, column: str, names: tuple[str, ...]) -> Iterator[Finding]:
    counts, shown_names = part.targets[column].bincount(minlength=len(names)), list(map(in_short, names))
    absent = [shown_names[place] for place in (counts == 0).nonzero()[:, 0].tolist()]
    present = counts[counts > 0]
    if absent:
        more = f", … ({len(absent)} of {len(names)})" if len(absent) > _MOST_NAMED else ""
        shown = ", ".join(absent[:_MOST_NAMED])
        yield Finding("warning", f"train has no picture of these classes of {column}: {shown}{more}.")
    most, least = int(counts.argmax()), int(torch.where(counts > 0, counts, counts.max() + 1).argmin())
    ratio = float(present.max() / present.min()) if len(present) else 1.0
    if ratio > _UNBALANCED:
        yield Finding(
            "warning",
            f"the classes of {column} are unbalanced, {ratio:.1f} to 1: train has {int(counts[most]):,} pictures of "
            f"{shown_names[most]} and {int(counts[least]):,} of {shown_names[least]}. Accuracy alone hides that; "
            "balance=weights makes up for it.",
        )
    elif len(present) and int(present.min()) < _FEW:
        few = int(counts[least])
        yield Finding("warning", f"{shown_names[least]} has only {few} picture{'' if few == 1 else 's'} in train.")


def _contradictions(part: ImageSet) -> int:
    """How many pictures are exact copies of one that has another target."""
    seen: dict[bytes, set[tuple[float, ...]]] = {}
    rows = list(zip(*(column.tolist() for column in part.targets.values()), strict=True)) or [()] * len(part)
    digests = [row.tobytes() for row in part.image_digests]
    for key, row in zip(digests, rows, strict=True):
        seen.setdefault(key, set()).add(row)
    return sum(len(seen[key]) > 1 for key in digests)


def _findings_across(dataset: Dataset) -> Iterator[Finding]:
    for (first, second), number in count_shared(dataset).items():
        remedy = " dedupe=true drops them from train." if first == "train" else ""
        yield Finding(
            "warning",
            f"{counted(number, 'picture')} of {first} {_are(number)} in {second} too, pixel by pixel.{remedy}",
        )
    yield from _beyond_train(dataset)
    yield from _to_be_set_aside(dataset)


def _to_be_set_aside(dataset: Dataset) -> Iterator[Finding]:
    try:
        counts = default_counts(dict(dataset.parts()))
    except DataError as error:
        yield Finding("error", str(error))
        return
    left = len(dataset.train)
    for name, count in counts.items():
        if count:
            told = f"{count:,} of {left:,} pictures of train will be set aside for it"
            yield Finding("info", f"there is no {name} split: {told}.")
        else:
            yield Finding("warning", none_set_aside(name, left))
        left -= count


def _beyond_train(dataset: Dataset) -> Iterator[Finding]:
    """Numbered columns of which another split holds a higher one than train."""
    for split, part in dataset.parts():
        for column, names in part.classes.items():
            if names != tuple(map(str, range(len(names)))):
                continue
            highest = int(dataset.train.targets[column].max())
            count = int((part.targets[column] > highest).sum())
            if count:
                yield Finding(
                    "warning",
                    f"{column} goes from 0 to {highest} in train and up to {int(part.targets[column].max())} in "
                    f"{split}, where {count:,} of {len(part):,} pictures are beyond: as a class, none is learnt.",
                )


def _numbers(entry: CacheEntry) -> dict[str, Any]:
    train = entry.parts["train"]
    mean, deviation = statistics(train)
    return {
        "shape": list(train.shape),
        "images": {split: len(part) for split, part in entry.parts.items()},
        "classes": {column: list(names) for column, names in train.classes.items()},
        "counts": {split: _counts(part) for split, part in entry.parts.items()},
        "mean": list(mean),
        "std": list(deviation),
        "white": {
            kind: entry.facts[key]
            for kind, key in (("whole numbers", "white"), ("floats", "float_white"))
            if entry.facts.get(key) is not None
        },
        "files": entry.facts.get("survey"),
    }


def _counts(part: ImageSet) -> dict[str, dict[str, int]]:
    return {
        column: dict(zip(names, part.targets[column].bincount(minlength=len(names)).tolist(), strict=True))
        for column, names in part.classes.items()
    }


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"
