"""Pictures not yet ingested: files of any size and mode, or arrays, read a chunk at a time."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnlab.core.errors import DataError
from cnnlab.core.messages import track
from cnnlab.core.sinks import in_short
from cnnlab.core.threads import map_ahead
from cnnlab.data.arrays import Layout, channels_first, to_bytes
from cnnlab.data.formats.decode import BadImageError, DecodedImage, Form, WhiteUnknownError, decode, is_deep, to_form
from cnnlab.data.formats.decode import largest_value as largest_value_in
from cnnlab.data.formats.unread_kinds import why_unread
from cnnlab.data.imageset import Numbered
from cnnlab.data.white import NONE_MET, Largest, is_said_by

_CHUNK = 64


@dataclass(frozen=True)
class UnreadableImage:
    """A picture that could not be read, and why."""

    id: str
    reason: str

    def __str__(self) -> str:
        return f"{in_short(self.id)}: {in_short(self.reason)}"


@dataclass
class Survey:
    """What was met among the pictures: how many of each mode, of each width and height, and of more than 8 bits.

    :param deep: of those, how many of ``whole`` numbers and how many of ``floats``.
    """

    modes: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    deep: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Survey") -> None:
        """Counts in what another survey met."""
        self.modes.update(other.modes)
        self.sizes.update(other.sizes)
        self.deep.update(other.deep)


@dataclass(frozen=True)
class Chunk:
    """Some pictures, decoded.

    :param pixels: uint8 C×H×W each; of one shape only where the form said so.
    :param places: the place of each among all pictures.
    :param files: the encoded bytes of each, where there are any.
    """

    pixels: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
    places: Sequence[int]
    bad: Sequence[UnreadableImage]
    survey: Survey
    files: Sequence[bytes] = ()


def in_parts(start: int, end: int, size: int) -> list[range]:
    """The places from ``start`` to ``end``, so many at a time."""
    return [range(place, min(place + size, end)) for place in range(start, end, size)]


class RawImages(ABC):
    """N pictures that can be read in chunks, from several threads at once."""

    ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.ids)

    @abstractmethod
    def load(self, places: range, form: Form) -> Chunk:
        """The pictures at these places, in the given form.

        :raises WhiteUnknownError: where the form does not say what is white in them, and their kind does not either.
        """

    def largest_value(self, places: range) -> Largest:
        """The largest values in those of these pictures that have more than 8 bits."""
        return NONE_MET

    @property
    def has_modes(self) -> bool:
        """Whether each may be grey or coloured by itself, as files may."""
        return False


def largest_value(images: Sequence[RawImages]) -> Largest:
    """The largest values in all pictures of more than 8 bits."""
    parts = [partial(some.largest_value, places) for some in images for places in in_parts(0, len(some), _CHUNK)]
    return Largest.of_all(track(map_ahead(lambda part: part(), parts), "Looking for white", len(parts)))


class RawEncodedImages(RawImages):
    """Pictures as the bytes of their files."""

    @abstractmethod
    def encoded(self, place: int) -> bytes:
        """The bytes of one file; may be called from several threads.

        :raises DataError: when they cannot be had; so does an ``OSError``.
        """

    def load(self, places: range, form: Form) -> Chunk:
        """Decodes the files; those that cannot be read are told of and left out."""
        decoded: list[DecodedImage] = []
        files: list[bytes] = []
        kept: list[int] = []
        bad: list[UnreadableImage] = []
        for place in places:
            try:
                content = self._content(place)
                decoded.append(decode(content, form))
            except BadImageError as error:
                bad.append(UnreadableImage(self.ids[place], why_unread(self.ids[place]) or str(error)))
            else:
                files.append(content)
                kept.append(place)
        modes = Counter(image.mode for image in decoded)
        deep = Counter("floats" if mode == "F" else "whole" for mode in modes.elements() if is_deep(mode))
        survey = Survey(modes, Counter(image.size for image in decoded), deep)
        return Chunk([image.pixels for image in decoded], kept, bad, survey, files)

    def largest_value(self, places: range) -> Largest:
        """Decodes the files of more than 8 bits."""
        found = []
        for place in places:
            with suppress(BadImageError):
                found.append(largest_value_in(self._content(place)))
        return Largest.of_all(found)

    def _content(self, place: int) -> bytes:
        try:
            return self.encoded(place)
        except (OSError, DataError) as error:
            raise BadImageError(_why_unreadable(error)) from error

    @property
    def has_modes(self) -> bool:
        """Only decoding tells."""
        return True


class RawImageFiles(RawEncodedImages):
    """Encoded pictures, read by their names.

    :param ids: the name of each.
    :param read: the bytes of the file of that name; may be called from several threads.
    """

    def __init__(self, ids: Sequence[str], read: Callable[[str], bytes]) -> None:
        self.ids, self.read = ids, read

    def encoded(self, place: int) -> bytes:
        """What reads by names gives."""
        return self.read(self.ids[place])


class RawImageArrays(RawImages):
    """Pictures in an array, or in anything with a shape that gives arrays when sliced.

    :param layout: where the channels are; see :func:`~cnnlab.data.arrays.channels_layout`.
    """

    def __init__(self, array: Any, name: str, layout: Layout | None) -> None:
        self.ids = Numbered(array.shape[0])
        self._array, self._name, self._layout = array, name, layout

    def load(self, places: range, form: Form) -> Chunk:
        """Slices the array; pictures that need another size or other channels are converted one by one."""
        values = self._values(places)
        if form.white.of(values.dtype) is None and not is_said_by(values.dtype):
            raise WhiteUnknownError
        pixels = channels_first(to_bytes(values, self._name, form.white), self._layout)
        chunk = arranged(pixels, places, form)
        if not is_said_by(values.dtype):
            chunk.survey.deep["floats" if values.dtype.kind == "f" else "whole"] = len(pixels)
        return chunk

    def largest_value(self, places: range) -> Largest:
        """Slices the array."""
        return Largest.of(self._values(places))

    def _values(self, places: range) -> NDArray[Any]:
        return np.asarray(self._array[places.start : places.stop])


_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def arranged(pixels: NDArray[np.uint8], places: range, form: Form) -> Chunk:
    """Pictures of one shape (uint8, n×C×H×W) in the given form; those that have it already are not touched."""
    channels, height, width = pixels.shape[1:]
    survey = Survey(Counter({_MODES[channels]: len(pixels)}), Counter({(width, height): len(pixels)}))
    fits = form.channels in (None, channels) and form.size in (None, (height, width))
    return Chunk(pixels if fits else [_converted(image, form) for image in pixels], places, (), survey)


def _converted(pixels: NDArray[np.uint8], form: Form) -> NDArray[np.uint8]:
    flat = pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))
    return to_form(Image.fromarray(flat), form)


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, OSError):
        return f"the file cannot be read ({error.strerror or error})"
    return str(error)
