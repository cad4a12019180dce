"""Each check of readers, failing once: by a reader that breaks this promise."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from broken import refusal

from cnnlab.core.errors import DataError
from cnnlab.data import readers
from cnnlab.data.formats.decode import Form
from cnnlab.data.imageset import Numbered
from cnnlab.data.raw_images import Chunk, RawImageArrays, RawImages, arranged
from cnnlab.data.reading import Content, SearchPath, Source, SourceSplit, reader
from cnnlab.testing import check_reader, reader_checks

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 1, 4, 5), dtype=np.uint8)
serial = itertools.count(1)


def source_of(path: Path, make: Callable[[np.ndarray], RawImages] | None = None) -> Source:
    """Six images in a plain file of numbers, the label of each being its place in pairs."""

    def read() -> Content:
        if path.stat().st_size != PIXELS.size:
            raise DataError(f"{path} is damaged.")
        pixels = np.frombuffer(path.read_bytes(), np.uint8).reshape(PIXELS.shape)
        images = make(pixels) if make else RawImageArrays(pixels, "numbers", "first")
        return Content({"train": SourceSplit(images, {"label": torch.arange(6) // 2})}, {"label": ("a", "b", "c")})

    return Source(path.stem, read, (path,), {"from": str(path)}, {"kind": "own"})


def sound(place: SearchPath, path: str) -> Source:
    return source_of(place.find(path))


def with_a_path_in_its_key(place: SearchPath, path: str) -> Source:
    return replace(sound(place, path), key={"path": str(place.find(path))})


def with_a_label_too_many(place: SearchPath, path: str) -> Source:
    source = sound(place, path)
    part = source.read().parts["train"]
    longer = replace(part, targets={"label": torch.arange(7) // 3})
    return replace(source, read=lambda: replace(source.read(), parts={"train": longer}))


class Numbers(RawImages):
    """What the broken ones below are made of."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.ids: Sequence[str] = Numbered(len(pixels))
        self.pixels = pixels

    def load(self, places: range, form: Form) -> Chunk:
        return arranged(self.pixels[places.start : places.stop], places, form)


class Shuffled(Numbers):
    def __init__(self, pixels: np.ndarray) -> None:
        super().__init__(np.roll(pixels, next(serial), axis=0))


class InTurn(Numbers):
    """Gives the next images, whichever are asked for."""

    at = 0

    def load(self, places: range, form: Form) -> Chunk:
        start, self.at = self.at, (self.at + len(places)) % len(PIXELS)
        return arranged(np.roll(self.pixels, -start, axis=0)[: len(places)], places, form)


class AsItLikes(Numbers):
    def load(self, places: range, form: Form) -> Chunk:
        return super().load(places, Form(None, "squash", None))


class AnotherEachTime(Numbers):
    def __init__(self, pixels: np.ndarray) -> None:
        super().__init__(pixels if next(serial) % 2 else ~pixels)


def made_of(images: Callable[[np.ndarray], RawImages]) -> Callable[[SearchPath, str], Source]:
    def read(place: SearchPath, path: str) -> Source:
        return source_of(place.find(path), images)

    return read


def with_another_key_each_time(place: SearchPath, path: str) -> Source:
    return replace(sound(place, path), key={"serial": next(serial)})


def by_its_folder(place: SearchPath, path: str) -> Source:
    source = sound(place, path)
    return replace(source, key={"folder": place.find(path).parent.name})


def without_looking(place: SearchPath, path: str) -> Source:
    made_up = Content({"train": SourceSplit(RawImageArrays(PIXELS, "numbers", "first"), {})})
    return Source(Path(path).stem, lambda: made_up, (), {"from": path}, {"kind": "own"})


def without_care(place: SearchPath, path: str) -> Source:
    found = place.find(path)

    def read() -> Content:
        pixels = np.frombuffer(found.read_bytes(), np.uint8).reshape(PIXELS.shape)
        return Content({"train": SourceSplit(RawImageArrays(pixels, "numbers", "first"), {})})

    return replace(sound(place, path), read=read)


BROKEN = {
    "the_source_says_what_it_is": (with_a_path_in_its_key, "Its key holds the path"),
    "content_fits_together": (with_a_label_too_many, "train has 6 images and 7 values of label."),
    "it_reads_the_same_each_time": (made_of(Shuffled), "train holds something else the second time."),
    "any_part_may_be_read_by_any_thread": (made_of(InTurn), "asked for by itself, is another."),
    "every_cache_holds_the_same": (made_of(AnotherEachTime), "the data is another."),
    "what_is_cached_is_not_read_again": (with_another_key_each_time, "It was read a second time"),
    "size_and_channels_are_as_asked": (made_of(AsItLikes), "train in grey, 16×16, came as (1, 4, 5)."),
    "elsewhere_it_is_the_same_data": (by_its_folder, "It is not found in the cache"),
    "what_is_missing_is_refused": (without_looking, "Nobody minded"),
    "what_is_damaged_is_refused": (without_care, "It raised ValueError: cannot reshape"),
}


@pytest.fixture
def register() -> Iterator[Callable[[Callable[..., Source]], None]]:
    """Makes a reader known as ``own``, until the end of the test."""
    yield reader("own")
    readers.remove("own")


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    path = tmp_path / "here" / "numbers.bin"
    path.parent.mkdir()
    path.write_bytes(PIXELS.tobytes())
    return path


def test_every_check_is_shown_failing() -> None:
    assert [check.__name__ for check in reader_checks("digits")] == list(BROKEN)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found(name: str, register: Callable[..., None], numbers: Path) -> None:
    function, words = BROKEN[name]
    register(function)
    assert words in refusal(reader_checks(f"own({numbers})"), name)


def test_a_reader_of_ones_own_is_checked_in_a_line(register: Callable[..., None], numbers: Path) -> None:
    register(sound)
    check_reader(f"own({numbers})")
    check_reader("own(numbers.bin)", data_dir=numbers.parent)


def test_the_users_cache_is_left_alone(
    register: Callable[..., None], numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNLAB_CACHE", str(tmp_path / "cache"))
    register(sound)
    check_reader(f"own({numbers})")
    assert not (tmp_path / "cache").exists()
