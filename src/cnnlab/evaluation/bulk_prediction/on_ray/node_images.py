"""Pictures as a node comes by them: read where they lie, or sent by the machine that asks for predictions."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from cnnlab.core.errors import DataError
from cnnlab.data.formats.archives import open_members
from cnnlab.data.formats.folders import read_file
from cnnlab.data.formats.members import Members
from cnnlab.data.raw_images import RawEncodedImages
from cnnlab.evaluation.bulk_prediction.on_ray.portions import Portion

Content: TypeAlias = bytes | Exception
"""The bytes of a picture, or what came of reading it."""
Fetch: TypeAlias = Callable[[int, int], Sequence[Content]]
"""Has pictures sent, from one place among all to that behind the last: as many as go at once, one at least."""


class Archives:
    """Archives, each opened when a picture in it is first read."""

    def __init__(self) -> None:
        self._open: dict[str, Members] = {}
        self._lock = threading.Lock()

    def read(self, path: str, name: str) -> bytes:
        """The bytes of a picture in one; may be called from several threads."""
        with self._lock:
            if path not in self._open:
                self._open[path] = open_members(Path(path))
            members = self._open[path]
        try:
            return members.read(name)
        except KeyError as error:
            raise DataError(f"there is no {name} in it") from error


class NodeImages(RawEncodedImages):
    """The pictures of a portion.

    :param archives: that were opened before; None where nothing is read here.
    :param fetch: has those sent that cannot be read here. So none counts as damaged for being on another machine alone.
    """

    def __init__(self, portion: Portion, archives: Archives | None, fetch: Fetch) -> None:
        self.ids = [name for _, name in portion.pictures]
        self._portion, self._archives, self._fetch = portion, archives, fetch
        self._sent: dict[int, Content] = {}
        self._lock = threading.Lock()

    def encoded(self, place: int) -> bytes:
        """The bytes of one."""
        if self._archives is not None:
            archive, name = self._portion.pictures[place]
            try:
                return read_file(Path(name)) if archive is None else self._archives.read(archive, name)
            except (OSError, DataError):
                return self._had(place, place + 1)
        # The rest of its batch comes along, as far as it goes at once.
        batch = self._portion.batch
        return self._had(place, min(len(self), (place // batch + 1) * batch))

    def _had(self, place: int, end: int) -> bytes:
        with self._lock:
            if place not in self._sent:
                start = self._portion.start
                self._sent.update(enumerate(self._fetch(start + place, start + end), place))
            content = self._sent.pop(place)
        if isinstance(content, Exception):
            raise content
        return content
