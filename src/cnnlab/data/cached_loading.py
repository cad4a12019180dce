"""From a reading to image sets: out of the cache where they are there, else decoded into it."""

from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from cnnlab.core.errors import DataError, StorageError
from cnnlab.core.files import cache_folder, free_space, reading_errors
from cnnlab.core.lookups import noted_lookups
from cnnlab.core.messages import warn
from cnnlab.core.sinks import in_short
from cnnlab.data.cache import CacheEntry, CacheKind, FolderStore, TooLargeError, entry_folder, locked, open_entry
from cnnlab.data.file_digests import digest_files
from cnnlab.data.ingest import IngestOutcome, MemoryStore, ingest
from cnnlab.data.options import ReadOptions
from cnnlab.data.raw_images import Survey
from cnnlab.data.reading import Content, Reading
from cnnlab.data.white import said_of_white

_MOST_NAMED = 20
_DISK_SHARE = 3


def load_cached(reading: Reading, *, for_training: bool = True) -> CacheEntry:
    """The parts of a reading, fit for use.

    :param for_training: whether it must be fit to train on, and not merely to score on.
    :raises DataError: when the data is unfit: damaged, contradictory, or with unreadable files and ``on_bad=refuse``.
    :raises StorageError: when decoded pictures are to be kept and cannot be.
    """
    entry = inspect(reading, strict=True)
    facts = entry.facts
    problems = [*facts["problems"], *(facts["training_problems"] if for_training else ())]
    _refuse_problems(reading.source.name, problems, facts["warnings"])
    for text in facts["warnings"]:
        warn(f"{reading.source.name}: {text}")
    skipped = entry.facts["skipped"]
    if skipped and reading.options.on_bad == "refuse":
        raise DataError(
            f"{reading.source.name}: {_named(skipped)} Repair or remove them, or leave them out with on_bad=skip."
        )
    if skipped:
        warn(f"{reading.source.name}: {_named(skipped)} {'It was' if len(skipped) == 1 else 'They were'} left out.")
    return entry


def inspect(reading: Reading, *, strict: bool = False) -> CacheEntry:
    """The parts of a reading with all that is wrong with them among their facts.

    :param strict: whether data with problems is refused before its pictures are decoded.
    """
    options = reading.options
    _note(reading)
    if reading.source.is_quick or options.cache == "none":
        return _in_memory(reading, strict)
    kinds: dict[str, tuple[CacheKind, ...]] = {"auto": ("raw", "encoded"), "raw": ("raw",), "encoded": ("encoded",)}
    for kind in kinds[options.cache]:
        entry = open_entry(entry_folder(reading, kind)) or _as_they_are(reading, kind)
        if entry is not None:
            return entry
    try:
        return _stored(reading, kinds[options.cache][0], strict)
    except TooLargeError:
        return _stored(reading, "encoded", strict)
    except StorageError as error:
        if options.cache != "auto":
            raise
        warn(f"The decoded pictures are kept in memory only, this time: {error}")
        return _in_memory(reading, strict)


def _as_they_are(reading: Reading, kind: CacheKind) -> CacheEntry | None:
    """What is kept of the pictures without a size, where all of them have the size that is asked for anyway."""
    sides = reading.options.sides
    if sides is None:
        return None
    plain = replace(reading.options, size=None, resize="squash", resampling="bilinear")
    entry = open_entry(entry_folder(replace(reading, options=plain), kind))
    return entry if entry and all(part.shape[1:] == sides for part in entry.parts.values()) else None


def _note(reading: Reading) -> None:
    """Notes what the pictures depend on, for whoever asked."""
    lookups, inputs = noted_lookups(), reading.source.inputs
    if lookups is not None:
        lookups.data.append((list(map(str, inputs)), digest_files(inputs)))


def _stored(reading: Reading, kind: CacheKind, strict: bool) -> CacheEntry:
    folder = entry_folder(reading, kind)
    with locked(folder):
        entry = open_entry(folder)
        if entry is not None:
            return entry
        content = _content(reading, strict)
        most = _room() if reading.options.cache == "auto" else None
        stores: list[FolderStore] = []

        def make_store() -> FolderStore:
            for earlier in stores:
                earlier.discard()
            stores.append(FolderStore(folder, kind, _counts(content), most))
            return stores[-1]

        try:
            store, outcome = ingest(reading.source.name, content, reading.options, make_store)
            store.finish(content, outcome, _facts(content, outcome, reading.options))
        finally:
            for store in stores:
                store.discard()
    entry = open_entry(folder)
    if entry is None:
        raise StorageError(f"{folder} was removed while it was written; try again.")
    return entry


def _in_memory(reading: Reading, strict: bool) -> CacheEntry:
    content = _content(reading, strict)
    store, outcome = ingest(reading.source.name, content, reading.options, lambda: MemoryStore(_counts(content)))
    parts = {
        split: store.image_set(split, part, outcome.parts[split], content.classes)
        for split, part in content.parts.items()
    }
    return CacheEntry(parts, _facts(content, outcome, reading.options))


def _content(reading: Reading, strict: bool) -> Content:
    with reading_errors():
        content = reading.source.read()
    if strict or not all(_counts(content).values()):
        _refuse_problems(reading.source.name, content.problems, content.warnings)
    return content


def _refuse_problems(name: str, problems: Sequence[str], warnings: Sequence[str]) -> None:
    """Refuses data with problems; what there is to be warned of may be the cause."""
    if problems:
        raise DataError(f"{name}: {' '.join([*problems, *warnings])}")


def _facts(content: Content, outcome: IngestOutcome, options: ReadOptions) -> dict[str, Any]:
    white, (notes, warnings) = outcome.form.white, said_of_white(outcome.form.white, outcome.largest)
    return {
        "problems": list(content.problems),
        "training_problems": list(content.training_problems),
        "notes": [*content.notes, *notes],
        "warnings": [*content.warnings, *warnings],
        "white": white.whole if outcome.survey.deep["whole"] else None,
        "float_white": white.floats if outcome.survey.deep["floats"] else None,
        "skipped": [[bad.id, bad.reason] for bad in outcome.skipped],
        "survey": _summary(outcome.survey),
    }


def _summary(survey: Survey) -> dict[str, Any]:
    """What was met among the files, as plain facts: modes, and the spread of widths and heights."""
    return {
        "modes": dict(survey.modes.most_common()),
        "sizes": len(survey.sizes),
        "width": _spread((width, count) for (width, _), count in survey.sizes.items()),
        "height": _spread((height, count) for (_, height), count in survey.sizes.items()),
    }


def _spread(counted: Iterable[tuple[int, int]]) -> list[int]:
    """The smallest, the one in the middle, and the largest of values with how often each was met."""
    ordered = sorted(counted)
    up_to = list(accumulate(count for _, count in ordered))
    return [ordered[0][0], ordered[bisect(up_to, up_to[-1] // 2)][0], ordered[-1][0]] if ordered else []


def _named(skipped: Sequence[Sequence[str]]) -> str:
    shown = "; ".join(f"{in_short(name)}: {in_short(reason)}" for name, reason in skipped[:_MOST_NAMED])
    more = f"; and {len(skipped) - _MOST_NAMED:,} more" if len(skipped) > _MOST_NAMED else ""
    files = "1 file" if len(skipped) == 1 else f"{len(skipped):,} files"
    return f"{files} cannot be read as pictures: {shown}{more}."


def _counts(content: Content) -> dict[str, int]:
    return {split: len(part.images) for split, part in content.parts.items()}


def _room() -> int:
    """Bytes of raw pixels that one data set may take up on the disk."""
    return free_space(cache_folder()) // _DISK_SHARE
