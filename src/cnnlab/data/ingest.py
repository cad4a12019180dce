"""Ingestion: the pictures that a reader found, decoded once, in parallel, and brought to one form.

Where the pixels go is the affair of a :class:`Store`: memory, or a folder of the cache.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.core.errors import DataError
from cnnlab.core.machine import physical_memory
from cnnlab.core.messages import track
from cnnlab.core.threads import map_ahead
from cnnlab.data.formats.decode import Form, WhiteUnknownError, is_deep
from cnnlab.data.imageset import ClassNames, ImageSet, Targets, TensorImages, digest_images, image_moments
from cnnlab.data.options import CHANNELS, ReadOptions
from cnnlab.data.raw_images import Chunk, RawImages, Survey, UnreadableImage, largest_value
from cnnlab.data.reading import Content, SourceSplit
from cnnlab.data.white import MOST_WHITE, NONE_MET, UNKNOWN_WHITE, Largest, White

_CHUNK = 128
_SAMPLE = 16
_MEMORY_SHARE = 0.7
# Whatever it is, one sees by it whether there are colours.
_ANY_WHITE = White.said(MOST_WHITE)


class MixedSizesError(DataError):
    """Pictures of different sizes where no size was asked for."""

    def __init__(self, name: str, sizes: Iterable[tuple[int, int]]) -> None:
        shown = ", ".join(f"{width}×{height}" for width, height in sorted(sizes)[:5])
        super().__init__(
            f"{name}: the pictures differ in size ({shown}, for instance). Say which all shall have: size=96, "
            "or size=[height, width]."
        )


class _ColourMetError(Exception):
    """A picture with colour among those that were taken to be all grey."""


@dataclass
class Ingested:
    """What is known of a part besides its pixels.

    :param places: which of the part's pictures were kept, in order.
    """

    shape: tuple[int, int, int]
    places: list[int] = field(default_factory=list)
    digests: list[NDArray[np.uint8]] = field(default_factory=list)
    moments: list[Tensor] = field(default_factory=list)

    def columns(self, part: SourceSplit) -> Targets:
        """The targets of the pictures kept."""
        kept = torch.tensor(self.places, dtype=torch.int64)
        return {name: column[kept] for name, column in part.targets.items()}

    def ids(self, part: SourceSplit) -> Sequence[str]:
        """The ids of the pictures kept."""
        whole = len(self.places) == len(part.images)
        return part.images.ids if whole else [part.images.ids[place] for place in self.places]


@dataclass(frozen=True)
class IngestOutcome:
    """What came of an ingestion besides the pixels.

    :param largest: the values by which white was told, where it was not said.
    """

    form: Form
    parts: dict[str, Ingested]
    skipped: tuple[UnreadableImage, ...]
    survey: Survey
    largest: Largest = NONE_MET


class Store(ABC):
    """Takes the pixels of one part after another, in order."""

    @abstractmethod
    def add(self, part: str, pixels: NDArray[np.uint8], files: Sequence[bytes]) -> None:
        """Some pictures (uint8, n×C×H×W) and, where they come from files, the encoded bytes of each."""


S = TypeVar("S", bound=Store)


class MemoryStore(Store):
    """Keeps the pixels in memory."""

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts, self._filled = counts, dict.fromkeys(counts, 0)
        self._arrays: dict[str, Tensor] = {}

    def add(self, part: str, pixels: NDArray[np.uint8], files: Sequence[bytes]) -> None:
        """Copies them to where they will stay."""
        if part not in self._arrays:
            self._check(pixels[0].nbytes)
            self._arrays[part] = torch.empty((self._counts[part], *pixels.shape[1:]), dtype=torch.uint8)
        start, end = self._filled[part], self._filled[part] + len(pixels)
        self._arrays[part].numpy()[start:end] = pixels
        self._filled[part] = end

    def _check(self, size: int) -> None:
        total = size * sum(self._counts.values())
        if total > physical_memory() * _MEMORY_SHARE:
            raise DataError(
                f"the pixels would take up {total / 2**30:.1f} GB, more than fit in memory. Keep them on the disk, "
                "with cache=auto, or give a smaller size."
            )

    def image_set(self, name: str, part: SourceSplit, known: Ingested, classes: ClassNames) -> ImageSet:
        """The part as an image set."""
        pixels = self._arrays[name][: self._filled[name]]
        images = TensorImages(pixels, known.columns(part), classes, known.ids(part))
        images.image_digests = np.concatenate(known.digests)
        images.moments = torch.cat(known.moments)
        return images


def ingest(name: str, content: Content, options: ReadOptions, make_store: Callable[[], S]) -> tuple[S, IngestOutcome]:
    """Decodes every part into a store.

    :param make_store: called once, and again when pictures taken to be all grey, or of 8 bits, turn out not to be.
    Files that are no pictures are left out and told of in the outcome.

    :raises MixedSizesError: when sizes differ and none was asked for.
    :raises DataError: when no picture of a part can be read.
    """
    said = White.said(options.white)
    channels = CHANNELS.get(options.channels)
    form, largest = Form(options.sides, options.resize, channels, said, options.resampling), NONE_MET
    form, are_deep = _foreseen(content, form)
    if are_deep:
        form, largest = _with_white(form, content)
    while True:
        store = make_store()
        try:
            return store, replace(_ingest(name, content, form, store), largest=largest)
        except _ColourMetError:
            form = replace(form, channels=3)
        except WhiteUnknownError:
            form, largest = _with_white(form, content)


def _ingest(name: str, content: Content, form: Form, store: Store) -> IngestOutcome:
    known: dict[str, Ingested] = {}
    bad: list[UnreadableImage] = []
    survey = Survey()
    for split, part in content.parts.items():
        for ready in _prepared(part.images, form, f"{name}, {split}"):
            bad += ready.chunk.bad
            survey.add(ready.chunk.survey)
            if ready.pixels is None:
                continue
            mine = known.setdefault(split, Ingested(_shape(ready.pixels)))
            _check_shape(name, ready.pixels, known, survey)
            mine.places += ready.chunk.places
            mine.digests.append(ready.digests)
            mine.moments.append(ready.moments)
            store.add(split, ready.pixels, ready.chunk.files)
        if split not in known:
            why = f" ({bad[-1]}, for instance)" if bad else ""
            raise DataError(f"{name}: there is no readable picture in {split}{why}.")
    channels = known["train"].shape[0]
    return IngestOutcome(replace(form, channels=channels), known, tuple(bad), survey)


@dataclass(frozen=True)
class _Ready:
    chunk: Chunk
    pixels: NDArray[np.uint8] | None
    digests: NDArray[np.uint8]
    moments: Tensor


def _prepared(images: RawImages, form: Form, name: str) -> Iterator[_Ready]:
    """The chunks in order, each made ready in a thread."""
    starts = range(0, len(images), _CHUNK)

    def prepare(start: int) -> _Ready:
        return _ready(name, images.load(range(start, min(start + _CHUNK, len(images))), form))

    yield from track(map_ahead(prepare, starts), f"Reading {name}", len(starts))


def _ready(name: str, chunk: Chunk) -> _Ready:
    if len(chunk.pixels) == 0:
        return _Ready(chunk, None, np.empty((0, 32), np.uint8), torch.empty(0))
    shapes = {image.shape for image in chunk.pixels}
    if len({shape[0] for shape in shapes}) > 1:
        raise _ColourMetError
    if len(shapes) > 1:
        raise MixedSizesError(name.rpartition(",")[0], chunk.survey.sizes)
    pixels = np.ascontiguousarray(chunk.pixels) if isinstance(chunk.pixels, np.ndarray) else np.stack(chunk.pixels)
    return _Ready(chunk, pixels, digest_images(pixels), image_moments(pixels))


def _check_shape(name: str, pixels: NDArray[np.uint8], known: dict[str, Ingested], survey: Survey) -> None:
    shapes = {_shape(pixels), *(part.shape for part in known.values())}
    if len({shape[0] for shape in shapes}) > 1:
        raise _ColourMetError
    if len(shapes) > 1:
        raise MixedSizesError(name, survey.sizes)


def _foreseen(content: Content, form: Form) -> tuple[Form, bool]:
    """The form with what some pictures, spread over every part, show of colour; and whether white is to be told."""
    are_deep = False
    for part in content.parts.values():
        step = max(1, len(part.images) // _SAMPLE)
        for place in range(0, len(part.images), step) if part.images.has_modes else ():
            chunk = part.images.load(range(place, place + 1), replace(form, white=_ANY_WHITE))
            are_deep |= form.white == UNKNOWN_WHITE and any(map(is_deep, chunk.survey.modes))
            if form.channels is None and any(len(image) > 1 for image in chunk.pixels):
                return replace(form, channels=3), are_deep
    return form, are_deep


def _with_white(form: Form, content: Content) -> tuple[Form, Largest]:
    """The form with white as the largest of all values tell it, where it is not known; and those that do."""
    found = largest_value([part.images for part in content.parts.values()])
    return replace(form, white=form.white.told_by(found)), form.white.left_open(found)


def _shape(pixels: NDArray[np.uint8]) -> tuple[int, int, int]:
    channels, height, width = pixels.shape[1:]
    return channels, height, width
