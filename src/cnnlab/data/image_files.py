"""Pictures given one by one, for prediction: files, folders and archives of them."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cnnlab.core.errors import DataError
from cnnlab.core.messages import track
from cnnlab.core.threads import map_ahead
from cnnlab.data.formats.archives import open_members, read_file
from cnnlab.data.formats.decode import Form
from cnnlab.data.formats.folder_layout import first_few, is_image
from cnnlab.data.options import ResizeMode
from cnnlab.data.raw_images import RawImageFiles, UnreadableImage

_CHUNK = 16
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")


def read_images(
    paths: Iterable[str | Path], *, shape: tuple[int, int, int], resize: ResizeMode = "squash"
) -> tuple[Tensor, list[str]]:
    """Pictures as a classifier takes them.

    :param paths: of picture files, of folders with pictures anywhere in them, and of archives of such.
    :param shape: channels (1 or 3), height and width that every picture is brought to.
    :return: uint8, N×C×H×W, and the path of each picture; one in an archive is ``archive.zip/name``.
    :raises DataError: when a file is missing or is no picture, naming every such file.
    """
    channels, height, width = shape
    if channels not in (1, 3):
        raise DataError(f"pictures are grey or in colour, and the classifier takes {channels} channels.")
    files = [item for path in paths for item in _expanded(Path(path).expanduser())]
    if not files:
        raise DataError("there are no pictures among the paths given.")
    reads = dict(files)
    raw = RawImageFiles([name for name, _ in files], lambda name: reads[name]())
    form = Form((height, width), resize, channels)
    images = np.empty((len(raw), *shape), np.uint8)
    bad: list[UnreadableImage] = []
    starts = range(0, len(raw), _CHUNK)
    chunks = map_ahead(lambda start: raw.load(range(start, min(start + _CHUNK, len(raw))), form), starts)
    for chunk in track(chunks, "Reading pictures", len(starts)):
        bad += chunk.bad
        for place, pixels in zip(chunk.places, chunk.pixels, strict=True):
            images[place] = pixels
    if bad:
        raise DataError(f"these files cannot be read as pictures: {first_few([str(item) for item in bad])}.")
    return torch.from_numpy(images), list(raw.ids)


def _expanded(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The pictures that a path stands for, each with what reads it."""
    if not path.is_dir() and not path.name.lower().endswith(_ARCHIVES):
        yield str(path), partial(read_file, path)
        return
    members = open_members(path)
    for name in members.names:
        if is_image(name):
            yield f"{path}/{name}", partial(members.read, name)
