"""A tree of pictures in which folders are classes, as it lies on the disk or in an archive."""

from pathlib import Path

import torch

from cnnlab.data.formats.archives import check_encoding, open_members
from cnnlab.data.formats.folder_layout import arrange
from cnnlab.data.formats.folder_splits import Splits
from cnnlab.data.formats.members import Members
from cnnlab.data.raw_images import RawImageFiles
from cnnlab.data.reading import Content, SearchPath, Source, SourceSplit, reader


@reader("folder")
def folder(
    place: SearchPath, path: str, root: str | None = None, splits: Splits = "auto", encoding: str | None = None
) -> Source:
    """Images in one folder a class, also in a .zip or .tar(.gz), with or without train, validation and test above."""
    check_encoding(encoding)
    return folder_source(place.find(path), root, splits, encoding)


def folder_source(path: Path, root: str | None = None, splits: Splits = "auto", encoding: str | None = None) -> Source:
    """The tree in a folder or archive.

    :param root: the folder inside it in which the classes or splits are; none to find it.
    :param splits: the folder of each split by its name; ``none`` where the folders are classes; ``auto`` to find out.
    :param encoding: of names in an archive that are not in UTF-8.
    """
    name = path.absolute().name.partition(".")[0] if path.is_file() else path.absolute().name
    facts = {"from": str(path.absolute())}
    key = {"kind": "folder", "root": root, "splits": splits, "encoding": encoding}
    return Source(name, lambda: _read(open_members(path, encoding), root, splits), (path,), facts, key)


def _read(members: Members, root: str | None, splits: Splits) -> Content:
    layout = arrange(members.names, members.folders, root, splits)
    parts = {}
    for split, names in layout.images.items():
        labels = layout.labels[split]
        targets = {} if labels is None else {"label": torch.tensor(labels, dtype=torch.int64)}
        parts[split] = SourceSplit(RawImageFiles(names, members.read), targets)
    return Content(
        parts,
        {"label": layout.classes},
        problems=layout.problems,
        training_problems=layout.training_problems,
        warnings=(*members.warnings, *layout.warnings),
        notes=layout.notes,
    )
