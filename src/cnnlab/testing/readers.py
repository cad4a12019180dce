"""What every reader of data promises, whatever it reads."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnlab.core.errors import CnnlabError, CnnlabWarning, DataError
from cnnlab.core.registry import BoundCall
from cnnlab.data import ImageSet, readers
from cnnlab.data.cache import entry_folder
from cnnlab.data.cached_loading import load_cached
from cnnlab.data.dataset import SPLITS
from cnnlab.data.formats.decode import Form
from cnnlab.data.paths import as_call
from cnnlab.data.raw_images import Chunk, RawImages
from cnnlab.data.reading import Content, Reading, SearchPath
from cnnlab.data.white import White
from cnnlab.testing.suite import Check, Suite, require, run

_AS_THEY_ARE = Form(size=None, resize="squash", channels=3, white=White.said(65535))
_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class ReaderCase:
    """A reader, the files that it is tried on, and a folder that is gone afterwards.

    While it is in use the cache of decoded images is in that folder.
    """

    bound: BoundCall[Reading]
    place: SearchPath
    folder: Path

    def reading(self, **options: Any) -> Reading:
        """What the reader will read, with other arguments or shared options than the spec has."""
        return replace(self.bound, arguments={**self.bound.arguments, **options}).build(place=self.place)

    def parts(self, **options: Any) -> Mapping[str, ImageSet]:
        """The image set of each split."""
        return load_cached(self.reading(**options)).parts

    def content(self) -> Content:
        """What the reader finds."""
        return self.reading().source.read()

    @property
    def path(self) -> Path | None:
        """The file or folder that it is pointed at, for those that take a ``path``."""
        path = self.bound.arguments.get("path")
        return self.place.find(path).absolute() if isinstance(path, str) else None

    def moved(self, name: str) -> Path | None:
        """A copy of the files in another folder, and there what the reader is to be pointed at."""
        if self.path is None:
            return None
        inputs = [path.absolute() for path in self.reading().source.inputs]
        base = Path(os.path.commonpath([self.path.parent, *(path.parent for path in inputs)]))
        for path in inputs:
            _copy(path, self.folder / name / path.relative_to(base))
        return self.folder / name / self.path.relative_to(base)


def check_reader(spec: object, *, data_dir: str | Path | None = None) -> None:
    """Holds a reader of data to everything that loading, caching and the record of a run rely on.

    >>> check_reader("photo-album(path=examples/album.xml)")

    :param spec: of a registered reader, naming files that are there; a small example serves best, for all of it is read
        many times, and copied.
    :param data_dir: where to look for them besides the current folder and ``CNNLAB_DATA``.
    :raises AssertionError: naming the first promise that is broken, and how.
    """
    run(reader_checks(spec, data_dir=data_dir))


def reader_checks(spec: object, *, data_dir: str | Path | None = None) -> list[Check]:
    """The checks of :func:`check_reader` one by one, for ``pytest.mark.parametrize``."""
    place = SearchPath.at(data_dir, offline=True)
    bound = readers.bind(as_call(spec, place))

    @contextmanager
    def prepared() -> Iterator[ReaderCase]:
        with tempfile.TemporaryDirectory() as folder, _cache_in(Path(folder)), warnings.catch_warnings():
            warnings.simplefilter("ignore", CnnlabWarning)
            yield ReaderCase(bound, place, Path(folder))

    return _suite.checks(f"reader {spec}", prepared)


_suite: Suite[ReaderCase] = Suite()


@_suite.check
def the_source_says_what_it_is(case: ReaderCase) -> None:
    """The source names files that are there, plain facts, and a key without paths."""
    source = case.reading().source
    require(source.name, "It has no name.")
    missing = [path for path in source.inputs if not path.exists()]
    require(not missing, f"Among its inputs is {missing and missing[0]}, which is not there.")
    require(case.path is None or source.inputs, "It reads a path and lists no inputs, so that changes would go unseen.")
    for what, mapping in (("facts", source.facts), ("key", source.key)):
        require(_is_plain(dict(mapping)), f"Its {what} hold more than text, numbers, lists and mappings: {mapping}.")
    held = [path for path in source.inputs if str(path.absolute()) in str(source.key)]
    require(not held, f"Its key holds the path {held and held[0]}: what the data is does not depend on where it lies.")


@_suite.check
def content_fits_together(case: ReaderCase) -> None:
    """There is a train split; ids, targets and classes fit the images of each."""
    content = case.content()
    require("train" in content.parts, f"The splits are {list(content.parts)}.")
    others = set(content.parts) - set(SPLITS)
    require(not others, f"There are no splits called {', '.join(others)}; there are {', '.join(SPLITS)}.")
    for split, part in content.parts.items():
        ids = list(part.images.ids)
        require(ids and len(ids) == len(set(ids)), f"{split} has no images, or two of one id.")
        for name, column in part.targets.items():
            require(len(column) == len(ids), f"{split} has {len(ids)} images and {len(column)} values of {name}.")
            require(column.dtype in (torch.int64, torch.float32), f"{name} of {split} is {column.dtype}.")
        for name, names in content.classes.items():
            column = part.targets.get(name, torch.zeros(1))
            is_inside = column.min() >= 0 and column.max() < len(names)
            require(is_inside, f"{name} of {split} holds indices of classes that there are not.")


@_suite.check
def it_reads_the_same_each_time(case: ReaderCase) -> None:
    """Read twice, the data is the same to the bit, in the same order."""
    first, second = (case.parts(cache="none") for _ in range(2))
    require(list(first) == list(second), f"The splits were {list(first)} and then {list(second)}.")
    for split, images in first.items():
        require(list(images.ids) == list(second[split].ids), f"The ids of {split} are others, or in another order.")
        require(images.digest == second[split].digest, f"{split} holds something else the second time.")


@_suite.check
def any_part_may_be_read_by_any_thread(case: ReaderCase) -> None:
    """Images come out the same one by one, in any order, and from several threads at once."""
    for split, part in case.content().parts.items():
        whole = part.images.load(range(len(part.images)), _AS_THEY_ARE)
        require(not whole.bad, f"{split} has images that cannot be read: {whole.bad and whole.bad[0]}.")
        for place, chunk in _one_by_one(part.images):
            is_same = list(chunk.places) == [place] and np.array_equal(chunk.pixels[0], whole.pixels[place])
            require(is_same, f"Image {place} of {split}, asked for by itself, is another.")


@_suite.check
def every_cache_holds_the_same(case: ReaderCase) -> None:
    """Whether images are kept raw, encoded, or not at all makes no difference, the second time neither."""
    wanted = {split: images.digest for split, images in case.parts(cache="none").items()}
    for kind in ("raw", "encoded"):
        for time in ("the first time", "from there"):
            found = {split: images.digest for split, images in case.parts(cache=kind).items()}
            require(found == wanted, f"With cache={kind}, read {time}, the data is another.")


@_suite.check
def what_is_cached_is_not_read_again(case: ReaderCase) -> None:
    """What lies in the cache is not read again."""
    reading = case.reading(cache="raw")
    if reading.source.is_quick:
        return
    load_cached(reading)

    def refuse() -> Content:
        raise AssertionError("It was read a second time: inputs or key changed from one time to the next.")

    again = case.reading(cache="raw")
    load_cached(replace(again, source=replace(again.source, read=refuse)))


@_suite.check
def size_and_channels_are_as_asked(case: ReaderCase) -> None:
    """Images come in the size and the channels that are asked for."""
    for channels, count in (("grey", 1), ("colour", 3)):
        for split, images in case.parts(cache="none", size=16, channels=channels).items():
            require(images.shape == (count, 16, 16), f"{split} in {channels}, 16×16, came as {images.shape}.")


@_suite.check
def elsewhere_it_is_the_same_data(case: ReaderCase) -> None:
    """The same files in another place are the same data, found in the cache."""
    path = case.moved("elsewhere")
    if path is None:
        return
    here, there = case.reading(cache="raw"), case.reading(cache="raw", path=str(path))
    digests = [{split: images.digest for split, images in load_cached(each).parts.items()} for each in (here, there)]
    require(digests[0] == digests[1], "It reads something else there.")
    is_known = entry_folder(here, "raw") == entry_folder(there, "raw")
    require(here.source.is_quick or is_known, "It is not found in the cache: the key, or what is read, is another.")


@_suite.check
def what_is_missing_is_refused(case: ReaderCase) -> None:
    """A path at which nothing lies is refused as a DataError that names it."""
    if case.path is None:
        return
    try:
        case.parts(path=str(case.folder / "nowhere"), cache="none")
    except DataError as refusal:
        require("nowhere" in str(refusal), f"The message does not say which: {refusal}")
    else:
        raise AssertionError("Nobody minded.")


@_suite.check
def what_is_damaged_is_refused(case: ReaderCase) -> None:
    """Files that are empty are refused in a sentence, and those cut short are, or are read: there is no other error."""
    for share in (0.5, 0.0):
        path = case.moved(f"damaged-{share}")
        if path is None:
            return
        for file in (case.folder / f"damaged-{share}").rglob("*"):
            if file.is_file():
                os.truncate(file, int(file.stat().st_size * share))
        try:
            case.parts(cache="none", path=str(path))
        except CnnlabError:
            continue
        require(share, "Of empty files it made data.")


def _one_by_one(images: RawImages) -> list[tuple[int, Chunk]]:
    """Each image as a chunk of its own, the last first, read by four threads."""
    places = range(len(images))[::-1]
    with ThreadPoolExecutor(4) as pool:
        chunks = pool.map(lambda place: images.load(range(place, place + 1), _AS_THEY_ARE), places)
        return list(zip(places, chunks, strict=True))


@contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    before = os.environ.get("CNNLAB_CACHE")
    os.environ["CNNLAB_CACHE"] = str(folder / "cache")
    try:
        yield
    finally:
        os.environ.pop("CNNLAB_CACHE")
        if before is not None:
            os.environ["CNNLAB_CACHE"] = before


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target, dirs_exist_ok=True)
    else:
        shutil.copy2(path, target)


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(inner) for name, inner in value.items())
    return all(map(_is_plain, value)) if isinstance(value, list | tuple) else isinstance(value, _PLAIN)
