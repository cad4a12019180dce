"""A tree of pictures in which folders are classes, as it lies on the disk or in an archive."""

from pathlib import Path

import torch

from cnnlab.data.formats.archives import open_members
from cnnlab.data.formats.folder_layout import arrange
from cnnlab.data.raw_images import RawImageFiles
from cnnlab.data.reading import Content, SearchPath, Source, SourceSplit, reader


@reader("folder")
def folder(place: SearchPath, path: str, root: str | None = None) -> Source:
    """Pictures in one folder a class, also in a .zip or .tar(.gz), with or without train, validation and test above."""
    return folder_source(place.find(path), root)


def folder_source(path: Path, root: str | None = None) -> Source:
    """The tree in a folder or archive.

    :param root: the folder inside it in which the classes or splits are; none to find it.
    """
    name = path.absolute().name.partition(".")[0] if path.is_file() else path.absolute().name
    facts = {"from": str(path.absolute())}
    return Source(name, lambda: _read(path, root), (path,), facts, {"kind": "folder", "root": root})


def _read(path: Path, root: str | None) -> Content:
    members = open_members(path)
    layout = arrange(members.names, members.folders, root)
    parts = {}
    for split, names in layout.images.items():
        labels = layout.labels[split]
        targets = {} if labels is None else {"label": torch.tensor(labels, dtype=torch.int64)}
        parts[split] = SourceSplit(RawImageFiles(names, members.read), targets)
    return Content(parts, {"label": layout.classes}, layout.problems, layout.notes)
