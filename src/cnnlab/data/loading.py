"""From what a person names to a data set: the one door to every reader."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnlab.core.errors import DataError
from cnnlab.data import sources as sources
from cnnlab.data.dataset import Dataset
from cnnlab.data.duplicates import settle
from cnnlab.data.imageset import ImageSet
from cnnlab.data.ingest import MemoryStore, ingest
from cnnlab.data.reading import Place, Reading, readers
from cnnlab.data.splits import Share, complete
from cnnlab.data.splits import subset as take_subset

__all__ = ["canonical", "load"]


def load(
    spec: Any,
    *,
    validation: Share = None,
    test: Share = None,
    subset: int | float | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
) -> Dataset:
    """The data set that ``spec`` names, with train, validation and test.

    :param spec: a spec string or mapping such as ``fashion-mnist`` or ``folder(path=photos.zip, size=96)``, the bare
        path of files, a :class:`Dataset`, arrays ``x`` or ``(x, y)``, or a torch ``Dataset``.
    :param validation: a count or fraction to set aside where the data has no such split; None for a tenth of train (at
        most 5,000), 0 for none.
    :param test: the same; None for a fifth.
    :param subset: a count or fraction of train to keep, stratified; None for all.
    :param data_dir: where to look for files besides the current folder and ``CNNLAB_DATA``.
    :param offline: whether never to download.
    :raises DataError: when the data is missing, damaged or contradicts itself.
    :raises UsageError: when the spec or a split cannot be meant.
    """
    dataset = _whole(spec, Place(Path(data_dir).expanduser() if data_dir else None, offline), validation, test)
    return dataset if subset is None else replace(dataset, train=take_subset(dataset.train, subset))


def canonical(spec: Any) -> str:
    """The spec as text with all its arguments: what comparisons use."""
    return readers.canonical(spec)


def _whole(spec: Any, place: Place, validation: Share, test: Share) -> Dataset:
    if isinstance(spec, Dataset):
        return settle(Dataset.of(spec.name, complete(dict(spec.parts()), validation, test), spec.source), dedupe=False)
    bound = readers.bind(spec)
    reading = bound.build(place=place)
    parts, facts = obtain(reading)
    source = {"spec": str(bound), **reading.source.facts, **facts}
    dataset = Dataset.of(reading.source.name, complete(parts, validation, test), source)
    return settle(dataset, dedupe=reading.options.dedupe)


def obtain(reading: Reading) -> tuple[dict[str, ImageSet], dict[str, Any]]:
    """The parts of a reading as image sets, and what there is to tell of their making."""
    content = reading.source.read()
    if content.problems:
        raise DataError(f"{reading.source.name}: {' '.join(content.problems)}")
    counts = {split: len(part.pictures) for split, part in content.parts.items()}
    store, outcome = ingest(reading.source.name, content, reading.options, lambda: MemoryStore(counts))
    parts = {
        split: store.image_set(split, part, outcome.parts[split], content.classes)
        for split, part in content.parts.items()
    }
    return parts, {}
